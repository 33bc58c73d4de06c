"""Sequence parallelism: ranks share the tokens of a row, and within attention its heads.

Outside attention every token is computed alone, so a rank holds L / S of a row's L tokens. For
attention the ranks exchange: each gets all tokens of H / S heads, attends as on one rank, and
returns its part (DeepSpeed-Ulysses, arXiv 2309.14509). To the model it is a layout like any other.

Axes as in models.attention; S ranks share a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function
from torch.distributed import ProcessGroup

from reasonrl.engines.packing import Microbatch
from reasonrl.errors import EngineError
from reasonrl.models.attention import Layout
from reasonrl.models.scores import Scores


@dataclass(frozen=True, slots=True, eq=False)
class RowPart:
    """The part of a microbatch that one rank works on.

    `predictors_N` are positions in this part; `chosen_N` are the indices of the microbatch's
    targets that they predict.
    """

    tokens_1L: Tensor
    positions_1L: Tensor
    predictors_N: Tensor
    chosen_N: Tensor
    layout: Layout


def part_of(micro: Microbatch, *, part: int, parts: int, group: ProcessGroup | None) -> RowPart:
    """Cut a rank's part out of a microbatch whose length is a multiple of `parts`."""
    length = micro.tokens_1L.shape[1] // parts
    here = slice(part * length, (part + 1) * length)
    is_here_N = (micro.predictors_N >= here.start) & (micro.predictors_N < here.stop)
    layout: Layout = micro.layout
    if parts > 1:
        assert group is not None  # made by `join`
        layout = ShardedRow(micro.layout, group, parts)
    return RowPart(
        tokens_1L=micro.tokens_1L[:, here],
        positions_1L=micro.layout.positions(micro.tokens_1L.device)[:, here],
        predictors_N=micro.predictors_N[is_here_N] - here.start,
        chosen_N=is_here_N.nonzero()[:, 0],
        layout=layout,
    )


@dataclass(frozen=True, slots=True, eq=False)
class ShardedRow:
    """Attend over a row whose tokens lie on several ranks, as `inner` does over a whole row."""

    inner: Layout
    group: ProcessGroup
    parts: int

    def attend(
        self, layer: int, query_1HLD: Tensor, key_1KLD: Tensor, value_1KLD: Tensor, scores: Scores
    ) -> Tensor:
        key_1KLD, value_1KLD = (
            _divisible(x_1KLD, query_1HLD.shape[1], self.parts) for x_1KLD in (key_1KLD, value_1KLD)
        )
        query, key, value = map(self._to_heads, (query_1HLD, key_1KLD, value_1KLD))
        n_heads, part = query.shape[1], dist.get_rank(self.group)
        mine = scores.of_heads(slice(part * n_heads, (part + 1) * n_heads))
        return self._to_tokens(self.inner.attend(layer, query, key, value, mine))

    def _to_heads(self, x_1HLD: Tensor) -> Tensor:
        """Send [1, H, L/S, D] and receive [1, H/S, L, D]."""
        _, heads, length, size = x_1HLD.shape
        parts_S = x_1HLD.view(self.parts, heads // self.parts, length, size)
        swapped = _swap(parts_S, self.group)  # [S, H/S, L/S, D], S along the row
        return swapped.transpose(0, 1).reshape(1, heads // self.parts, -1, size)

    def _to_tokens(self, x_1LHD: Tensor) -> Tensor:
        """Send [1, L, H/S, D] and receive [1, L/S, H, D]."""
        _, length, heads, size = x_1LHD.shape
        parts_S = x_1LHD.reshape(self.parts, length // self.parts, heads, size)
        swapped = _swap(parts_S, self.group)  # [S, L/S, H/S, D], S along the heads
        return swapped.transpose(0, 1).reshape(1, length // self.parts, -1, size)


def _divisible(x_1KLD: Tensor, query_heads: int, parts: int) -> Tensor:
    """Repeat key-value heads until they can be divided; each query keeps its key and value."""
    heads = x_1KLD.shape[1]
    repeats = parts // gcd(heads, parts)
    if query_heads % (heads * repeats) or query_heads % parts:
        raise EngineError(
            f"{query_heads} query and {heads} key-value heads cannot be divided by {parts}",
            where="engine.learner.sequence_parallel",
            expected="a divisor of the query heads",
            remedy=f"set engine.learner.sequence_parallel to a divisor of {query_heads}",
        )
    return x_1KLD if repeats == 1 else x_1KLD.repeat_interleave(repeats, dim=1)


def _swap(x_S: Tensor, group: ProcessGroup) -> Tensor:
    return cast(Tensor, _AllToAll.apply(x_S, group))  # type: ignore[no-untyped-call]


class _AllToAll(Function):
    """Send the i-th part to rank i of the group; the gradient takes the same way back."""

    @staticmethod
    def forward(ctx: Any, x_S: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group = group
        return _all_to_all(x_S, group)

    @staticmethod
    def backward(ctx: Any, g_S: Tensor) -> tuple[Tensor, None]:
        return _all_to_all(g_S, ctx.group), None


def _all_to_all(x_S: Tensor, group: ProcessGroup) -> Tensor:
    x_S = x_S.contiguous()
    out = torch.empty_like(x_S)
    dist.all_to_all_single(out, x_S, group=group)
    return out
