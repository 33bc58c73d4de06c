"""Estimators with their uncertainty: avg@k, pass@k, and the interval of a mean over problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, fsum, sqrt

# Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom; above that, the normal's
# with the first term of its expansion, off by less than 0.001.
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
    """Return the mean of one score a problem, with a t interval clustered by problem.

    With avg@k a problem's score is its mean over k samples: the samples of one problem are not
    independent, so the problem is the unit. The interval is cut to [0, 1]; with fewer than two
    problems it is all of [0, 1].
    """
    n = len(scores_P)
    if n == 0:
        raise ValueError("no problems: a mean over none is not defined")
    mean = fsum(scores_P) / n
    if n == 1:
        return Estimate(value=mean, ci95=(0.0, 1.0))
    variance = fsum((score - mean) ** 2 for score in scores_P) / (n - 1)
    half = _t95(n - 1) * sqrt(variance / n)
    return Estimate(value=mean, ci95=(max(0.0, mean - half), min(1.0, mean + half)))


def pass_at_k(n: int, n_correct: int, k: int) -> float:
    """Return the unbiased chance that k of n samples hold a correct one: 1 - C(n-c, k) / C(n, k).

    Raises ValueError unless 0 <= n_correct <= n and 1 <= k <= n.
    """
    if not (0 <= n_correct <= n and 1 <= k <= n):
        raise ValueError(f"pass@k needs 0 <= c <= n and 1 <= k <= n; got n={n} c={n_correct} k={k}")
    return 1.0 - comb(n - n_correct, k) / comb(n, k)


def _t95(degrees: int) -> float:
    return _T95[degrees - 1] if degrees <= len(_T95) else 1.95996 + 2.3722 / degrees
