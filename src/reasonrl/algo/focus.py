"""The tokens that the policy term uses: remedies for entropy collapse, newer than the report.

Entropy falls with the covariance of a token's log-probability and its advantage (arXiv 2505.22617),
and few tokens carry most of it. clip-cov leaves these tokens out, kl-cov holds them back; or only
tokens at which the policy is undecided are learned from (arXiv 2506.01939). All quantities are
measured once per step, under the policy before its first update. Pure; called by `loop.variants`.
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
    """Return the mask of the tokens to leave out, [N].

    At most ceil(share N) of the tokens whose covariance lies in [low, high], drawn by the seed
    alone.
    """
    inside = np.flatnonzero(_between(covariances(logprobs_N, advantages_N), low, high))
    keys = np.random.Philox(seed).random_raw(len(inside))
    chosen = inside[np.argsort(keys, kind="stable")[: ceil(share * len(logprobs_N))]]
    return _mask(chosen, len(logprobs_N))


def kl_cov(logprobs_N: Logprobs, advantages_N: Logprobs, *, share: float) -> Mask:
    """Return the mask of the tokens to hold back, [N]: the share with the largest covariance."""
    values_N = covariances(logprobs_N, advantages_N)
    order = np.argsort(-values_N, kind="stable")
    return _mask(order[: ceil(share * len(values_N))], len(values_N))


def high_entropy(entropies_N: Logprobs, *, share: float) -> Mask:
    """Return the mask of the tokens to learn from, [N]: the share with the highest entropy."""
    order = np.argsort(-entropies_N, kind="stable")
    return _mask(order[: ceil(share * len(entropies_N))], len(entropies_N))


def _centered(values_N: Logprobs) -> npt.NDArray[np.float64]:
    wide_N: npt.NDArray[np.float64] = values_N.astype(np.float64)
    return wide_N - float(wide_N.mean())


def _between(values_N: npt.NDArray[np.float64], low: float, high: float) -> Mask:
    return (values_N >= low) & (values_N <= high)


def _mask(indices: npt.NDArray[np.intp], n: int) -> Mask:
    mask = np.zeros(n, dtype=np.bool_)
    mask[indices] = True
    return mask
