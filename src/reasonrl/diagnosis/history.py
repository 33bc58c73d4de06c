"""The steps of a run as rules read them: series of one metric, with the settings of each step."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import fmean, median

from reasonrl.diagnosis.facts import NO_FACTS, Facts
from reasonrl.recipe import Recipe, Stage
from reasonrl.types import Row

_MEDIAN_DISTANCE = 0.954
"""The median distance of two draws from a normal distribution with a deviation of 1."""


class Columns:
    """The rows of metrics.jsonl by metric, each metric read once for all histories of a run."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._known: dict[str, list[float | None]] = {}
        self._best: dict[tuple[str, int], list[float]] = {}
        self._noise: dict[str, list[float]] = {}
        self._levels: dict[tuple[str, int], list[Level | None]] = {}

    @cached_property
    def stage_starts(self) -> list[int]:
        """Return, for each step, the index of the first step of its stage."""
        starts = [0] if self.rows else []
        for n, (before, row) in enumerate(pairwise(self.rows), start=1):
            starts.append(starts[-1] if before["stage"] == row["stage"] else n)
        return starts

    def best_mean(self, key: str, n: int) -> list[float]:
        """Return, for each step, the best mean of n steps in a row that end before it.

        Rows with a missing number do not count; 0 before there is any.
        """
        known = self._best.get((key, n))
        if known is None:
            values, best, known = self[key], 0.0, []
            for end in range(len(values)):
                known.append(best)
                row = values[end - n + 1 : end + 1]
                if end + 1 >= n and None not in row:
                    best = max(best, fmean(value for value in row if value is not None))
            self._best[key, n] = known
        return known

    def noise(self, key: str) -> list[float]:
        """Return, for each step, the deviation from step to step over its stage so far.

        It is taken from the median distance of neighbours, so that a trend does not count.
        """
        known = self._noise.get(key)
        if known is None:
            known, apart, before = [], list[float](), None
            for n, value in enumerate(self[key]):
                if self.stage_starts[n] == n:
                    apart, before = [], None
                if value is not None:
                    if before is not None:
                        insort(apart, abs(value - before))
                    before = value
                known.append(_middle(apart) / _MEDIAN_DISTANCE if apart else 0.0)
            self._noise[key] = known
        return known

    def levels(self, key: str, n: int) -> list[Level | None]:
        """Return, for each step, the mean of the last n numbers of its stage and the best before.

        None for the first 2n - 1 numbers of a stage.
        """
        known = self._levels.get((key, n))
        if known is None:
            known, values, tops = [], list[float](), list[float]()
            for at, value in enumerate(self[key]):
                if self.stage_starts[at] == at:
                    values, tops, mean = [], [], 0.0
                if value is not None:
                    values.append(value)
                    if len(values) >= n:
                        mean = sum(values[-n:]) / n
                        tops.append(max(tops[-1], mean) if tops else mean)
                earlier = len(values) - 2 * n
                known.append(Level(best=tops[earlier], now=mean) if earlier >= 0 else None)
            self._levels[key, n] = known
        return known

    def __getitem__(self, key: str) -> list[float | None]:
        """Return a metric of every step; None where a step has no number."""
        if key not in self._known:
            values = (row.get(key) for row in self.rows)
            self._known[key] = [
                float(value) if isinstance(value, int | float) else None for value in values
            ]
        return self._known[key]


