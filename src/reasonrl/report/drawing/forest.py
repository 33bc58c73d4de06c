"""A forest plot: intervals on one axis, a row for each, with a band around 0. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reasonrl.report.drawing.chart import Color
from reasonrl.report.drawing.scale import shorten
from reasonrl.report.drawing.svg import escape_text

WIDTH = 860
_ROW, _HEAD, _FOOT = 22, 26, 26  # heights
_LEFT, _RIGHT = 390, 120  # widths of the labels and of the notes
_LONGEST = 62  # characters of a label
_TICKS = (-4, -2, -1, 0, 1, 2, 4)

FOREST_STYLE = """
.forest text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--ink)}
.forest .note{fill:var(--quiet)}
.forest .group{font-weight:600}
.forest .band{fill:var(--grid);opacity:.7}
.forest .zero,.forest .grid{stroke:var(--quiet);stroke-width:1}
.forest .grid{stroke-dasharray:2 4;opacity:.5}
.forest .whisker{stroke:currentColor;stroke-width:2.2;fill:none}
.forest .dot,.forest .beyond{fill:currentColor}
"""
"""CSS rules for the drawn elements; see `svg.STYLE`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestRow:
    """An interval in units of the band's half-width; without an interval, a heading."""

    label: str
    color: Color = Color.GRAY
    value: float | None = None
    interval: tuple[float, float] | None = None
    note: str = ""


def forest_height(rows: Sequence[ForestRow]) -> int:
    """Return the height of the plot of some rows."""
    return _HEAD + _ROW * len(rows) + _FOOT


def draw_forest(rows: Sequence[ForestRow], *, left: str, right: str) -> str:
    """Return the rows as SVG; `left` and `right` say what lies on each side of the band.

    What lies beyond four half-widths of the band ends in an arrow at the edge.
    """
    floor = _HEAD + _ROW * len(rows)
    parts = [
        f'<rect class="band" x="{_x(-1):.1f}" y="{_HEAD}" width="{_x(1) - _x(-1):.1f}" '
        f'height="{floor - _HEAD}"/>'
    ]
    for tick in _TICKS:
        kind = "grid" if tick else "zero"
        parts.append(
            f'<path class="{kind}" d="M{_x(tick):.1f} {_HEAD}V{floor}"/>'
            f'<text class="note" x="{_x(tick):.1f}" y="{floor + 16}" text-anchor="middle">'
            f"{tick:+d}</text>".replace("+0", "0")
        )
    parts.append(_text(_x(0) - 12, 14, f"\u2190 {left}", "note", anchor="end"))
    parts.append(_text(_x(0) + 12, 14, f"{right} \u2192", "note"))
    for number, row in enumerate(rows):
        parts += _row(row, _HEAD + _ROW * number + _ROW / 2)
    return f'<g class="forest">{"".join(parts)}</g>'


def _row(row: ForestRow, y: float) -> Iterator[str]:
    is_heading = row.value is None and not row.note
    label = shorten(row.label, _LONGEST)
    yield _text(0 if is_heading else 12, y + 4, label, "group" if is_heading else "label")
    yield _text(WIDTH - _RIGHT + 12, y + 4, row.note, "note")
    if row.value is None:
        return
    yield f'<g class="{row.color}">'
    if row.interval is not None:
        low, high = (_x(edge) for edge in row.interval)
        yield f'<path class="whisker" d="M{low:.1f} {y:.1f}H{high:.1f}"/>'
        for edge in row.interval:
            if abs(edge) > _TICKS[-1]:
                tip, way = _x(edge), 6 if edge > 0 else -6
                yield (
                    f'<path class="beyond" d="M{tip + way:.1f} {y:.1f}'
                    f'L{tip:.1f} {y - 5:.1f}V{y + 5:.1f}Z"/>'
                )
    yield f'<circle class="dot" cx="{_x(row.value):.1f}" cy="{y:.1f}" r="4"/></g>'


def _x(value: float) -> float:
    """Return the place of a value; beyond the last tick, the edge."""
    most = _TICKS[-1]
    inside = max(-most, min(most, value))
    room = WIDTH - _LEFT - _RIGHT - 24
    return _LEFT + 12 + (inside + most) / (2 * most) * room


def _text(x: float, y: float, text: str, kind: str, *, anchor: str = "start") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape_text(text)}</text>"
    )
