"""Student's t at any level: the interval of a difference of two means. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum, inf, lgamma, pi, sqrt
from statistics import fmean, variance

_PARTS = 400
"""Parts of Simpson's rule between 0 and t; the error is far below the digits that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanDifference:
    """The difference of two means, with its interval at the level that was asked for."""

    value: float
    low: float
    high: float

    @property
    def is_shown(self) -> bool:
        """Return whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def difference_of_means(
    before: Sequence[float], after: Sequence[float], *, level: float, least_variance: float = 0.0
) -> MeanDifference:
    """Return mean(after) - mean(before) with Student's interval for equal variances.

    `least_variance` is what each value is known to vary by; three values that are equal by chance
    do not go below it. Infinite bounds where a side has fewer than two values.
    """
    value = fmean(after) - fmean(before)
    degrees = len(before) + len(after) - 2
    if min(len(before), len(after)) < 2:
        return MeanDifference(value=value, low=-inf, high=inf)
    squares = (variance(before) * (len(before) - 1), variance(after) * (len(after) - 1))
    pooled = max(fsum(squares) / degrees, least_variance)
    error = sqrt(pooled * (1 / len(before) + 1 / len(after)))
    reach = t_quantile(degrees, level) * error
    return MeanDifference(value=value, low=value - reach, high=value + reach)


def t_quantile(degrees: int, level: float) -> float:
    """Return the t within whose bounds Student's distribution has a share of `level`."""
    low, high = 0.0, 1.0
    while _inside(high, degrees) < level:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _inside(middle, degrees) < level else (low, middle)
    return (low + high) / 2


def _inside(t: float, degrees: int) -> float:
    """Return the share of Student's distribution between -t and t, by Simpson's rule."""
    scale = exp(lgamma((degrees + 1) / 2) - lgamma(degrees / 2)) / sqrt(degrees * pi)

    def density(x: float) -> float:
        return scale * float((1 + x * x / degrees) ** (-(degrees + 1) / 2))

    width = t / _PARTS
    inner = fsum((4 if n % 2 else 2) * density(n * width) for n in range(1, _PARTS))
    return 2 * width / 3 * (density(0.0) + inner + density(t))
