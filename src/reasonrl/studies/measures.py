"""What is measured of a run: its record in, one number out. Pure.

A measure is NaN if the run lacks the data for it (no kept group, no evaluation).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import fsum, isfinite, log, nan, sqrt

import numpy as np

from reasonrl.studies.record import COOL, SMOOTH, RunRecord
from reasonrl.studies.scoring import Scoring, at_the_end, over_the_steps, total

_START = 3  # first steps, whose mean is the start of a run
# The mean over this share of the steps is the end of a run. A share, not a number of steps, so that
# the ends of two runs that are lined up hold equal amounts of work.
_ENDING = 0.1
_TAIL = 0.2  # the share of the steps whose evaluations make the final score
_SCORE_MARGIN = 0.02  # two points of avg@k
_LOW = 0.4  # share of the starting entropy at which entropy has fallen


class Unit(StrEnum):
    """How a measure is told to people; a factor is a measure that is a natural logarithm."""

    POINTS = "points"  # hundredths
    NATS = "nats"
    FACTOR = "times"
    NONE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number that is computed from a run. A difference up to `margin` counts as no difference.

    `scoring` says which evaluations the number is a weighted mean of, if it is.
    """

    name: str
    what: str
    take: Callable[[RunRecord], float]
    margin: float
    unit: Unit = Unit.NONE
    scoring: Scoring | None = None


def _score(name: str, what: str, scoring: Scoring) -> Measure:
    return Measure(
        name=name,
        what=what,
        take=total(scoring),
        margin=_SCORE_MARGIN,
        unit=Unit.POINTS,
        scoring=scoring,
    )


def _log_entropies(run: RunRecord) -> list[float]:
    """Return ln e_k of each step with kept groups."""
    return [log(nats) for nats in run.column("entropy/nats") if nats > 0]


def _entropy_level(run: RunRecord) -> float:
    return mean(run.column("entropy/nats"))


def _collapse_time(run: RunRecord) -> float:
    """Return ln of the first step whose five-step mean is at 40 % of the start.

    Where entropy never falls so far, this is ln of the last step.
    """
    nats = run.column("entropy/nats")
    if len(nats) < SMOOTH:
        return nan
    smooth = np.convolve(nats, np.full(SMOOTH, 1 / SMOOTH), mode="valid")
    low = np.flatnonzero(smooth <= _LOW * mean(nats[:_START]))
    return log(low[0] + SMOOTH if len(low) else len(nats))


def _entropy_change(run: RunRecord) -> float:
    return _change(_log_entropies(run))


def _entropy_start(run: RunRecord) -> float:
    return mean(_log_entropies(run)[:_START])


