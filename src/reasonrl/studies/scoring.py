"""A run's score as a weighted mean of its evaluations. Pure.

The weights are apart from the sum, because they also say how much of a score's spread comes from
sampling at the evaluations (`noise`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import fsum, nan
from typing import NamedTuple

import numpy as np

from reasonrl.studies.record import EvaluationScore, RunRecord


class WeightedScore(NamedTuple):
    """An evaluation and its weight in a score; the weights of a score add up to 1."""

    weight: float
    score: EvaluationScore


Scoring = Callable[[RunRecord], Sequence[WeightedScore]]
"""A function that returns the evaluations that a score is made of; none if the run lacks them."""


def at_the_end(suite: str = "", *, share: float = 0.0) -> Scoring:
    """Return the mean of the evaluations in the last `share` of the steps; at least the last.

    Without the name of a suite, these are the run's headline suite.
    """

    def scoring(run: RunRecord) -> Sequence[WeightedScore]:
        scores = run.scores(suite or run.headline)
        if not scores:
            return []
        first = (1 - share) * scores[-1].step - 1e-9
        chosen = [score for score in scores if score.step >= first]
        return [WeightedScore(1 / len(chosen), score) for score in chosen]

    return scoring


def over_the_steps(suite: str = "") -> Scoring:
    """Return the mean over the steps: the area under lines from evaluation to evaluation."""

    def scoring(run: RunRecord) -> Sequence[WeightedScore]:
        scores = run.scores(suite or run.headline)
        if len(scores) < 2:
            return []
        gaps = np.diff([score.step for score in scores]) / (scores[-1].step - scores[0].step)
        weights = (np.append(gaps, 0.0) + np.insert(gaps, 0, 0.0)) / 2
        return [WeightedScore(*pair) for pair in zip(weights.tolist(), scores, strict=True)]

    return scoring


def total(scoring: Scoring) -> Callable[[RunRecord], float]:
    """Return the function that computes a score; NaN if the run lacks the evaluations."""

    def take(run: RunRecord) -> float:
        parts = scoring(run)
        return fsum(weight * score.value for weight, score in parts) if parts else nan

    return take
