"""One ratio per rollout, and one weight per rollout: GSPO and Dr. GRPO as arrays over tokens.

The streamed head sees a few tokens at a time. Every number here that needs a whole rollout is known
before the backward pass, so the head computes both variants exactly. Pure; called by
`loop.variants`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reasonrl.types import Logprobs


def rollout_ratios(
    logprobs_N: Logprobs, old_logprobs_N: Logprobs, lengths: Sequence[int]
) -> Logprobs:
    """Return log s_i at each token of rollout i, [N]: the mean of its log-ratios.

    s_i = (pi(y_i | x) / pi_old(y_i | x))^(1 / |y_i|); GSPO, arXiv 2507.18071, eq. 7.
    """
    differences_N = logprobs_N.astype(np.float64) - old_logprobs_N
    starts = np.cumsum([0, *lengths[:-1]])
    means = np.add.reduceat(differences_N, starts) / np.asarray(lengths)
    return np.repeat(means, lengths).astype(np.float32)


def gspo_old_logprobs(
    logprobs_N: Logprobs, old_logprobs_N: Logprobs, lengths: Sequence[int]
) -> Logprobs:
    """Return old log-probabilities with which PPO's ratio is s_i, [N].

    With old' = constant(log pi) - log s_i, exp(log pi - old') is s_i at the current weights, and
    the sum of its gradient over a rollout's tokens is |y_i| times the gradient of s_i
    (GSPO-token, eq. 14).
    """
    return logprobs_N - rollout_ratios(logprobs_N, old_logprobs_N, lengths)


def equal_rollouts(lengths: Sequence[int]) -> Logprobs:
    """Return N / (n |y_i|) at each token of rollout i, [N].

    With these weights a mean over N tokens becomes the mean over n rollouts of each rollout's mean.
    """
    share = sum(lengths) / (len(lengths) * np.asarray(lengths, dtype=np.float64))
    return np.repeat(share, lengths).astype(np.float32)


def per_max_new_tokens(lengths: Sequence[int], max_new_tokens: int) -> float:
    """Return N / (n max_new_tokens), the weight of every token.

    With this weight a mean over N tokens becomes a sum over tokens divided by n max_new_tokens, a
    length that no policy can change (Dr. GRPO, arXiv 2503.20783).
    """
    return sum(lengths) / (len(lengths) * max_new_tokens)
