"""Estimators with their uncertainty: avg@k, pass@k, cons@k, and the interval of a mean.

The unit is always the problem, because the samples of one problem are not independent. Differences
between two models are in `paired`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, fsum, sqrt

# Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom. Between them the quantile
# is interpolated in 1 / degrees; above 30 degrees it is the normal quantile with two terms of its
# expansion. The error is below 0.001.
_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value and its 95 % interval: shares in [0, 1], unless a function says otherwise."""

    value: float
    ci95: tuple[float, float]


def mean_over_problems(scores_P: Sequence[float]) -> Estimate:
    """Return the mean of one score in [0, 1] per problem, with an interval clustered by problem.

    Wilson's score interval with two replacements: its n is the number of yes-or-no answers that
    would vary as much as these scores, m (1 - m) / (s^2 / n), and its normal quantile is Student's
    t. If all scores are equal its n is n. The usual m +- t s / sqrt(n) is too short where few
    problems are ever solved, and is 0 +- 0 if no problem is (benchmarks/intervals.py).

    Raises ValueError without problems; with one problem the interval is all of [0, 1].
    """
    n = len(scores_P)
    if n == 0:
        raise ValueError("no problems: the mean of no scores is not defined; pass at least one")
    mean = fsum(scores_P) / n
    if n == 1:
        return Estimate(value=mean, ci95=(0.0, 1.0))
    if is_level(scores_P):
        weight = t95(n - 1) ** 2 / n  # t^2 over Wilson's n
    else:
        variance = fsum((score - mean) ** 2 for score in scores_P) / (n - 1)
        weight = t95(_degrees(scores_P, mean)) ** 2 * variance / (mean * (1 - mean) * n)
    center = (mean + weight / 2) / (1 + weight)
    half = sqrt(weight * mean * (1 - mean) + weight**2 / 4) / (1 + weight)
    return Estimate(value=mean, ci95=(max(0.0, center - half), min(1.0, center + half)))


def mean_of_rewards(rewards_P: Sequence[float]) -> Estimate | None:
    """Return the mean of one reward per problem, of any size, with Student's interval.

    m +- t s / sqrt(n), clustered by problem. It is too short where nearly all problems have the
    same reward, as `mean_over_problems` says; rewards without bounds allow nothing better. None
    with fewer than two problems.
    """
    n = len(rewards_P)
    if n < 2:
        return None
    mean = fsum(rewards_P) / n
    variance = fsum((reward - mean) ** 2 for reward in rewards_P) / (n - 1)
    half = t95(n - 1) * sqrt(variance / n)
    return Estimate(value=mean, ci95=(mean - half, mean + half))


def share_of(n: int, of: int) -> Estimate:
    """Return the share n / of with Wilson's interval."""
    return mean_over_problems([1.0] * n + [0.0] * (of - n))


def is_level(values: Sequence[float]) -> bool:
    """Return whether all values are equal up to rounding."""
    return max(values) - min(values) < 1e-9


def _degrees(scores_P: Sequence[float], mean: float) -> float:
    """Return the degrees of freedom of the scores' variance.

    They are n - 1 for yes-or-no scores, whose mean determines their variance. For other scores they
    are the degrees of a chi-square variable that varies as much (Satterthwaite), from the fourth
    moment. If one problem of 30 was ever solved they are 2: the variance is hardly known, and t is
    large.
    """
    n = len(scores_P)
    if all(score in (0.0, 1.0) for score in scores_P):
        return n - 1
    second = fsum((score - mean) ** 2 for score in scores_P) / n
    fourth = fsum((score - mean) ** 4 for score in scores_P) / n
    # The variance of s^2, relative to the square of s^2.
    spread = (fourth / second**2 - (n - 3) / (n - 1)) / n
    return min(n - 1, 2 / spread) if spread > 0 else n - 1


def pass_at_k(n: int, n_correct: int, k: int) -> float:
    """Return the unbiased chance that k of n samples contain a correct one.

    1 - C(n-c, k) / C(n, k), with c = n_correct.

    Raises ValueError unless 0 <= n_correct <= n and 1 <= k <= n.
    """
    if not (0 <= n_correct <= n and 1 <= k <= n):
        raise ValueError(f"pass@k needs 0 <= c <= n and 1 <= k <= n; got n={n} c={n_correct} k={k}")
    return 1.0 - comb(n - n_correct, k) / comb(n, k)


def consensus(answers_K: Sequence[int | None], right: frozenset[int]) -> float:
    """Return the chance that the most frequent answer of a problem's k samples is right.

    `answers_K` holds a number for each answer, the same number for equal answers. A sample without
    an answer, None, does not vote. Among equally frequent answers each wins with the same chance;
    without any vote the chance is 0.
    """
    votes = Counter(answer for answer in answers_K if answer is not None)
    if not votes:
        return 0.0
    most = max(votes.values())
    winners = [answer for answer, count in votes.items() if count == most]
    return sum(answer in right for answer in winners) / len(winners)


def t95(degrees: float) -> float:
    """Return the two-sided 95 % quantile of Student's t for one degree of freedom or more."""
    degrees = max(1.0, degrees)
    if degrees >= len(_T95):
        return 1.95996 + 2.3722 / degrees + 2.8225 / degrees**2
    below = int(degrees)
    share = (1 / below - 1 / degrees) / (1 / below - 1 / (below + 1))
    return _T95[below - 1] * (1 - share) + _T95[below] * share
