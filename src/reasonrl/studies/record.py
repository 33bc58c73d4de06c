"""The record of a finished run, and how two runs of different length are lined up. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate, pairwise
from math import fsum, inf

from reasonrl.types import Row

HELDOUT, COOL = "heldout", "heldout-t0.6"
"""Suites of the lab's runs: at temperature 1, and at 0.6."""


DIRTY = "-dirty"
"""The end of a commit whose files were changed (`reasonrl.run.sessions.commit_of`)."""


SMOOTH = 5
"""Number of steps of a running mean of entropy."""


class Axis(StrEnum):
    """What two runs have done equally much of where they are compared.

    At equal entropy both have come down to the same entropy, a mean of five steps.
    """

    STEPS = "steps"
    UPDATES = "updates"
    ROLLOUTS = "rollouts"
    ENTROPY = "entropy"


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
        """Return how far on an axis the run had come after each step; it never falls.

        On the axis of entropy that is the lowest mean so far, negative, in nats.
        """
        if axis is Axis.STEPS:
            return [float(number) for number in range(1, len(self.rows) + 1)]
        if axis is Axis.ENTROPY:
            return self._depths()
        key = "update/n" if axis is Axis.UPDATES else "rollout/sampled"
        return list(accumulate(float(row[key] or 0) for row in self.rows))

    def _depths(self) -> list[float]:
        depths: list[float] = []
        known: list[float] = []
        for row in self.rows:
            if (nats := row.get("entropy/nats")) is not None:
                known.append(float(nats))
            last = known[-SMOOTH:]
            here = -fsum(last) / SMOOTH if len(last) == SMOOTH else -inf
            depths.append(max(here, depths[-1] if depths else -inf))
        return depths

    def until(self, axis: Axis, amount: float) -> RunRecord:
        """Return the part of the run up to the step at which it had come so far on an axis.

        Where that step was not evaluated, its score lies on the line between two evaluations.
        """
        n = min(len(self.rows), 1 + sum(done < amount - 1e-9 for done in self.amounts(axis)))
        suites = dict.fromkeys(result.suite for result in self.evaluations)
        between = (_between(self.scores(suite), n) for suite in suites)
        evaluations = [result for result in self.evaluations if result.step <= n]
        evaluations += [result for result in between if result is not None]
        return replace(self, rows=self.rows[:n], evaluations=evaluations)

    def column(self, key: str) -> list[float]:
        """Return a metric's known values, in order."""
        values = (row.get(key) for row in self.rows)
        return [float(value) for value in values if not (value is None or isinstance(value, str))]

    @property
    def has_entropy_term(self) -> bool:
        """Return whether the entropy weighed in the loss at some step."""
        return any(self.column("entropy/alpha"))

    def scores(self, suite: str) -> list[EvaluationScore]:
        """Return the evaluations of a suite, in order."""
        return [result for result in self.evaluations if result.suite == suite]


def _between(scores: Sequence[EvaluationScore], step: int) -> EvaluationScore | None:
    """Return the score at a step between two evaluations; None if there are no such two."""
    for before, after in pairwise(scores):
        if before.step < step < after.step:
            share = (step - before.step) / (after.step - before.step)
            value = (1 - share) * before.value + share * after.value
            return replace(after, step=step, value=value, right_P=())
    return None
