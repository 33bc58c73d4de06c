"""Which tokens the policy term looks at: remedies for entropy collapse that came after the report.

Entropy falls by the covariance of a token's log-probability and its advantage (arXiv 2505.22617):
few tokens carry most of it. Those are left out (clip-cov) or held back (kl-cov); or only tokens at
which the policy is undecided are learned from (arXiv 2506.01939). All are measured once a step,
under the policy before its first update. Pure; called by `variants`.
"""

from __future__ import annotations

from math import ceil

import numpy as np
import numpy.typing as npt

from reasonrl.types import Logprobs

Mask = npt.NDArray[np.bool_]


def covariances(logprobs_N: Logprobs, advantages_N: Logprobs) -> npt.NDArray[np.float64]:
    """Return (log pi - its mean) (A - its mean) of each token, [N]; arXiv 2505.22617, eq. 10."""
    return _centered(logprobs_N) * _centered(advantages_N)


def clip_cov(
    logprobs_N: Logprobs,
    advantages_N: Logprobs,
    *,
    share: float,
    low: float,
    high: float,
    seed: int,
) -> Mask:
    """Return which tokens to leave out, [N]: a share of all, drawn from those between the bounds.

    At most ceil(share N) of the tokens whose covariance lies in [low, high], by the seed alone.
    """
    inside = np.flatnonzero(_between(covariances(logprobs_N, advantages_N), low, high))
    keys = np.random.Philox(seed).random_raw(len(inside))
    chosen = inside[np.argsort(keys, kind="stable")[: ceil(share * len(logprobs_N))]]
    return _mask(chosen, len(logprobs_N))


def kl_cov(logprobs_N: Logprobs, advantages_N: Logprobs, *, share: float) -> Mask:
    """Return which tokens to hold back, [N]: the share of them with the largest covariance."""
    found = covariances(logprobs_N, advantages_N)
    return _mask(np.argsort(-found, kind="stable")[: ceil(share * len(found))], len(found))


def high_entropy(entropies_N: Logprobs, *, share: float) -> Mask:
    """Return which tokens to learn from, [N]: the share of them with the highest entropy."""
    order = np.argsort(-entropies_N, kind="stable")
    return _mask(order[: ceil(share * len(entropies_N))], len(entropies_N))


def _centered(values_N: Logprobs) -> npt.NDArray[np.float64]:
    wide_N: npt.NDArray[np.float64] = values_N.astype(np.float64)
    return wide_N - float(wide_N.mean())


def _between(values_N: npt.NDArray[np.float64], low: float, high: float) -> Mask:
    return (values_N >= low) & (values_N <= high)


def _mask(places: npt.NDArray[np.intp], n: int) -> Mask:
    mask = np.zeros(n, dtype=np.bool_)
    mask[places] = True
    return mask
