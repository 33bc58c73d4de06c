"""The record of a finished run, and how two runs of different length are lined up. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from reasonrl.evaluation.score import SuiteResult
from reasonrl.types import Row

HELDOUT, COOL = "heldout", "heldout-t0.6"
"""Suites of the lab's runs: at temperature 1, and at 0.6."""


class Axis(StrEnum):
    """The amount of work at which two runs are compared."""

    STEPS = "steps"
    UPDATES = "updates"
    ROLLOUTS = "rollouts"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """The metrics and evaluations of a finished run; `headline` is the name of its first suite."""

    rows: Sequence[Row]
    evaluations: Sequence[SuiteResult]
    headline: str = HELDOUT

    def amounts(self, axis: Axis) -> list[float]:
        """Return the amount of work on an axis that the run had done after each step."""
        if axis is Axis.STEPS:
            return [float(number) for number in range(1, len(self.rows) + 1)]
        key = "update/n" if axis is Axis.UPDATES else "rollout/sampled"
        return list(accumulate(float(row[key] or 0) for row in self.rows))

    def until(self, axis: Axis, amount: float) -> RunRecord:
        """Return the part of the run up to an amount of work; at least one step."""
        n = max(1, sum(done <= amount + 1e-9 for done in self.amounts(axis)))
        return RunRecord(
            rows=self.rows[:n],
            evaluations=[result for result in self.evaluations if result.step <= n],
            headline=self.headline,
        )

    def column(self, key: str) -> list[float]:
        """Return a metric's known values, in order."""
        values = (row.get(key) for row in self.rows)
        return [float(value) for value in values if not (value is None or isinstance(value, str))]

    def scores(self, suite: str) -> list[tuple[int, float]]:
        """Return step and avg@k of each evaluation of a suite."""
        results = [result for result in self.evaluations if result.suite == suite]
        return [(one.step, one.accuracy.value) for one in results if one.accuracy is not None]
