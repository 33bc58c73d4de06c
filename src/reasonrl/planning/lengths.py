"""The assumption about how long responses are. The report gives no lengths of its runs.

Log-normal, cut off at the limit T. The report says of its 7B model on AIME, at a limit of 32K, that
it wrote 12.5K tokens before and 5.4K after a stage at 8K: 0.38 of one limit, 0.66 of the other.
`MEAN_SHARE` of 0.5 lies between. The spread puts 1 % of the responses below 0.07 T and a seventh
of them at the limit. Whoever knows better lengths changes these constants, nothing else.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

MEAN_SHARE = 0.5
"""Mean response, cut ones included, as a share of the limit."""

LOG_SPREAD = 0.8
"""Standard deviation of the logarithm of uncut lengths."""

PROMPT_TOKENS = 200
"""Mean prompt: a competition problem in its chat template."""

_NORMAL = NormalDist()
_FINE = 1_000  # points to find the median with


@lru_cache(maxsize=64)
def response_lengths(n: int, limit: int) -> tuple[float, ...]:
    """Return n lengths at even quantiles of the distribution, ascending, at most `limit`."""
    median = _median_share() * limit
    return tuple(min(limit, max(1.0, median * factor)) for factor in _factors(n))


def draw_length(uniform: float, limit: int) -> float:
    """Return the length at a quantile, for simulations."""
    factor = math.exp(LOG_SPREAD * _NORMAL.inv_cdf(min(max(uniform, 1e-9), 1 - 1e-9)))
    return min(limit, max(1.0, _median_share() * limit * factor))


def mean_tokens(limit: int) -> float:
    """Return the mean response under a limit."""
    return MEAN_SHARE * limit


def squared_tokens(limit: int) -> float:
    """Return the mean of the squared response, which attention costs."""
    lengths = response_lengths(_FINE, limit)
    return sum(length * length for length in lengths) / len(lengths)


def held_context(limit: int) -> float:
    """Return the mean context of a rollout that is being sampled, over its whole life."""
    return PROMPT_TOKENS + squared_tokens(limit) / (2 * mean_tokens(limit))


def _factors(n: int) -> list[float]:
    return [math.exp(LOG_SPREAD * _NORMAL.inv_cdf((i + 0.5) / n)) for i in range(n)]


@lru_cache(maxsize=1)
def _median_share() -> float:
    """Find the uncut median, as a share of the limit, that gives the cut mean; by bisection."""
    factors = _factors(_FINE)
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        mean = sum(min(1.0, middle * factor) for factor in factors) / len(factors)
        low, high = (middle, high) if mean < MEAN_SHARE else (low, middle)
    return low
