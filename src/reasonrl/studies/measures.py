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
from reasonrl.types import Row

_START = 3  # steps that say how a run began
_ENDING = 0.1  # of its steps say how it ended: equal amounts of work in runs that are lined up
_SMOOTH = 5  # steps whose mean stands for each
_LOW = 0.4  # of its start: an entropy that has fallen

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
    """Name a number that is taken of a run. `margin` is what counts as no difference of it."""

    name: str
    what: str
    take: Callable[[RunRecord], float]
    margin: float


def _log_entropies(run: RunRecord) -> list[float]:
    """Return ln e_k of each step with kept groups."""
    return [log(one) for one in run.column("entropy/nats") if one > 0]


def _entropy_level(run: RunRecord) -> float:
    return _mean(run.column("entropy/nats"))


def _collapse_time(run: RunRecord) -> float:
    """Return ln of the first step whose five-step mean is at 40 % of the start, or of the last."""
    found = run.column("entropy/nats")
    if len(found) < _SMOOTH:
        return nan
    smooth = np.convolve(found, np.full(_SMOOTH, 1 / _SMOOTH), mode="valid")
    low = np.flatnonzero(smooth <= _LOW * _mean(found[:_START]))
    return log(low[0] + _SMOOTH if len(low) else len(found))


def _entropy_change(run: RunRecord) -> float:
    found = _log_entropies(run)
    return _ending(found) - _mean(found[:_START])


def _entropy_start(run: RunRecord) -> float:
    return _mean(_log_entropies(run)[:_START])


def _entropy_swing(run: RunRecord) -> float:
    """Return how far entropy swings about its trend in the second half, as a share.

    Means of five steps, so that it is not the noise of single ones, and a line taken off.
    """
    found = _log_entropies(run)
    second = np.array(found[len(found) // 2 :])
    if len(second) < 3 * _SMOOTH:
        return nan
    smooth = np.convolve(second, np.full(_SMOOTH, 1 / _SMOOTH), mode="valid")
    steps = np.arange(len(smooth))
    trend = np.polyval(np.polyfit(steps, smooth, 1), steps)
    return float(np.std(smooth - trend))


def _coefficient_swing(run: RunRecord) -> float:
    """Return how far the entropy term's weight jumps from step to step, relative to its mean."""
    found = run.column("entropy/alpha")
    second = np.array(found[len(found) // 2 :])
    if len(second) < 2 or second.mean() == 0:
        return nan
    return float(np.sqrt(np.mean(np.diff(second) ** 2)) / second.mean())


def _last(suite: str) -> Callable[[RunRecord], float]:
    def take(run: RunRecord) -> float:
        scores = run.scores(suite or run.headline)
        return scores[-1][1] if scores else nan

    return take


def _area(suite: str) -> Callable[[RunRecord], float]:
    def take(run: RunRecord) -> float:
        scores = run.scores(suite or run.headline)
        if len(scores) < 2:
            return nan
        steps, values = zip(*scores, strict=True)
        return float(np.trapezoid(values, steps) / (steps[-1] - steps[0]))

    return take


def _training_accuracy(run: RunRecord) -> float:
    return _ending(run.column("accuracy/all"))


def _finished_gain(run: RunRecord) -> float:
    found = run.column("accuracy/finished")
    return _ending(found) - _mean(found[:_START])


def _truncated_change(run: RunRecord) -> float:
    found = run.column("rollout/truncated_share")
    return _ending(found) - _mean(found[:_START])


def _truncated_end(run: RunRecord) -> float:
    return _ending(run.column("rollout/truncated_share"))


def _tokens(run: RunRecord) -> float:
    lengths, rollouts = run.column("rollout/mean_tokens"), run.column("rollout/sampled")
    return log(fsum(a * b for a, b in zip(lengths, rollouts, strict=True)))


def _kl_change(run: RunRecord) -> float:
    """Return how far the distance moved from the middle of the run to its end."""
    found = [one for one in run.column("update/kl") if isfinite(one)]
    return _ending(found) - _ending(found[: len(found) // 2])


def _clipped(run: RunRecord) -> float:
    return _mean(run.column("update/clipped_share"))


def _ending(values: Sequence[float]) -> float:
    return _mean(values[-max(1, round(_ENDING * len(values))) :])


def _mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values) if values else nan


ENTROPY_LEVEL = Measure(
    name="entropy",
    what="mean over the run, nats",
    take=_entropy_level,
    margin=0.01,
)
COLLAPSE_TIME = Measure(
    name="time to fall",
    what="ln of the step at which entropy is down to 40 % of its start, or of the last step",
    take=_collapse_time,
    margin=0.05,
)
ENTROPY_CHANGE = Measure(
    name="change of ln entropy",
    what="over the run's last tenth, less over its first three steps",
    take=_entropy_change,
    margin=0.05,
)
ENTROPY_START = Measure(
    name="ln entropy at the start",
    what="over the first three steps",
    take=_entropy_start,
    margin=0.05,
)
ENTROPY_SWING = Measure(
    name="swing of ln entropy",
    what="standard deviation about a line, of means of five steps, second half",
    take=_entropy_swing,
    margin=0.02,
)
COEFFICIENT_SWING = Measure(
    name="swing of the coefficient",
    what="root mean square of the weight's changes over its mean, second half",
    take=_coefficient_swing,
    margin=0.05,
)
SCORE_END = Measure(
    name="score",
    what="held-out avg@k at the end",
    take=_last(""),
    margin=0.02,
)
SCORE_MEAN = Measure(
    name="mean score",
    what="area under held-out avg@k over the steps",
    take=_area(""),
    margin=0.02,
)
COOL_END = Measure(
    name="score at 0.6",
    what="held-out avg@k at temperature 0.6, at the end",
    take=_last(COOL),
    margin=0.02,
)
COOL_MEAN = Measure(
    name="mean score at 0.6",
    what="area under it over the steps",
    take=_area(COOL),
    margin=0.02,
)
TRAINING = Measure(
    name="training accuracy",
    what="over the run's last tenth",
    take=_training_accuracy,
    margin=0.02,
)
FINISHED_GAIN = Measure(
    name="gain of finished",
    what="accuracy of rollouts that finished, last tenth less first three steps",
    take=_finished_gain,
    margin=0.02,
)
TRUNCATED_CHANGE = Measure(
    name="change of truncated",
    what="share of truncated rollouts, last tenth less first three steps",
    take=_truncated_change,
    margin=0.01,
)
TRUNCATED_END = Measure(
    name="truncated",
    what="share of truncated rollouts, last tenth",
    take=_truncated_end,
    margin=0.01,
)
TOKENS = Measure(
    name="ln tokens",
    what="ln of all tokens sampled in training",
    take=_tokens,
    margin=0.02,
)
KL_CHANGE = Measure(
    name="change of KL",
    what="distance from the reference, last tenth of all less last tenth of the first half",
    take=_kl_change,
    margin=0.005,
)
CLIPPED = Measure(
    name="clipped share",
    what="of trained tokens, mean over the run",
    take=_clipped,
    margin=0.0,
)

SCORES = (SCORE_END, SCORE_MEAN, COOL_END, COOL_MEAN, TRAINING)
"""Measures of how well a policy does."""


def standard_error(values: Sequence[float]) -> float:
    """Return the standard error of a mean; NaN with fewer than two values."""
    if len(values) < 2:
        return nan
    mean = _mean(values)
    return sqrt(fsum((one - mean) ** 2 for one in values) / (len(values) - 1) / len(values))
