"""From logits to token log-probabilities, and from a uniform number to a token.

Only this module and `algo.head` divide by the temperature. Everything is float32, whatever dtype
the model computes in, and `token_logprobs` runs the same operations in the same order as the head
of an update, so that unchanged weights give a ratio of exactly 1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from reasonrl.errors import NotFiniteError

# 128 divides the vocabulary sizes of the supported model families, so no tensor is padded (copied).
_BLOCK = 128


def token_logprobs(logits_NV: Tensor, tokens_N: Tensor, temperature: float) -> Tensor:
    """Return log pi(token), [N] in nats, with pi = softmax(logits / temperature)."""
    scores_NV = logits_NV.float()
    if temperature != 1.0:
        scores_NV = scores_NV / temperature
    scores_NV = scores_NV - scores_NV.amax(-1, keepdim=True)
    log_total_N1 = torch.exp(scores_NV).sum(-1, keepdim=True).log()
    return (scores_NV.gather(-1, tokens_N[:, None]) - log_total_N1).squeeze(-1)


def token_entropies(logits_NV: Tensor, temperature: float) -> Tensor:
    """Return the entropy of softmax(logits / temperature) over the vocabulary, [N] in nats."""
    logprobs_NV = torch.log_softmax(logits_NV.float() / temperature, dim=-1)
    return -(logprobs_NV.exp() * logprobs_NV).sum(-1)


def sample_tokens(
    logits_RV: Tensor,
    uniforms_R: Tensor,
    temperature: float,
    *,
    top_p: float = 1.0,
    top_k: int = 0,
    min_p: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Return one token per row and its log-probability, [R] each, by inverting the CDF.

    Overwrites the logits if they are float32 (other dtypes are widened into a copy): logits over
    the vocabulary are the largest tensor of sampling, and one copy must be enough. One uniform
    number in [0, 1) decides one token, so a rollout depends on its own numbers and not on its
    neighbours in the batch. Temperature 0 takes the most likely token, with its log-probability at
    temperature 1. `top_p`, `top_k` and `min_p` cut the support (`cut_support`); the log-probability
    is then that of the rest. Raises NotFiniteError for logits that are infinite or not numbers.
    """
    if not torch.isfinite(logits_RV.sum()):
        raise NotFiniteError("the policy's logits are not finite numbers")
    if temperature == 0:
        tokens_R = logits_RV.argmax(-1)
        return tokens_R, token_logprobs(logits_RV, tokens_R, 1.0)
    weights_RV = logits_RV.float()
    if temperature != 1.0:
        weights_RV /= temperature
    weights_RV -= weights_RV.amax(-1, keepdim=True)
    weights_RV.exp_()
    if top_p < 1 or top_k or min_p:
        cut_support(weights_RV, top_p=top_p, top_k=top_k, min_p=min_p)
    tokens_R = _invert_cdf(weights_RV, uniforms_R)
    chosen_R = weights_RV.gather(-1, tokens_R[:, None]).squeeze(-1)
    return tokens_R, torch.log(chosen_R / weights_RV.sum(-1))


def cut_support(weights_RV: Tensor, *, top_p: float, top_k: int, min_p: float) -> None:
    """Set the weights of unlikely tokens to 0, in place; each row's largest weight is 1.

    In this order, as vLLM 0.32 does: tokens with less than `min_p` of the largest weight, all but
    the `top_k` largest (0 for all), and all but the fewest that hold `top_p` of what is left.
    """
    if min_p:
        weights_RV[weights_RV < min_p] = 0
    if 0 < top_k < weights_RV.shape[1]:
        smallest_R1 = weights_RV.topk(top_k, dim=-1).values[:, -1:]
        weights_RV[weights_RV < smallest_R1] = 0
    if top_p < 1:
        sorted_RV, order_RV = weights_RV.sort(dim=-1, descending=True)
        above_RV = sorted_RV.cumsum(-1, dtype=torch.float64) - sorted_RV
        wanted_R1 = top_p * sorted_RV.sum(-1, keepdim=True, dtype=torch.float64)
        sorted_RV[above_RV >= wanted_R1] = 0
        weights_RV.scatter_(-1, order_RV, sorted_RV)


def _invert_cdf(weights_RV: Tensor, uniforms_R: Tensor) -> Tensor:
    """Return the first token of each row whose cumulative weight exceeds `uniform` of the total.

    First the block of the vocabulary is found and then the token in the block, so that only block
    totals and one block per row are summed in float64. Float32 would lose the vocabulary's tail.
    """
    odd = -weights_RV.shape[1] % _BLOCK
    blocks_RBW = (pad(weights_RV, (0, odd)) if odd else weights_RV).view(
        len(weights_RV), -1, _BLOCK
    )
    block_R1, rest_R = _first_above(blocks_RBW.sum(-1), uniforms_R)
    rows_R1 = torch.arange(len(weights_RV), device=weights_RV.device)[:, None]
    inside_RW = blocks_RBW[rows_R1, block_R1].squeeze(1)
    inside_R1, _ = _first_above(inside_RW, rest_R)
    return (block_R1 * _BLOCK + inside_R1).squeeze(-1)


def _first_above(weights_RK: Tensor, share_R: Tensor) -> tuple[Tensor, Tensor]:
    """Return the index at which the cumulative weight first exceeds `share` of the total, [R, 1].

    Also return which share of the weight at this index lies below the target, [R] in [0, 1]. The
    weight at the index is positive.
    """
    cdf_RK = weights_RK.cumsum(-1, dtype=torch.float64)
    target_R1 = share_R[:, None].clamp(max=1 - 2.0**-52) * cdf_RK[:, -1:]
    index_R1 = torch.searchsorted(cdf_RK, target_R1, right=True)
    end_R1 = cdf_RK.gather(-1, index_R1)
    before_RK = pad(cdf_RK, (1, 0))
    start_R1 = before_RK.gather(-1, index_R1)
    inside_R1 = (target_R1 - start_R1) / (end_R1 - start_R1)
    return index_R1, inside_R1.squeeze(-1)
