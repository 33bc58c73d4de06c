"""Is one model better than another on the same problems? A paired difference with its interval.

Compares two models by one score per problem, from `stats`. Called by `evaluation`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from reasonrl.algo.stats import is_level, mean_over_problems

_FLIPS = 9_999

# The number of draws that are multiplied at a time. All at once would need 100 MB for the 1,319
# problems of GSM8K.
_CHUNK = 500

# 5 %, less 1.645 standard errors of a share of 5 % in 9,999 draws.
_LEVEL = 0.0464

# The edges of the interval are exact to 2e-6.
_BISECTIONS = 20

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """A mean difference of scores, after minus before, in [-1, 1], and its 95 % interval.

    `is_shown` means that zero lies outside the interval: the difference is larger than noise.
    """

    value: float
    ci95: tuple[float, float]
    is_shown: bool
    n_problems: int


def paired_gain(before_P: Sequence[float], after_P: Sequence[float]) -> Gain:
    """Return the mean gain over problems, with the interval that a sign-flip test does not reject.

    If two models are equally good, the difference on each problem is equally likely to have either
    sign. A gain g is in the interval if random signs, drawn 9,999 times, make the sum of the
    differences less g at least as large in more than 5 % of the draws, compared by absolute value.
    This keeps its error level with few problems and with few that differ, where a t test raises
    too many false alarms (benchmarks/intervals.py).
    With fewer than six problems nothing can be shown: the interval is
    all of [-1, 1]. If all problems differ by the same amount, the interval is as wide as the
    interval of a share of 0 in n.

    Raises ValueError without problems, or if the two sequences differ in length.
    """
    differences_P = np.asarray(after_P, dtype=np.float64) - np.asarray(before_P, dtype=np.float64)
    n = len(differences_P)
    if n == 0:
        raise ValueError("no problems: the mean of no scores is not defined; pass at least one")
    mean = float(differences_P.mean())
    is_kept = _not_rejected(differences_P)
    low, high = _edge(is_kept, mean, -1.0), _edge(is_kept, mean, 1.0)
    # At a tie the true edge is 0 and bisection may end slightly beside it.
    if is_kept(0.0):
        low, high = min(low, 0.0), max(high, 0.0)
    if is_level(differences_P.tolist()):
        width = mean_over_problems([0.0] * n).ci95[1]
        low, high = min(low, max(-1.0, mean - width)), max(high, min(1.0, mean + width))
    return Gain(value=mean, ci95=(low, high), is_shown=low > 0 or high < 0, n_problems=n)


def _not_rejected(differences_P: Floats) -> Callable[[float], bool]:
    """Return a predicate: whether the differences are compatible with a gain."""
    n = len(differences_P)
    total = differences_P.sum()
    flips_FP = _flips(n)
    parts = [flips_FP[start : start + _CHUNK] @ differences_P for start in range(0, _FLIPS, _CHUNK)]
    flipped_F = 2 * np.concatenate(parts) - total
    signs_F = 2.0 * flips_FP.sum(axis=1, dtype=np.int64) - n

    def is_kept(gain: float) -> bool:
        as_large = np.abs(flipped_F - gain * signs_F) >= abs(total - gain * n) - 1e-9
        return bool((1 + as_large.sum()) / (1 + _FLIPS) > _LEVEL)

    return is_kept


@lru_cache(maxsize=2)
def _flips(n: int) -> npt.NDArray[np.uint8]:
    """Return draws of n signs, [F, P], 1 for plus; every comparison of n problems gets the same."""
    raw = np.random.Generator(np.random.Philox(n)).bytes((_FLIPS * n + 7) // 8)
    bits = np.unpackbits(np.frombuffer(raw, dtype=np.uint8))
    return bits[: _FLIPS * n].reshape(_FLIPS, n)


def _edge(is_kept: Callable[[float], bool], inside: float, outside: float) -> float:
    """Return the outermost kept gain between `inside`, which is kept, and the end of the scale."""
    if is_kept(outside):
        return outside
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        if is_kept(middle):
            inside = middle
        else:
            outside = middle
    return inside
