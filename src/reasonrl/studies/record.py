"""The record of a finished run, and how two runs of different length are lined up. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate
from math import fsum

from reasonrl.types import Row

HELDOUT, COOL = "heldout", "heldout-t0.6"
"""Suites of the lab's runs: at temperature 1, and at 0.6."""


DIRTY = "-dirty"
"""The end of a commit whose files were changed (`reasonrl.run.sessions.commit_of`)."""


class Axis(StrEnum):
    """The amount of work at which two runs are compared."""

    STEPS = "steps"
    UPDATES = "updates"
    ROLLOUTS = "rollouts"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrigin:
    """The commit of the code that made a run, and the machine with its libraries.

    A text is empty if the run did not record it, or recorded several.
    """

    commit: str = ""
    machine: str = ""

    @property
    def is_known(self) -> bool:
        """Return whether one commit and one machine made the whole run."""
        return bool(self.commit and self.machine)

    @property
    def is_repeatable(self) -> bool:
        """Return whether others can check the code out that made the run."""
        return self.is_known and not self.commit.endswith(DIRTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationScore:
    """The avg@k of one evaluation; `right_P` counts each problem's right answers of `k`.

    `right_P` is empty where a sample could not be judged, and early in a run.
    """

    suite: str
    step: int
    value: float
    k: int
    right_P: tuple[int, ...] = ()

    @property
    def variance(self) -> float | None:
        """Return the variance that sampling gives avg@k on these problems; None where unknown.

        The unbiased estimate of p (1 - p) / k over problems; one sample tells nothing of it.
        """
        if self.k < 2 or not self.right_P:
            return None
        shares = [right / self.k for right in self.right_P]
        return fsum(p * (1 - p) for p in shares) / (self.k - 1) / len(shares) ** 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """The metrics and evaluations of a finished run; `headline` is the name of its first suite."""

    rows: Sequence[Row]
    evaluations: Sequence[EvaluationScore]
    headline: str = HELDOUT
    origin: RunOrigin = RunOrigin()

    def amounts(self, axis: Axis) -> list[float]:
        """Return the amount of work on an axis that the run had done after each step."""
        if axis is Axis.STEPS:
            return [float(number) for number in range(1, len(self.rows) + 1)]
        key = "update/n" if axis is Axis.UPDATES else "rollout/sampled"
        return list(accumulate(float(row[key] or 0) for row in self.rows))

    def until(self, axis: Axis, amount: float) -> RunRecord:
        """Return the part of the run up to an amount of work; at least one step."""
        n = max(1, sum(done <= amount + 1e-9 for done in self.amounts(axis)))
        evaluations = [result for result in self.evaluations if result.step <= n]
        return replace(self, rows=self.rows[:n], evaluations=evaluations)

    def column(self, key: str) -> list[float]:
        """Return a metric's known values, in order."""
        values = (row.get(key) for row in self.rows)
        return [float(value) for value in values if not (value is None or isinstance(value, str))]

    def scores(self, suite: str) -> list[EvaluationScore]:
        """Return the evaluations of a suite, in order."""
        return [result for result in self.evaluations if result.suite == suite]
