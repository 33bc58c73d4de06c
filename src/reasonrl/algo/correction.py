"""Importance correction: the weight of a token that an older policy sampled.

The step's updates start from pi_old; the tokens came from pi_rollout, which is pi_old itself in the
synchronous loop (up to rounding) and a few updates older in the pipelined loop. With

    w_t = pi_old(a_t | s_t) / pi_rollout(a_t | s_t)

the expectation of w_t f over pi_rollout's tokens is the expectation of f over pi_old's tokens.
Unbounded w has unbounded variance, so every kind bounds it. The ratio that PPO clips, pi / pi_old,
is a different quantity and is not changed (the decoupled objective of AReaL, arXiv 2505.24298;
truncation as in IMPALA, arXiv 1802.01561). Called by `loop.learn`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reasonrl.algo.choices import Correction
from reasonrl.types import Logprobs


def importance_weights(
    kind: Correction,
    *,
    old_logprobs_N: Logprobs,
    rollout_logprobs_N: Logprobs,
    lengths: Sequence[int],
    cap: float,
) -> Logprobs | None:
    """Return the weight of each token's policy term, [N]; None means weight 1 for every token.

    TRUNCATED: min(w, cap). MASKED: w where 1 / cap <= w <= cap, else 0. MASKED_ROLLOUT: min(w, cap)
    in rollouts whose geometric mean of w lies in [1 / cap, cap], 0 in the others. `lengths` are the
    numbers of tokens of the rollouts, in order; their sum is N.
    """
    if kind is Correction.NONE:
        return None
    log_w_N = old_logprobs_N.astype(np.float64) - rollout_logprobs_N
    bound = np.log(cap)
    w_N = np.exp(np.minimum(log_w_N, bound))
    if kind is Correction.MASKED:
        w_N[np.abs(log_w_N) > bound] = 0.0
    if kind is Correction.MASKED_ROLLOUT and len(lengths):
        starts = np.cumsum([0, *lengths[:-1]])
        means = np.add.reduceat(log_w_N, starts) / np.asarray(lengths)
        w_N[np.repeat(np.abs(means) > bound, lengths)] = 0.0
    return w_N.astype(np.float32)
