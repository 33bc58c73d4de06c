"""A standalone SVG file on a light ground, for a README."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil

from reasonrl.report.drawing.chart import Chart, Mark
from reasonrl.report.drawing.colors import LIGHT, color_rules
from reasonrl.report.drawing.scale import shorten
from reasonrl.report.drawing.svg import STYLE, draw, escape_text

_WIDTH, _MARGIN, _COLUMNS = 1000, 24, 2
_HEAD, _ROW = 26, 17  # heights of the title and of a row of the legend, above each plot
_LONGEST = 32  # characters of a label
_CHARACTER = 6.8  # about the width of a character at the legend's font size
_STYLE = """
svg{font:12px system-ui,-apple-system,"Segoe UI",sans-serif}
.title{font-weight:600;font-size:15px;fill:var(--ink)}
.unit{fill:var(--quiet)}
.key{fill:currentColor}
"""


def charts_picture(charts: Sequence[Chart], *, height: float) -> str:
    """Return charts, two in a row, as an SVG document of this height."""
    n_rows = ceil(len(charts) / _COLUMNS)
    width = (_WIDTH - (_COLUMNS + 1) * _MARGIN) / _COLUMNS
    each = (height - (n_rows + 1) * _MARGIN) / n_rows
    parts = []
    for number, chart in enumerate(charts):
        x = _MARGIN + number % _COLUMNS * (width + _MARGIN)
        y = _MARGIN + number // _COLUMNS * (each + _MARGIN)
        parts.append(f'<g transform="translate({x:g} {y:g})">{_panel(chart, width, each)}</g>')
    return standalone("".join(parts), width=_WIDTH, height=height, style=STYLE + _STYLE)


def standalone(content: str, *, width: float, height: float, style: str) -> str:
    """Return drawn elements as an SVG document with their CSS rules."""
    rules = _without_variables(color_rules() + style)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}"><style>{rules}</style>'
        f'<rect width="{width:g}" height="{height:g}" fill="{LIGHT["paper"]}"/>'
        f"{content}</svg>\n"
    )


def _without_variables(style: str) -> str:
    """Return the style with the light colours: few viewers of SVG files know CSS variables."""
    return re.sub(r"var\(--(\w+)\)", lambda match: LIGHT[match[1]], style)


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
    for series in (series for series in chart.series if series.label):
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
