"""Estimators with their uncertainty: avg@k, pass@k, cons@k, and the interval of a mean.

The problem is the unit throughout: the samples of one problem are not independent. Differences
between two models are in `paired`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, fsum, sqrt

# Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom; between them 1 / degrees
# is interpolated, above them stands the normal's with two terms of its expansion: off by < 0.001.
_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Hold a value and its 95 % interval, both shares in [0, 1]."""

    value: float
    ci95: tuple[float, float]


def mean_over_problems(scores_P: Sequence[float]) -> Estimate:
    """Return the mean of one score in [0, 1] a problem, with an interval clustered by problem.

    Wilson's score interval, with the number of yes-or-no answers that would vary as much as these
    scores do, m (1 - m) / (s^2 / n), for its n, and Student's t for the normal quantile. Where all
    scores are equal that number is n. The usual m +- t s / sqrt(n) is too short where few problems
    are ever solved, and says 0 +- 0 where none was (benchmarks/intervals.py).

    Raises ValueError without problems; with one, the interval is all of [0, 1].
    """
    n = len(scores_P)
    if n == 0:
        raise ValueError("no problems: a mean over none is not defined")
    mean = fsum(scores_P) / n
    if n == 1:
        return Estimate(value=mean, ci95=(0.0, 1.0))
    if is_level(scores_P):
        weight = t95(n - 1) ** 2 / n  # t^2 / n'
    else:
        variance = fsum((score - mean) ** 2 for score in scores_P) / (n - 1)
        weight = t95(_degrees(scores_P, mean)) ** 2 * variance / (mean * (1 - mean) * n)
    center = (mean + weight / 2) / (1 + weight)
    half = sqrt(weight * mean * (1 - mean) + weight**2 / 4) / (1 + weight)
    return Estimate(value=mean, ci95=(max(0.0, center - half), min(1.0, center + half)))


def share_of(n: int, of: int) -> Estimate:
    """Return n of some as a share with its interval, Wilson's."""
    return mean_over_problems([1.0] * n + [0.0] * (of - n))


def is_level(values: Sequence[float]) -> bool:
    """Say whether all values are equal, but for rounding."""
    return max(values) - min(values) < 1e-9


def _degrees(scores_P: Sequence[float], mean: float) -> float:
    """Return the degrees of freedom that the scores' variance has.

    n - 1 for yes or no, where the mean decides it; else those of a chi-square that varies as much
    (Satterthwaite), from the fourth moment. Where one problem of 30 was ever solved it is 2: then
    the spread is hardly known, and t is large.
    """
    n = len(scores_P)
    if all(score in (0.0, 1.0) for score in scores_P):
        return n - 1
    second = fsum((score - mean) ** 2 for score in scores_P) / n
    fourth = fsum((score - mean) ** 4 for score in scores_P) / n
    spread = (fourth / second**2 - (n - 3) / (n - 1)) / n  # variance of s^2, relative to its square
    return min(n - 1, 2 / spread) if spread > 0 else n - 1


def pass_at_k(n: int, n_correct: int, k: int) -> float:
    """Return the unbiased chance that k of n samples hold a correct one: 1 - C(n-c, k) / C(n, k).

    Raises ValueError unless 0 <= n_correct <= n and 1 <= k <= n.
    """
    if not (0 <= n_correct <= n and 1 <= k <= n):
        raise ValueError(f"pass@k needs 0 <= c <= n and 1 <= k <= n; got n={n} c={n_correct} k={k}")
    return 1.0 - comb(n - n_correct, k) / comb(n, k)


def consensus(answers_K: Sequence[int | None], right: frozenset[int]) -> float:
    """Return the chance that the most frequent answer of a problem's k samples is a right one.

    `answers_K` numbers the answers, equal ones alike; a sample without an answer, None, does not
    vote. Of several most frequent answers each wins with the same chance; without any vote
    nothing is right.
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
