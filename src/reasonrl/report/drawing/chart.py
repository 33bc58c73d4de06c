"""What a chart shows: series, stage borders and axes, as records.

Knows nothing of runs and draws nothing: `svg` turns a chart into SVG.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from reasonrl.report.drawing.scale import tick_text


class Color(StrEnum):
    """The colour of a series."""

    BLUE = "blue"
    ORANGE = "orange"
    TEAL = "teal"
    PURPLE = "purple"
    RED = "red"
    GRAY = "gray"


class Mark(StrEnum):
    """The form in which a series is drawn. The STACK series of a chart are bars on each other."""

    LINE = "line"
    FAINT = "faint"
    POINTS = "points"
    STACK = "stack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A value at each of some rising steps; None is a gap.

    A series without a label is drawn, but not named in legend and numbers. `intervals`, one for
    each step, are whiskers of POINTS and a band behind a LINE.
    """

    label: str
    color: Color
    steps: Sequence[int]
    values: Sequence[float | None]
    mark: Mark = Mark.LINE
    intervals: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Border:
    """The first step of a stage, and the stage's name."""

    step: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Series on common axes.

    The horizontal axis reaches from `first` to `last`; None means the first or last step of the
    series. `is_log` draws decades; values that are not positive are gaps there. `axis` names the
    quantity of the horizontal axis. `names` label its steps, from `first` on, where the steps are
    not numbers at equal distances. The vertical axis reaches at least to `top`, so that shares of
    two pages can be compared. `help` says how to read the chart.
    """

    title: str
    unit: str
    series: tuple[Series, ...]
    borders: tuple[Border, ...] = ()
    first: int | None = None
    last: int | None = None
    is_log: bool = False
    axis: str = "step"
    names: tuple[str, ...] = ()
    top: float | None = None
    help: str = ""

    @property
    def span(self) -> tuple[int, int]:
        """Return the first and the last step of the horizontal axis; 0 and 1 without any step."""
        steps = [step for series in self.series for step in (*series.steps[:1], *series.steps[-1:])]
        first = min(steps, default=0) if self.first is None else self.first
        last = max(steps, default=1) if self.last is None else self.last
        return first, max(first, last)

    @property
    def missing(self) -> list[int]:
        """Return the steps in which no line has a value, though other steps have values."""
        lines = [series for series in self.series if series.mark in (Mark.LINE, Mark.FAINT)]
        known: dict[int, bool] = {}
        for series in lines:
            for step, value in zip(series.steps, series.values, strict=True):
                known[step] = known.get(step, False) or value is not None
        return [step for step, has in known.items() if not has] if any(known.values()) else []

    def name(self, step: int) -> str:
        """Return the label of a step."""
        return self.names[step - self.span[0]] if self.names else tick_text(step, 1)
