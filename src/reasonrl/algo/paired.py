"""Is one model better than another on the same problems? A paired difference with its interval.

Called by `evaluate`. What is compared is one score a problem; `stats` makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from reasonrl.algo.stats import is_level, mean_over_problems

_FLIPS = 9_999
_CHUNK = 500  # of them multiplied at a time: 1,319 problems need no 100 MB
_LEVEL = 0.0464  # 5 %, less 1.645 standard errors of a share of 5 % in 9,999 draws
_BISECTIONS = 20  # to 2e-6

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Hold a mean difference of scores, after minus before, in [-1, 1], and its 95 % interval.

    `is_shown` says that the interval leaves out zero: the difference is larger than noise.
    """

    value: float
    ci95: tuple[float, float]
    is_shown: bool
    n_problems: int


def paired_gain(before_P: Sequence[float], after_P: Sequence[float]) -> Gain:
    """Return the mean gain over problems, with the interval that a sign-flip test does not reject.

    If two models are equally good, each problem's difference is as likely to have the other sign.
    A gain g is in the interval when the differences less g, with their signs drawn anew 9,999
    times, are as large as they are in 5 % of the draws. That holds its level with few problems and
    with few that differ, where a t test alarms too often (benchmarks/intervals.py).
    With fewer than six problems nothing can be shown: the interval is all of [-1, 1]. Where all
    problems differ by the same, it is as wide as that of a share of 0 in n.

    Raises ValueError without problems, or if the two are not as many.
    """
    differences_P = np.asarray(after_P, dtype=np.float64) - np.asarray(before_P, dtype=np.float64)
    n = len(differences_P)
    if n == 0:
        raise ValueError("no problems: a mean over none is not defined")
    mean = float(differences_P.mean())
    is_kept = _not_rejected(differences_P)
    low, high = _edge(is_kept, mean, -1.0), _edge(is_kept, mean, 1.0)
    if is_kept(0.0):  # ties at zero: an edge found by bisection may lie a hair beyond it
        low, high = min(low, 0.0), max(high, 0.0)
    if is_level(differences_P.tolist()):
        width = mean_over_problems([0.0] * n).ci95[1]
        low, high = min(low, max(-1.0, mean - width)), max(high, min(1.0, mean + width))
    return Gain(value=mean, ci95=(low, high), is_shown=low > 0 or high < 0, n_problems=n)


def _not_rejected(differences_P: Floats) -> Callable[[float], bool]:
    """Return a test of whether a gain is compatible with the differences."""
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
    """Return draws of n signs, [F, P], 1 for plus: the same for every comparison of n problems."""
    raw = np.random.Generator(np.random.Philox(n)).bytes((_FLIPS * n + 7) // 8)
    bits = np.unpackbits(np.frombuffer(raw, dtype=np.uint8))
    return bits[: _FLIPS * n].reshape(_FLIPS, n)


def _edge(is_kept: Callable[[float], bool], inside: float, outside: float) -> float:
    """Return where between a kept gain and the end of the scale the kept ones end."""
    if is_kept(outside):
        return outside
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        if is_kept(middle):
            inside = middle
        else:
            outside = middle
    return inside
