"""The LM head of an update, streamed: log-probabilities, entropy and their gradients in chunks.

The full-vocabulary logits of all trained tokens would be the largest tensor of a run (1.6 GB for
8,192 tokens at V = 49,152). Here only one chunk of them exists at a time, in a buffer that every
chunk uses again, and is turned into its gradient before the next chunk: memory does not grow with
the number of tokens.

With s = logits / temperature, p = softmax(s), H = -sum p log p, and the loss's derivatives g_l and
g_H by the token's log-probability and entropy, the gradient at s is, in closed form,

    dL/ds_v = g_l (1[v = token] - p_v) - g_H p_v (log p_v + H).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

CHUNK_TOKENS = 256
"""50 MB of logits at V = 49,152 in float32; enough for the matrix products to run at speed."""

_BLOCK_TOKENS = 64
"""Number of tokens whose probabilities exist beside their logits: 13 MB at V = 49,152."""

_BLOCK_ROWS = 8_192
"""Rows of the head whose gradient exists in the type of the layers: 9 MB at D = 576."""

ChunkLoss = Callable[[slice, Tensor, Tensor], Tensor]
"""Returns the scalar loss of a block of tokens, given as a slice, from their log-probabilities and
entropies (leaves of the graph)."""


def chunks(n_tokens: int) -> Iterator[slice]:
    """Return the chunks of `n_tokens` tokens; the logits of one chunk exist at the same time."""
    return _spans(0, n_tokens, CHUNK_TOKENS)


def _spans(start: int, stop: int, size: int) -> Iterator[slice]:
    for first in range(start, stop, size):
        yield slice(first, min(first + size, stop))


def backward_through_head(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    tokens_N: Tensor,
    temperature: float,
    chunk_loss: ChunkLoss,
    *,
    bound: Callable[[Tensor], Tensor | None] | None = None,
    learns_head: bool = True,
    compute: torch.dtype | None = None,
) -> Tensor:
    """Return the gradient at `hidden_ND`; add the head's to `weight_VD.grad` if the head learns.

    `bound` bounds logits in place and returns the derivative, or None where that is 1. Exact for
    any loss that is a sum over tokens. Logits and loss are float32. The two gradients are products
    in `compute`, the type of the layers (None: that of `weight_VD`), and as there a weight's
    gradient is added up in float32: in bfloat16 the head's is off by 0.3 % of its norm.
    """
    compute = compute or weight_VD.dtype
    with torch.no_grad():
        narrow_VD = weight_VD.to(compute)
        gradient_ND = torch.empty_like(hidden_ND)
        if learns_head and weight_VD.grad is None:
            weight_VD.grad = torch.zeros_like(weight_VD)
        vocabulary = weight_VD.shape[0]
        buffer = hidden_ND.new_empty(min(CHUNK_TOKENS, len(tokens_N)), vocabulary)
        probs = hidden_ND.new_empty(_BLOCK_TOKENS, vocabulary)
        for part in chunks(len(tokens_N)):
            logits_NV = buffer[: part.stop - part.start]
            torch.mm(hidden_ND[part], weight_VD.T, out=logits_NV)
            for block in _spans(part.start, part.stop, _BLOCK_TOKENS):
                rows = logits_NV[block.start - part.start : block.stop - part.start]
                slope_NV = bound(rows) if bound else None
                _to_gradient(
                    rows, probs[: len(rows)], tokens_N[block], temperature, block, chunk_loss
                )
                if slope_NV is not None:
                    rows *= slope_NV
            by_logits_NV = logits_NV.to(compute)
            gradient_ND[part] = by_logits_NV @ narrow_VD
            if learns_head and weight_VD.grad is not None:
                _add_product(weight_VD.grad, by_logits_NV.T, hidden_ND[part].to(compute))
    return gradient_ND


def _add_product(sum_VD: Tensor, left_VN: Tensor, right_ND: Tensor) -> None:
    """Add a product to a sum; block by block if their types differ, as blocks stay in caches."""
    if left_VN.dtype == sum_VD.dtype:
        sum_VD.addmm_(left_VN, right_ND)
        return
    for rows in _spans(0, len(sum_VD), _BLOCK_ROWS):
        sum_VD[rows] += left_VN[rows] @ right_ND


def _to_gradient(
    scores_NV: Tensor,
    probs_NV: Tensor,
    tokens_N: Tensor,
    temperature: float,
    block: slice,
    chunk_loss: ChunkLoss,
) -> None:
    """Turn a block's logits into the loss's gradient at them, in place."""
    tokens_N1 = tokens_N[:, None]
    if temperature != 1.0:
        scores_NV /= temperature
    scores_NV -= scores_NV.amax(-1, keepdim=True)
    torch.exp(scores_NV, out=probs_NV)
    total_N1 = probs_NV.sum(-1, keepdim=True)
    log_total_N1 = total_N1.log()
    mean_score_N1 = torch.linalg.vecdot(probs_NV, scores_NV)[:, None] / total_N1
    logprobs_N = (scores_NV.gather(-1, tokens_N1) - log_total_N1).squeeze(-1).requires_grad_()
    entropy_N = (log_total_N1 - mean_score_N1).squeeze(-1).requires_grad_()
    with torch.enable_grad():
        loss = chunk_loss(block, logprobs_N, entropy_N)
        by_logprob_N, by_entropy_N = torch.autograd.grad(
            loss, (logprobs_N, entropy_N), allow_unused=True, materialize_grads=True
        )
    by_logprob_N1, by_entropy_N1 = by_logprob_N[:, None], by_entropy_N[:, None]
    # The gradient is p (-g_l - g_H (s - log total + H)), and log total - H is the mean score.
    scale_N1 = -1.0 / (total_N1 * temperature)
    if torch.any(by_entropy_N):
        scores_NV -= mean_score_N1
        scores_NV *= by_entropy_N1
        scores_NV += by_logprob_N1
        scores_NV *= probs_NV
        scores_NV *= scale_N1
    else:
        torch.mul(probs_NV, by_logprob_N1 * scale_N1, out=scores_NV)
    scores_NV.scatter_add_(-1, tokens_N1, by_logprob_N1 / temperature)
