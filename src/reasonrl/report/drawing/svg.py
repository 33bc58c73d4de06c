"""Draw a chart as SVG text. Pure.

Draws the plot only: the caller sets title and legend, in HTML or in SVG.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from math import ceil, log10

from reasonrl.report.drawing.chart import Border, Chart, Mark, Series
from reasonrl.report.drawing.scale import (
    decade_text,
    decade_ticks,
    linear_ticks,
    short_text,
    shorten,
    step_ticks,
    tick_text,
)

_TOP, _RIGHT, _BOTTOM, _LEFT = 18.0, 6.0, 20.0, 42.0
_CHARACTER = 6.0  # about the width of a character at the font size of STYLE
_WIDEST_BAR = 28.0
_LONGEST_LABEL = 18  # characters of a stage's name
_MAX_HOVERS = 150  # columns that show their numbers; a longer run shows every n-th step's

STYLE = """
.chart text{font:11.5px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--quiet)}
.chart .grid{stroke:var(--grid);fill:none}
.chart .border{stroke:var(--quiet);fill:none;stroke-dasharray:2 3;opacity:.8}
.chart .line,.chart .faint,.chart .thread,.chart .whisker{stroke:currentColor;fill:none;
stroke-linejoin:round;stroke-width:1.8}
.chart .faint{stroke-width:1.3;opacity:.6}
.chart .thread{stroke-width:1;opacity:.6}
.chart .whisker{stroke-width:1.3}
.chart .dot,.chart .bars{fill:currentColor}
.chart .band{fill:currentColor;opacity:.16}
.chart .missing{fill:var(--grid);opacity:.6}
.chart .hover{fill:var(--ink);opacity:0}
.chart .hover:hover{opacity:.08}
"""
"""CSS rules for the drawn elements. The page defines `--ink`, `--quiet` and `--grid`, and the
`color` of the classes that are named after a `Color`."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """A box, and the axes that map steps and values to positions in it."""

    width: float
    height: float
    first: int
    last: int
    ticks: Sequence[float]
    is_log: bool

    @property
    def floor(self) -> float:
        return self.height - _BOTTOM

    @property
    def step_width(self) -> float:
        return (self.width - _LEFT - _RIGHT) / (self.last - self.first + 1)

    def x(self, step: float) -> float:
        return _LEFT + (step - self.first + 0.5) * self.step_width

    def y(self, value: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        if self.is_log:
            value, low, high = log10(value), log10(low), log10(high)
        return self.floor - (value - low) / (high - low) * (self.floor - _TOP)


def escape_text(text: object) -> str:
    """Return text that is safe in HTML and in XML, between tags and in quoted attributes."""
    return escape(_NOT_XML.sub("\ufffd", str(text)))


def draw(chart: Chart, *, width: float, height: float, hover: bool = True) -> str:
    """Return the plot as SVG elements in the box from (0, 0) to (width, height).

    With `hover`, each step is a column that shows its numbers under a pointer.
    """
    extremes = _extremes(chart)
    if extremes and chart.top is not None:
        extremes.append(chart.top)
    is_log = chart.is_log and bool(extremes)
    n_ticks = max(2, int(height / 45))
    ticks = (
        decade_ticks(extremes)
        if is_log
        else linear_ticks(min([0.0, *extremes]), max([0.0, *extremes]), at_most=n_ticks)
    )
    first, last = chart.span
    frame = _Frame(width=width, height=height, first=first, last=last, ticks=ticks, is_log=is_log)
    stack = [series for series in chart.series if series.mark is Mark.STACK]
    parts = [*_missing(frame, chart.missing), *_axes(frame, chart), *_bars(frame, stack)]
    parts += _borders(frame, chart.borders)
    if not extremes:
        parts.append(_text((width + _LEFT) / 2, height / 2, "no data", anchor="middle"))
    for series in chart.series:
        if series.mark is not Mark.STACK:
            parts += _curve(frame, series)
    if hover:
        parts += _hovers(frame, chart)
    return "".join(parts)


def _extremes(chart: Chart) -> list[float]:
    """Return the values that the axis must reach: every drawn value, stacked values added up."""
    values: list[float] = []
    stacked: dict[int, float] = {}
    for series in chart.series:
        values += [edge for interval in series.intervals for edge in interval]
        for step, value in zip(series.steps, series.values, strict=True):
            if value is not None and series.mark is Mark.STACK:
                stacked[step] = stacked.get(step, 0.0) + value
            elif value is not None:
                values.append(value)
    values += stacked.values()
    return [value for value in values if value > 0] if chart.is_log else values


def _axes(frame: _Frame, chart: Chart) -> Iterator[str]:
    right = frame.width - _RIGHT
    for tick in frame.ticks:
        y = frame.y(tick)
        label = (
            decade_text(tick) if frame.is_log else tick_text(tick, frame.ticks[1] - frame.ticks[0])
        )
        yield f'<path class="grid" d="M{_LEFT:g} {y:.1f}H{right:g}"/>'
        yield _text(_LEFT - 6, y + 4, label, anchor="end")
    for step in step_ticks(frame.first, frame.last, at_most=max(2, int(frame.width / 65))):
        x, name = frame.x(step), chart.name(step)
        is_cut = x + len(name) * _CHARACTER / 2 > frame.width
        yield f'<path class="grid" d="M{x:.1f} {frame.floor:g}v4"/>'
        yield _text(x, frame.floor + 16, name, anchor="end" if is_cut else "middle")
    yield _text(0, frame.floor + 16, chart.axis)


def _missing(frame: _Frame, steps: Sequence[int]) -> Iterator[str]:
    """Shade the steps without a value, so that they do not look like an empty axis."""
    for step in steps:
        yield (
            f'<rect class="missing" x="{frame.x(step - 0.5):.1f}" y="{_TOP:g}" '
            f'width="{frame.step_width:.2f}" height="{frame.floor - _TOP:.1f}"/>'
        )


def _borders(frame: _Frame, borders: Sequence[Border]) -> Iterator[str]:
    """Draw a line before the first step of each stage, and the names that have room beside it."""
    free_from = 0.0
    for border in borders:
        x = frame.x(border.step - 0.5)
        name = shorten(border.label, _LONGEST_LABEL)
        yield f'<path class="border" d="M{x:.1f} {_TOP - 12:g}V{frame.floor:g}"/>'
        end = x + 4 + len(name) * _CHARACTER
        if x >= free_from and end <= frame.width:
            yield _text(x + 4, _TOP - 5, name)
            free_from = end + 4


def _bars(frame: _Frame, stack: Sequence[Series]) -> Iterator[str]:
    """Draw each series as one path of rectangles on top of the series before it."""
    tops: dict[int, float] = {}
    gap = 1.0 if frame.step_width > 4 else 0.0
    half = min(frame.step_width - gap, _WIDEST_BAR) / 2
    for series in stack:
        path = []
        for step, value in zip(series.steps, series.values, strict=True):
            if value is None or value <= 0:
                continue
            base = tops.get(step, 0.0)
            tops[step] = base + value
            left, right = frame.x(step) - half, frame.x(step) + half
            path.append(
                f"M{left:.2f} {frame.y(base):.1f}V{frame.y(base + value):.1f}"
                f"H{right:.2f}V{frame.y(base):.1f}Z"
            )
        if path:
            yield f'<path class="bars {series.color}" d="{"".join(path)}"/>'


def _curve(frame: _Frame, series: Series) -> Iterator[str]:
    """Draw unbroken runs of values as lines; POINTS, and a value between gaps, also as dots."""
    if series.intervals and series.mark is Mark.LINE:
        yield _band(frame, series)
        series = replace(series, intervals=())
    is_points = series.mark is Mark.POINTS
    kind = "thread" if is_points else str(series.mark)
    lines = []
    dots = []
    for points in _runs(frame, series):
        lines.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points))
        if is_points or len(points) == 1:
            dots += points
    if lines:
        yield f'<path class="{kind} {series.color}" d="{"".join(lines)}"/>'
    for step, (low, high) in zip(series.steps, series.intervals, strict=False):
        path = f"M{frame.x(step):.1f} {frame.y(low):.1f}V{frame.y(high):.1f}"
        yield f'<path class="whisker {series.color}" d="{path}"/>'
    radius = 3.2 if is_points else 2.2
    for x, y in dots:
        yield f'<circle class="dot {series.color}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'


def _band(frame: _Frame, series: Series) -> str:
    """Draw the area between the lower and the upper ends of the intervals."""
    ends = list(zip(series.steps, series.intervals, strict=True))
    upper = [f"{frame.x(step):.1f} {frame.y(high):.1f}" for step, (_, high) in ends]
    lower = [f"{frame.x(step):.1f} {frame.y(low):.1f}" for step, (low, _) in reversed(ends)]
    return f'<path class="band {series.color}" d="M{"L".join(upper + lower)}Z"/>'


def _runs(frame: _Frame, series: Series) -> Iterator[list[tuple[float, float]]]:
    """Yield the positions of each unbroken run of values."""
    run: list[tuple[float, float]] = []
    for step, value in zip(series.steps, series.values, strict=True):
        if value is not None and not (frame.is_log and value <= 0):
            run.append((frame.x(step), frame.y(value)))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _hovers(frame: _Frame, chart: Chart) -> Iterator[str]:
    """Draw an invisible column for each step, with the numbers of that step as its title."""
    numbers: dict[int, list[str]] = {}
    for series in chart.series:
        if not series.label:
            continue
        for step, value in zip(series.steps, series.values, strict=True):
            shown = "-" if value is None else short_text(value)
            numbers.setdefault(step, []).append(f"{series.label}: {shown}")
    every = ceil(len(numbers) / _MAX_HOVERS)
    for step in sorted(numbers)[:: every or 1]:
        text = escape_text("\n".join([f"{chart.axis} {chart.name(step)}", *numbers[step]]))
        width = frame.step_width * every
        yield (
            f'<rect class="hover" x="{frame.x(step - 0.5):.1f}" y="{_TOP:g}" width="{width:.1f}" '
            f'height="{frame.floor - _TOP:.1f}"><title>{text}</title></rect>'
        )


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape_text(text)}</text>'
