"""How a layer turns queries, keys and values into its output: the softmax of attention.

Which tokens see which is the layout's business (models.attention); here are the scale, the window
and the form of the softmax, which are a family's. `Softmax` is torch's fused kernel.
`ShapedSoftmax` bounds the scores (Gemma 2) or adds a sink to each row (gpt-oss), which no fused
kernel here does: it holds one score for each pair of tokens.

Axes: B rows of a batch, H query heads, K key-value heads, S query heads of one key-value head,
Q queries, C keys, D head size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, Self

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from reasonrl.models.gradients import WideAttention

_WIDE_QUERIES = 256
"""Queries up to which float32 is faster on a CPU, four times for 11 of them (docs/LOG.md): torch's
backward pass in bfloat16 converts at each block."""


class Kernel(Protocol):
    """A form of the softmax."""

    @property
    def is_fused(self) -> bool:
        """Return whether masks may be torch's symbolic ones."""
        ...

    def over_row(
        self, query_BHQD: Tensor, key_BKCD: Tensor, value_BKCD: Tensor, mask: Tensor | None,
        scale: float,
    ) -> Tensor:  # fmt: skip
        """Return [B, H, Q, D]; without a mask query i sees the keys up to i."""
        ...

    def over_past(
        self, query_RKSD: Tensor, key_RKCD: Tensor, value_RKCD: Tensor,
        mask_R11C: Tensor | None, scale: float,
    ) -> Tensor:  # fmt: skip
        """Return [R, K, S, D]: each row has one query for each head, and a past of its own.

        Without a mask it sees all of its past.
        """
        ...

    def of_heads(self, heads: slice) -> Self:
        """Return the form that some of the query heads have."""
        ...


@dataclass(frozen=True, slots=True)
class Softmax:
    """The plain softmax, by torch's fused kernels."""

    @property
    def is_fused(self) -> bool:
        return True

    def over_row(
        self, query_BHQD: Tensor, key_BKCD: Tensor, value_BKCD: Tensor, mask: Tensor | None,
        scale: float,
    ) -> Tensor:  # fmt: skip
        has_fast_kernel = query_BHQD.dtype != torch.float32 and type(mask) is not Tensor
        if query_BHQD.is_cuda and not has_fast_kernel:
            # In float32 or with a mask torch has no fast kernel for heads that share keys; the
            # plain one would keep a score for each pair of tokens.
            repeats = query_BHQD.shape[1] // key_BKCD.shape[1]
            key_BKCD, value_BKCD = (
                heads.repeat_interleave(repeats, dim=1) for heads in (key_BKCD, value_BKCD)
            )
        attend = partial(
            scaled_dot_product_attention,
            attn_mask=mask,
            is_causal=mask is None,
            scale=scale,
            enable_gqa=True,
        )
        is_narrow = query_BHQD.dtype != torch.float32
        if is_narrow and query_BHQD.is_cpu and query_BHQD.shape[2] <= _WIDE_QUERIES:
            out: Tensor = WideAttention.apply(query_BHQD, key_BKCD, value_BKCD, attend)  # type: ignore[no-untyped-call]
            return out
        return attend(query_BHQD, key_BKCD, value_BKCD)

    def over_past(
        self, query_RKSD: Tensor, key_RKCD: Tensor, value_RKCD: Tensor,
        mask_R11C: Tensor | None, scale: float,
    ) -> Tensor:  # fmt: skip
        # The query heads that share a key-value head are the query axis: no copies of the past.
        return scaled_dot_product_attention(
            query_RKSD, key_RKCD, value_RKCD, attn_mask=mask_R11C, scale=scale
        )

    def of_heads(self, heads: slice) -> Self:  # noqa: ARG002
        return self


@dataclass(frozen=True, slots=True, eq=False)
class ShapedSoftmax:
    """A softmax over scores that are bounded by `cap`, and that a sink may take a part of.

    With a cap c a score s becomes c tanh(s / c). A sink is a score of its head without a value: it
    enters the sum of the softmax only.
    """

    cap: float | None = None
    sinks_H: Tensor | None = None

    @property
    def is_fused(self) -> bool:
        return False

    def over_row(
        self, query_BHQD: Tensor, key_BKCD: Tensor, value_BKCD: Tensor, mask: Tensor | None,
        scale: float,
    ) -> Tensor:  # fmt: skip
        n, heads, n_queries, size = query_BHQD.shape
        kv_heads, n_keys = key_BKCD.shape[1:3]
        if mask is None:
            mask = query_BHQD.new_ones(n_queries, n_keys, dtype=torch.bool).tril()
        query_BKSQD = query_BHQD.reshape(n, kv_heads, heads // kv_heads, n_queries, size)
        out = self._attend(query_BKSQD, key_BKCD, value_BKCD, mask, scale)
        return out.reshape(n, heads, n_queries, size)

    def over_past(
        self, query_RKSD: Tensor, key_RKCD: Tensor, value_RKCD: Tensor,
        mask_R11C: Tensor | None, scale: float,
    ) -> Tensor:  # fmt: skip
        query_BKSQD = query_RKSD[:, :, :, None]
        mask = None if mask_R11C is None else mask_R11C[:, :, None]
        return self._attend(query_BKSQD, key_RKCD, value_RKCD, mask, scale)[:, :, :, 0]

    def _attend(
        self, query_BKSQD: Tensor, key_BKCD: Tensor, value_BKCD: Tensor,
        mask: Tensor | None, scale: float,
    ) -> Tensor:  # fmt: skip
        scores_BKSQC = (query_BKSQD @ key_BKCD[:, :, None].transpose(-1, -2)).float() * scale
        if self.cap is not None:
            scores_BKSQC = torch.tanh(scores_BKSQC / self.cap) * self.cap
        if mask is not None:
            scores_BKSQC = scores_BKSQC.masked_fill(~mask, -torch.inf)
        if self.sinks_H is not None:
            sinks = self.sinks_H.float().view(*query_BKSQD.shape[1:3], 1, 1)
            sinks_BKSQ1 = sinks.expand(*scores_BKSQC.shape[:-1], 1)
            scores_BKSQC = torch.cat((scores_BKSQC, sinks_BKSQ1), dim=-1)
        weights_BKSQC = scores_BKSQC.softmax(-1)[..., : key_BKCD.shape[2]]
        return weights_BKSQC.to(value_BKCD.dtype) @ value_BKCD[:, :, None]

    def of_heads(self, heads: slice) -> Self:
        return self if self.sinks_H is None else replace(self, sinks_H=self.sinks_H[heads])


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """A layer's attention but for the layout: the factor of its scores, their reach, their form.

    A token sees the last `window` tokens, itself among them, or all where it is None.
    """

    scale: float
    window: int | None = None
    kernel: Kernel = Softmax()

    def of_heads(self, heads: slice) -> Scores:
        """Return what some of the query heads need."""
        return replace(self, kernel=self.kernel.of_heads(heads))


def scores_of(
    scale: float,
    *,
    window: int | None = None,
    cap: float | None = None,
    sinks_H: Tensor | None = None,
) -> Scores:
    """Return the scores of a layer, with the fused kernel where it has no cap and no sinks."""
    if cap is None and sinks_H is None:
        return Scores(scale, window)
    return Scores(scale, window, ShapedSoftmax(cap, sinks_H))