def _entropy_swing(run: RunRecord) -> float:
    """Return the standard deviation of ln entropy about its trend in the second half of a run.

    Means of five steps, so that the noise of single steps does not count; the trend is a line.
    """
    entropies = _log_entropies(run)
    second = np.array(entropies[len(entropies) // 2 :])
    if len(second) < 3 * SMOOTH:
        return nan
    smooth = np.convolve(second, np.full(SMOOTH, 1 / SMOOTH), mode="valid")
    steps = np.arange(len(smooth))
    trend = np.polyval(np.polyfit(steps, smooth, 1), steps)
    return float(np.std(smooth - trend))


def _coefficient_swing(run: RunRecord) -> float:
    """Return the root mean square of the entropy weight's changes, relative to its mean."""
    weights = run.column("entropy/alpha")
    second = np.array(weights[len(weights) // 2 :])
    if len(second) < 2 or second.mean() == 0:
        return nan
    return float(np.sqrt(np.mean(np.diff(second) ** 2)) / second.mean())


def _training_accuracy(run: RunRecord) -> float:
    return _ending(run.column("accuracy/all"))


def _finished_gain(run: RunRecord) -> float:
    return _change(run.column("accuracy/finished"))


def _truncated_change(run: RunRecord) -> float:
    return _change(run.column("rollout/truncated_share"))


def _truncated_end(run: RunRecord) -> float:
    return _ending(run.column("rollout/truncated_share"))


def _tokens(run: RunRecord) -> float:
    pairs = [(row.get("rollout/mean_tokens"), row.get("rollout/sampled")) for row in run.rows]
    tokens = fsum(float(length or 0) * float(rollouts or 0) for length, rollouts in pairs)
    return log(tokens) if tokens > 0 else nan


def _kl_change(run: RunRecord) -> float:
    """Return the change of the KL divergence from the middle of the run to its end."""
    distances = [kl for kl in run.column("update/kl") if isfinite(kl)]
    return _ending(distances) - _ending(distances[: len(distances) // 2])


def _clipped(run: RunRecord) -> float:
    return mean(run.column("update/clipped_share"))


def _change(values: Sequence[float]) -> float:
    """Return the mean over the end of a run less the mean over its first three steps."""
    return _ending(values) - mean(values[:_START])


def _ending(values: Sequence[float]) -> float:
    return mean(values[-max(1, round(_ENDING * len(values))) :])


def mean(values: Sequence[float]) -> float:
    """Return the mean; NaN without values."""
    return fsum(values) / len(values) if values else nan


ENTROPY_LEVEL = Measure(
    name="entropy",
    what="mean over the run, nats",
    take=_entropy_level,
    margin=0.01,
    unit=Unit.NATS,
)
COLLAPSE_TIME = Measure(
    name="time to fall",
    what="ln of the step at which entropy is down to 40 % of its start, or of the last step",
    take=_collapse_time,
    margin=0.05,
    unit=Unit.FACTOR,
)
ENTROPY_CHANGE = Measure(
    name="change of ln entropy",
    what="over the run's last tenth, less over its first three steps",
    take=_entropy_change,
    margin=0.05,
    unit=Unit.FACTOR,
)
ENTROPY_START = Measure(
    name="ln entropy at the start",
    what="over the first three steps",
    take=_entropy_start,
    margin=0.05,
    unit=Unit.FACTOR,
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
SCORE_END = _score("score", "held-out avg@k over the last fifth", at_the_end(share=_TAIL))
SCORE_MEAN = _score("mean score", "area under held-out avg@k over the steps", over_the_steps())
SCORE_LAST = _score("last score", "held-out avg@k at the last step", at_the_end())
COOL_END = _score(
    "score at 0.6",
    "held-out avg@k at temperature 0.6, over the last fifth",
    at_the_end(COOL, share=_TAIL),
)
COOL_MEAN = _score("mean score at 0.6", "area under it over the steps", over_the_steps(COOL))
TRAINING = Measure(
    name="training accuracy",
    what="over the run's last tenth",
    take=_training_accuracy,
    margin=_SCORE_MARGIN,
    unit=Unit.POINTS,
)
FINISHED_GAIN = Measure(
    name="gain of finished",
    what="accuracy of rollouts that finished, last tenth less first three steps",
    take=_finished_gain,
    margin=0.02,
    unit=Unit.POINTS,
)
TRUNCATED_CHANGE = Measure(
    name="change of truncated",
    what="share of truncated rollouts, last tenth less first three steps",
    take=_truncated_change,
    margin=0.01,
    unit=Unit.POINTS,
)
TRUNCATED_END = Measure(
    name="truncated",
    what="share of truncated rollouts, last tenth",
    take=_truncated_end,
    margin=0.01,
    unit=Unit.POINTS,
)
TOKENS = Measure(
    name="ln tokens",
    what="ln of all tokens sampled in training",
    take=_tokens,
    margin=0.02,
    unit=Unit.FACTOR,
)
KL_CHANGE = Measure(
    name="change of KL",
    what="distance from the reference, last tenth of all less last tenth of the first half",
    take=_kl_change,
    margin=0.005,
    unit=Unit.NATS,
)
CLIPPED = Measure(
    name="clipped share",
    what="of trained tokens, mean over the run",
    take=_clipped,
    margin=0.0,
)

SCORES = (SCORE_END, SCORE_MEAN, COOL_END, COOL_MEAN, SCORE_LAST, TRAINING)
"""Measures of how well a policy solves problems."""


def standard_error(values: Sequence[float]) -> float:
    """Return the standard error of a mean; NaN with fewer than two values."""
    if len(values) < 2:
        return nan
    center = mean(values)
    return sqrt(fsum((value - center) ** 2 for value in values) / (len(values) - 1) / len(values))
