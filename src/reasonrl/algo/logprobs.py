"""From logits to token log-probabilities, and from a uniform number to a token.

The one place besides `algo.head` where the temperature divides. All of it is float32, whatever the
model computes in, and `token_logprobs` runs the same operations in the same order as the head of
an update, so that unchanged weights give a ratio of exactly 1.
"""

from __future__ import annotations

import torch
from torch import Tensor


def token_logprobs(logits_NV: Tensor, tokens_N: Tensor, temperature: float) -> Tensor:
    """Return log pi(token), [N] in nats, with pi = softmax(logits / T)."""
    scores_NV = logits_NV.float()
    if temperature != 1.0:
        scores_NV = scores_NV / temperature
    scores_NV = scores_NV - scores_NV.amax(-1, keepdim=True)
    log_total_N1 = torch.exp(scores_NV).sum(-1, keepdim=True).log()
    return (scores_NV.gather(-1, tokens_N[:, None]) - log_total_N1).squeeze(-1)


def sample_tokens(
    logits_RV: Tensor, uniforms_R: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Return one token a row and its log-probability, [R] each, by inverting the CDF.

    One uniform number in [0, 1) decides one token, so a rollout depends on its own numbers and
    not on its neighbours in the batch. Temperature 0 takes the most likely token; its
    log-probability is then that of temperature 1.
    """
    if temperature == 0:
        tokens_R = logits_RV.argmax(-1)
        return tokens_R, token_logprobs(logits_RV, tokens_R, 1.0)
    probs_RV = torch.softmax(logits_RV.float() / temperature, dim=-1)
    # float64: in float32 the tail of the vocabulary vanishes and a number near 1 rounds to 1
    cdf_RV = probs_RV.cumsum(-1, dtype=torch.float64)
    thresholds_R = uniforms_R * cdf_RV[:, -1]  # rounding leaves the last entry a little off 1
    tokens_R = torch.searchsorted(cdf_RV, thresholds_R[:, None], right=True).squeeze(-1)
    tokens_R = tokens_R.clamp_(max=logits_RV.shape[-1] - 1)
    return tokens_R, token_logprobs(logits_RV, tokens_R, temperature)
