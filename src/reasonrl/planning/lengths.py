"""The assumption about the lengths of responses. The report gives no lengths of its runs.

Lengths are log-normal, cut off at `max_new_tokens`. The report says of its 7B model on AIME, with
`max_new_tokens` of 32K, that it wrote 12.5K tokens before and 5.4K after a stage at 8K: a share of
0.38 of 32K, and of 0.66 of 8K. `MEAN_SHARE` of 0.5 lies between the two. With `LOG_SPREAD` 1 % of
the responses are shorter than 0.07 of `max_new_tokens`, and a seventh of them is cut off.
To plan with better known lengths, change these constants or pass `mean_share`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

MEAN_SHARE = 0.5
"""The mean length of a response, cut ones included, as a share of `max_new_tokens`."""

LOG_SPREAD = 0.8
"""The standard deviation of the logarithm of uncut lengths."""

PROMPT_TOKENS = 200
"""The mean length of a prompt: a competition problem in its chat template."""

_NORMAL = NormalDist()
_FINE = 1_000  # quantiles


@lru_cache(maxsize=64)
def response_lengths(
    n: int, max_new_tokens: int, mean_share: float = MEAN_SHARE
) -> tuple[float, ...]:
    """Return the lengths at n even quantiles of the distribution, in ascending order."""
    median = _median_share(mean_share) * max_new_tokens
    return tuple(min(max_new_tokens, max(1.0, median * factor)) for factor in _factors(n))


def draw_length(uniform: float, max_new_tokens: int) -> float:
    """Return the length at one quantile, for simulations."""
    factor = math.exp(LOG_SPREAD * _NORMAL.inv_cdf(min(max(uniform, 1e-9), 1 - 1e-9)))
    return min(max_new_tokens, max(1.0, _median_share(MEAN_SHARE) * max_new_tokens * factor))


def mean_tokens(max_new_tokens: int, mean_share: float = MEAN_SHARE) -> float:
    """Return the mean length of a response."""
    return mean_share * max_new_tokens


def squared_tokens(max_new_tokens: int, mean_share: float = MEAN_SHARE) -> float:
    """Return the mean of the squared length of a response; attention costs as much."""
    lengths = response_lengths(_FINE, max_new_tokens, mean_share)
    return sum(length * length for length in lengths) / len(lengths)


def mean_context(max_new_tokens: int, mean_share: float = MEAN_SHARE) -> float:
    """Return the mean number of tokens in the cache for one rollout, over its decoding steps."""
    mean = mean_tokens(max_new_tokens, mean_share)
    return PROMPT_TOKENS + squared_tokens(max_new_tokens, mean_share) / (2 * mean)


def _factors(n: int) -> list[float]:
    return [math.exp(LOG_SPREAD * _NORMAL.inv_cdf((i + 0.5) / n)) for i in range(n)]


@lru_cache(maxsize=16)
def _median_share(mean_share: float) -> float:
    """Return the uncut median, as a share of `max_new_tokens`, that gives the cut mean.

    It is found by bisection.
    """
    factors = _factors(_FINE)
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        mean = sum(min(1.0, middle * factor) for factor in factors) / len(factors)
        low, high = (middle, high) if mean < mean_share else (low, middle)
    return low
