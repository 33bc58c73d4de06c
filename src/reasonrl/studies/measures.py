"""What is measured of a run: its record in, one number out. Pure; called by `verdicts`.

A measure that needs what a run does not have (no kept group, no evaluation) is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from math import fsum, isfinite, log, nan, sqrt

import numpy as np

from reasonrl.evaluation.score import SuiteResult
from reasonrl.metrics import Row

_ENDING = 10  # steps that say how a run ended, and as many how it began

HELDOUT, COOL = "heldout", "heldout-t0.6"
"""Suites of the lab's runs: at temperature 1, and at 0.6."""


class Axis(StrEnum):
    """Say by what two runs of different length or number of updates are lined up."""

    STEPS = "steps"
    UPDATES = "updates"
    ROLLOUTS = "rollouts"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Hold the record of a finished run; `headline` is the name of its first suite."""

    rows: Sequence[Row]
    evaluations: Sequence[SuiteResult]
    headline: str = HELDOUT

    def amounts(self, axis: Axis) -> list[float]:
        """Return how far the run had come on an axis after each step."""
        if axis is Axis.STEPS:
            return [float(number) for number in range(1, len(self.rows) + 1)]
        key = "update/n" if axis is Axis.UPDATES else "rollout/sampled"
        return list(accumulate(float(row[key] or 0) for row in self.rows))

    def until(self, axis: Axis, amount: float) -> RunRecord:
        """Return the part of the run up to an amount; at least one step."""
        n = max(1, sum(one <= amount + 1e-9 for one in self.amounts(axis)))
        return RunRecord(
            rows=self.rows[:n],
            evaluations=[one for one in self.evaluations if one.step <= n],
            headline=self.headline,
        )

    def column(self, key: str) -> list[float]:
        """Return a metric's known values, in order."""
        values = (row.get(key) for row in self.rows)
        return [float(one) for one in values if one is not None and not isinstance(one, str)]

    def scores(self, suite: str) -> list[tuple[int, float]]:
        """Return step and avg@k of each evaluation of a suite."""
        return [(one.step, one.accuracy.value) for one in self.evaluations if one.suite == suite]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Name a number that is taken of a run."""

    name: str
    what: str
    take: Callable[[RunRecord], float]


def _log_entropies(run: RunRecord) -> list[float]:
    """Return ln(e_k / e_1) for each step with kept groups."""
    found = [one for one in run.column("entropy/nats") if one > 0]
    return [log(one / found[0]) for one in found]


def _entropy_level(run: RunRecord) -> float:
    return _mean(_log_entropies(run))


def _entropy_end(run: RunRecord) -> float:
    return _mean(_log_entropies(run)[-_ENDING:])


def _entropy_start(run: RunRecord) -> float:
    found = run.column("entropy/nats")
    return log(found[0]) if found and found[0] > 0 else nan


def _entropy_jitter(run: RunRecord) -> float:
    """Return how far entropy jumps from step to step in the run's second half, as a share."""
    second = _log_entropies(run)[len(run.rows) // 2 :]
    jumps = np.diff(second)
    return float(np.sqrt(np.mean(jumps**2))) if len(jumps) else nan


def _coefficient_jitter(run: RunRecord) -> float:
    """Return the same of the entropy term's weight, relative to its mean there."""
    second = np.array(run.column("entropy/coefficient")[len(run.rows) // 2 :])
    if len(second) < 2 or second.mean() == 0:
        return nan
    return float(np.sqrt(np.mean(np.diff(second) ** 2)) / second.mean())


def _score_end(run: RunRecord) -> float:
    scores = run.scores(run.headline)
    return scores[-1][1] if scores else nan


def _score_mean(run: RunRecord) -> float:
    """Return the area under the held-out score, over the steps of the run."""
    scores = run.scores(run.headline)
    if len(scores) < 2:
        return nan
    steps, values = zip(*scores, strict=True)
    return float(np.trapezoid(values, steps) / (steps[-1] - steps[0]))


def _score_cool(run: RunRecord) -> float:
    scores = run.scores(COOL)
    return scores[-1][1] if scores else nan


def _training_accuracy(run: RunRecord) -> float:
    return _mean(run.column("accuracy/all")[-_ENDING:])


def _finished_gain(run: RunRecord) -> float:
    found = run.column("accuracy/finished")
    return _mean(found[-_ENDING:]) - _mean(found[:3])


def _truncated_change(run: RunRecord) -> float:
    found = run.column("rollout/truncated_share")
    return _mean(found[-_ENDING:]) - _mean(found[:3])


def _truncated_end(run: RunRecord) -> float:
    return _mean(run.column("rollout/truncated_share")[-_ENDING:])


def _tokens(run: RunRecord) -> float:
    lengths, rollouts = run.column("rollout/mean_tokens"), run.column("rollout/sampled")
    return log(fsum(a * b for a, b in zip(lengths, rollouts, strict=True)))


def _kl_change(run: RunRecord) -> float:
    """Return how far the distance moved from the middle of the run to its end."""
    found = [one for one in run.column("update/kl") if isfinite(one)]
    middle = found[: len(found) // 2]
    return _mean(found[-_ENDING:]) - _mean(middle[-_ENDING:])


def _clipped(run: RunRecord) -> float:
    return _mean(run.column("update/clipped_share"))


def _mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values) if values else nan


ENTROPY_LEVEL = Measure(
    name="log-entropy", what="mean over the run of ln(entropy / first entropy)", take=_entropy_level
)
ENTROPY_END = Measure(
    name="log-entropy at the end", what="the same over the last ten steps", take=_entropy_end
)
ENTROPY_START = Measure(
    name="log-entropy at the start", what="ln of the first step's entropy", take=_entropy_start
)
ENTROPY_JITTER = Measure(
    name="entropy jitter",
    what="root mean square of the steps' change of ln entropy, second half",
    take=_entropy_jitter,
)
COEFFICIENT_JITTER = Measure(
    name="coefficient jitter",
    what="root mean square of the weight's changes over its mean, second half",
    take=_coefficient_jitter,
)
SCORE_END = Measure(name="score", what="held-out avg@k at the end", take=_score_end)
SCORE_MEAN = Measure(
    name="mean score", what="area under held-out avg@k over the steps", take=_score_mean
)
SCORE_COOL = Measure(
    name="score at 0.6", what="held-out avg@k at temperature 0.6, at the end", take=_score_cool
)
TRAINING = Measure(
    name="training accuracy", what="over the last ten steps' rollouts", take=_training_accuracy
)
FINISHED_GAIN = Measure(
    name="gain of finished",
    what="accuracy of rollouts that finished, last ten steps less first three",
    take=_finished_gain,
)
TRUNCATED_CHANGE = Measure(
    name="change of truncated",
    what="share of truncated rollouts, last ten steps less first three",
    take=_truncated_change,
)
TRUNCATED_END = Measure(
    name="truncated", what="share of truncated rollouts, last ten steps", take=_truncated_end
)
TOKENS = Measure(name="log-tokens", what="ln of all tokens sampled in training", take=_tokens)
KL_CHANGE = Measure(
    name="change of KL",
    what="distance from the reference, last ten steps less the ten before the middle",
    take=_kl_change,
)
CLIPPED = Measure(name="clipped share", what="of trained tokens, mean over the run", take=_clipped)


def standard_error(values: Sequence[float]) -> float:
    """Return the standard error of a mean; NaN with fewer than two values."""
    if len(values) < 2:
        return nan
    mean = _mean(values)
    return sqrt(fsum((one - mean) ** 2 for one in values) / (len(values) - 1) / len(values))


SCORES = (SCORE_END, SCORE_MEAN, SCORE_COOL, TRAINING)
"""Measures of how well a policy does."""
