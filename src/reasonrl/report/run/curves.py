"""One picture of a run, as a standalone SVG on a light ground, for a README.

It has no numbers to point at; the page has.
"""

from __future__ import annotations

from collections.abc import Sequence

from reasonrl.evaluation.score import SuiteResult
from reasonrl.report.drawing.chart import Chart, Mark
from reasonrl.report.drawing.picture import standalone
from reasonrl.report.drawing.scale import shorten
from reasonrl.report.drawing.svg import STYLE, draw, escape_text
from reasonrl.report.run.panels import build_panels
from reasonrl.types import Row

_WIDTH, _HEIGHT, _MARGIN = 1000, 640, 24
_HEAD, _ROW = 26, 17  # heights of the title and of a row of the legend, above each plot
_LONGEST = 32  # characters of a label
_CHARACTER = 6.8  # about the width of a character at the legend's font size
_STYLE = """
svg{font:12px system-ui,-apple-system,"Segoe UI",sans-serif}
.title{font-weight:600;font-size:15px;fill:var(--ink)}
.unit{fill:var(--quiet)}
.key{fill:currentColor}
"""


def charts_svg(metrics: Sequence[Row], evaluations: Sequence[SuiteResult]) -> str:
    """Return accuracy, entropy, mean length and truncated share as one SVG document."""
    charts = build_panels(metrics, evaluations)
    width = (_WIDTH - 3 * _MARGIN) / 2
    height = (_HEIGHT - 3 * _MARGIN) / 2
    parts = []
    for number, name in enumerate(("accuracy", "entropy", "length", "truncated")):
        chart = charts[name]
        x = _MARGIN + number % 2 * (width + _MARGIN)
        y = _MARGIN + number // 2 * (height + _MARGIN)
        parts.append(f'<g transform="translate({x:g} {y:g})">{_panel(chart, width, height)}</g>')
    return standalone("".join(parts), width=_WIDTH, height=_HEIGHT, style=STYLE + _STYLE)


def _panel(chart: Chart, width: float, height: float) -> str:
    legend, n_rows = _legend(chart, width)
    head = _HEAD + n_rows * _ROW
    plot = draw(chart, width=width, height=height - head, hover=False)
    return (
        f'<text y="13"><tspan class="title">{escape_text(chart.title)}</tspan>'
        f'<tspan class="unit" dx="8">{escape_text(chart.unit)}</tspan></text>'
        f'{legend}<g class="chart" transform="translate(0 {head})">{plot}</g>'
    )


def _legend(chart: Chart, width: float) -> tuple[str, int]:
    """Return the legend and its number of rows."""
    parts = []
    x, row = 0.0, 0
    for series in chart.series:
        label = shorten(series.label, _LONGEST)
        advance = 15 + len(label) * _CHARACTER + 14
        if x > 0 and x + advance > width:
            x, row = 0.0, row + 1
        y = _HEAD + row * _ROW
        opacity = 0.6 if series.mark is Mark.FAINT else 1
        parts.append(
            f'<rect class="key {series.color}" x="{x:.0f}" y="{y}" width="10" height="10" rx="2" '
            f'opacity="{opacity}"/>'
            f'<text class="unit" x="{x + 15:.0f}" y="{y + 9}">{escape_text(label)}</text>'
        )
        x += advance
    return "".join(parts), row + 1
