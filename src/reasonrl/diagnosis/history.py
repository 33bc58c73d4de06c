"""The steps of a run as rules read them: series of one metric, with the settings of each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from reasonrl.diagnosis.facts import NO_FACTS, Facts
from reasonrl.recipe import Recipe, Stage
from reasonrl.types import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The rows of metrics.jsonl up to a step, in order, the recipe that made them, and the facts
    that were known then.
    """

    recipe: Recipe
    rows: Sequence[Row]
    facts: Facts = NO_FACTS

    @property
    def n(self) -> int:
        return len(self.rows)

    def step(self, index: int) -> int:
        """Return the number of a step, given its index, which may be negative."""
        return int(str(self.rows[index]["step"]))

    def stage(self, index: int = -1) -> Stage:
        """Return the stage of a step."""
        name = self.rows[index]["stage"]
        return next(stage for stage in self.recipe.stage if stage.name == name)

    def series(self, key: str) -> list[float | None]:
        """Return a metric of every step; None where a step has no number."""
        values = (row.get(key) for row in self.rows)
        return [float(value) if isinstance(value, int | float) else None for value in values]

    def last(self, key: str, n: int) -> list[float]:
        """Return the numbers of a metric in the last n steps; fewer where some have none."""
        return [value for value in self.series(key)[-n:] if value is not None]

    def mean(self, key: str, n: int) -> float | None:
        """Return the mean of a metric over the last n steps, None without any number."""
        values = self.last(key, n)
        return fmean(values) if values else None

    def usual(self, key: str, *, before: int, n: int = 20) -> float | None:
        """Return the median of a metric over n steps that end `before` steps ago."""
        values = self.series(key)[: self.n - before][-n:]
        numbers = [value for value in values if value is not None]
        return median(numbers) if numbers else None

    def since(self, signs: Sequence[bool], *, n: int = 1) -> int | None:
        """Return the number of the first step of the row of true signs that ends at the last.

        `signs` has one for each step. None where that row has fewer than `n` steps.
        """
        first = self.n
        while first > 0 and signs[first - 1]:
            first -= 1
        return self.step(first) if self.n - first >= n else None


def key_of(history: History, key: str) -> str:
    """Return how a setting of the last step's stage is named: stage.N.KEY where stages differ."""
    stages = history.recipe.stage
    if len(stages) == 1:
        return key
    number = next(n for n, stage in enumerate(stages, 1) if stage is history.stage())
    return f"stage.{number}.{key}"