def _middle(values: Sequence[float]) -> float:
    """Return the median of sorted values."""
    return (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The mean of a metric over the last n steps, and its best mean of n steps before these."""

    best: float
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """The means of a metric over a stage's first steps and over its last steps.

    `error` is the standard error of their difference, by the noise from step to step.
    """

    before: float
    now: float
    error: float

    @property
    def is_shown(self) -> bool:
        """Return whether the metric has risen by more than noise makes."""
        return self.now - self.before > 2 * self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The first `n` steps of a run, the recipe that made them, and the facts known then."""

    recipe: Recipe
    columns: Columns
    n: int
    facts: Facts = NO_FACTS

    def step(self, index: int) -> int:
        """Return the number of a step, given its index, which may be negative."""
        return int(str(self.columns.rows[index % self.n]["step"]))

    def stage(self, index: int = -1) -> Stage:
        """Return the stage of a step; the last one for a name that the recipe does not have."""
        name, stages = self.columns.rows[index % self.n]["stage"], self.recipe.stage
        return next((stage for stage in stages if stage.name == name), stages[-1])

    @property
    def stage_start(self) -> int:
        """Return the index of the first step of the last step's stage."""
        return self.columns.stage_starts[self.n - 1]

    @property
    def success(self) -> str:
        """Return the metric of success: accuracy where a verifier judges, else the reward."""
        return "accuracy/all" if self.recipe.has_verifier else "reward/mean"

    def series(self, key: str) -> list[float | None]:
        """Return a metric of every step; None where a step has no number."""
        return self.columns[key][: self.n]

    def last(self, key: str, n: int) -> list[float]:
        """Return the numbers of a metric in the last n steps; fewer where some have none."""
        values = self.columns[key][max(0, self.n - n) : self.n]
        return [value for value in values if value is not None]

    def first(self, key: str, n: int, *, after: int = 0) -> list[float]:
        """Return the numbers of a metric in the first n steps from the index `after` on."""
        values = self.columns[key][after : min(after + n, self.n)]
        return [value for value in values if value is not None]

    def mean(self, key: str, n: int) -> float | None:
        """Return the mean of a metric over the last n steps, None without any number."""
        values = self.last(key, n)
        return fmean(values) if values else None

    def start(self, key: str, n: int, *, after: int = 0) -> float | None:
        """Return the mean of a metric over the first n steps from the index `after` on."""
        values = self.first(key, n, after=after)
        return fmean(values) if values else None

    def best_mean(self, key: str, n: int, *, before: int) -> float:
        """Return the best mean of n steps in a row that end before the last `before` steps."""
        at = self.n - before
        return self.columns.best_mean(key, n)[at] if at >= 0 else 0.0

    def rise(self, key: str, n: int) -> Rise | None:
        """Return how a metric stands against the start of the stage, None before 2n steps."""
        begun = self.stage_start
        before, now = self.start(key, n, after=begun), self.mean(key, n)
        if before is None or now is None or self.n - begun < 2 * n:
            return None
        return Rise(before=before, now=now, error=self.error(key, n))

    def level(self, key: str, n: int) -> Level | None:
        """Return a metric's last mean of n steps in the stage and the best one before."""
        return self.columns.levels(key, n)[self.n - 1]

    def error(self, key: str, n: int) -> float:
        """Return the standard error of the difference of two means of n steps of the stage."""
        return self.columns.noise(key)[self.n - 1] * float((2 / n) ** 0.5)

    def usual(self, key: str, *, before: int, n: int = 20) -> float | None:
        """Return the median of a metric over n steps that end `before` steps ago."""
        end = max(0, self.n - before)
        numbers = [value for value in self.columns[key][max(0, end - n) : end] if value is not None]
        return median(numbers) if numbers else None

    def since(self, *keys: str, sign: Callable[..., bool], n: int = 1) -> int | None:
        """Return the first step of the row of steps with a sign that ends at the last step.

        `sign` is given a step's values of the metrics. None where the row has fewer than `n` steps.
        """
        columns = [self.columns[key] for key in keys]
        first = self.n
        while first > 0 and sign(*(column[first - 1] for column in columns)):
            first -= 1
        return self.step(first) if self.n - first >= n else None


def key_of(history: History, key: str) -> str:
    """Return how a setting of the last step's stage is named: stage.N.KEY where stages differ."""
    stages = history.recipe.stage
    if len(stages) == 1:
        return key
    number = next(n for n, stage in enumerate(stages, 1) if stage is history.stage())
    return f"stage.{number}.{key}"
