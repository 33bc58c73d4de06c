"""Attention over two layouts, which replaces the attention of Hugging Face models.

A forward pass runs over one row of tokens without padding and passes a `Layout` to the attention
of every layer. `PackedGroups` is a row of whole groups that holds each prompt once, with its
completions as branches (learning, scoring, prefill). `CachedRows` is one token for each running
rollout, with the earlier tokens in a key-value cache (sampling). The engines build the layouts.

Axes: L tokens of the packed row, R cached rows, H query heads, K key-value heads, D head size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import pad
from transformers import AttentionInterface

from reasonrl.errors import ModelError
from reasonrl.models.scores import Scores, scores_of

ATTENTION_NAME = "reasonrl"


class Layout(Protocol):
    """A rule for which tokens attend to which."""

    def attend(
        self, layer: int, query_1HLD: Tensor, key_1KLD: Tensor, value_1KLD: Tensor, scores: Scores
    ) -> Tensor:
        """Return the attention output, [1, L, H, D]."""
        ...


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: Tensor | None,
    *,
    scaling: float,
    layout: Layout | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **_unused: object,  # arguments of other attention back ends, such as `dropout`
) -> tuple[Tensor, None]:
    layer = module.layer_idx
    assert isinstance(layer, int)  # narrows nn.Module's attribute type
    if layout is None:
        raise ModelError(
            f"{type(module).__name__} was not given a layout",
            where="models/families.py",
            expected="a family whose forward pass hands its keyword arguments to the attention",
            remedy="take the family out of the table: it trains on the plain backend",
        )
    scores = scores_of(scaling, window=sliding_window, cap=softcap, sinks_H=s_aux)
    return layout.attend(layer, query, key, value, scores), None


def register() -> None:
    """Register `attn_implementation="reasonrl"` with transformers; repeated calls do no harm."""
    AttentionInterface.register(ATTENTION_NAME, _attention)


@dataclass(frozen=True, slots=True)
class Branches:
    """The lengths of one group in the packed row: the prompt's, then each completion's."""

    prompt: int
    completions: tuple[int, ...] = ()

    @property
    def length(self) -> int:
        return self.prompt + sum(self.completions)


@dataclass(slots=True)
class PackedGroups:
    """Attend within groups: a prompt to itself, a completion to its prompt and itself, causally.

    If `recorded` is a list, each layer appends its keys and values to it (prefill of the cache).
    """

    groups: Sequence[Branches]
    recorded: list[tuple[Tensor, Tensor]] | None = None
    _masks: dict[tuple[int, int, int | None], Tensor] = field(default_factory=dict)

    def positions(self, device: torch.device) -> Tensor:
        """Return position ids [1, L]: every completion continues where its prompt ends."""
        spans = [
            span
            for group in self.groups
            for span in (
                torch.arange(group.prompt, device=device),
                *(
                    torch.arange(group.prompt, group.prompt + n, device=device)
                    for n in group.completions
                ),
            )
        ]
        return torch.cat(spans)[None]

    def attend(
        self, layer: int, query_1HLD: Tensor, key_1KLD: Tensor, value_1KLD: Tensor, scores: Scores
    ) -> Tensor:
        if self.recorded is not None:
            assert len(self.recorded) == layer  # layers run in order
            self.recorded.append((key_1KLD, value_1KLD))
        lengths = [n for group in self.groups for n in (group.prompt, *group.completions)]
        queries = torch.split(query_1HLD, lengths, dim=2)
        keys = torch.split(key_1KLD, lengths, dim=2)
        values = torch.split(value_1KLD, lengths, dim=2)
        out, at = [], 0
        for group in self.groups:
            prompt = at
            mask = self._mask(0, group.prompt, scores, query_1HLD)
            out.append(
                scores.kernel.over_row(
                    queries[prompt], keys[prompt], values[prompt], mask, scores.scale
                )
            )
            for branch in range(prompt + 1, prompt + 1 + len(group.completions)):
                mask = self._mask(group.prompt, lengths[branch], scores, query_1HLD)
                key = torch.cat((keys[prompt], keys[branch]), dim=2)
                value = torch.cat((values[prompt], values[branch]), dim=2)
                out.append(scores.kernel.over_row(queries[branch], key, value, mask, scores.scale))
            at = prompt + 1 + len(group.completions)
        return torch.cat(out, dim=2).transpose(1, 2)

    def _mask(self, past: int, n: int, scores: Scores, like: Tensor) -> Tensor | None:
        """Return [n, past + n], true where a token may attend; None where `is_causal` says it all.

        On a GPU in bfloat16 the mask is symbolic, which flash attention understands: as a tensor it
        would take 1 GB at 32K tokens. A window that is shorter than the row needs the tensor.
        """
        window = scores.window if scores.window is not None and scores.window < past + n else None
        if window is None and not past:
            return None
        is_lean = like.is_cuda and like.dtype != torch.float32 and scores.kernel.is_fused
        if window is None and is_lean:
            return causal_lower_right(n, past + n)
        mask = self._masks.get((past, n, window))
        if mask is None:
            mask = torch.ones(n, past + n, dtype=torch.bool, device=like.device).tril(past)
            if window is not None:
                mask = mask.triu(past - window + 1)
            self._masks[past, n, window] = mask
        return mask


class CachedRows:
    """Attend from one new token per row to the row's past, in a cache sized for the longest row.

    Rows are independent: each has its own length, can be loaded with a prompt, and can be dropped.
    The cache holds `n_layers` pairs of [R, K, C, D], C the capacity in tokens.
    """

    def __init__(
        self, *, rows: int, capacity: int, n_layers: int, heads: int, head_size: int, like: Tensor
    ) -> None:
        shape = (rows, heads, capacity, head_size)
        self.layers = [(like.new_zeros(shape), like.new_zeros(shape)) for _ in range(n_layers)]
        self.lengths_R = torch.zeros(rows, dtype=torch.long, device=like.device)
        self._slots_N = torch.zeros(0, dtype=torch.long, device=like.device)
        self._masks: dict[int | None, Tensor] = {}
        self._longest = 0

    def load(self, row: int, prefix: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Start a row with a prompt's keys and values, one [K, L, D] pair per layer."""
        length = prefix[0][0].shape[1]
        for (keys, values), (key, value) in zip(self.layers, prefix, strict=True):
            keys[row, :, :length] = key
            values[row, :, :length] = value
        self.lengths_R[row] = length

    def clear(self, row: int) -> None:
        """Drop a row's past. The row continues as padding until it is loaded or dropped."""
        self.lengths_R[row] = 0

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these; they are renumbered in the order given."""
        index = torch.tensor(rows, dtype=torch.long, device=self.lengths_R.device)
        self._replace(lambda cache: cache[index])
        self.lengths_R = self.lengths_R[index]

    def advance(self) -> Tensor:
        """Make room for one token in every row and return their positions, [1, R]."""
        positions_R = self.lengths_R.clone()
        self.lengths_R += 1
        self._longest = int(self.lengths_R.max())
        self._grow(self._longest)
        self._masks = {}
        self._slots_N = self._new_slots(positions_R)
        return positions_R[None]

    def _mask(self, window: int | None) -> Tensor:
        """Return [R, 1, 1, C], true for the part of each row's past that the new token sees."""
        mask = self._masks.get(window)
        if mask is None:
            past_C = torch.arange(self._longest, device=self.lengths_R.device)
            mask = past_C[None] < self.lengths_R[:, None]
            if window is not None:
                mask &= past_C[None] >= self.lengths_R[:, None] - window
            self._masks[window] = mask = mask[:, None, None]
        return mask

    def _new_slots(self, positions_R: Tensor) -> Tensor:
        """Return the indices of the new keys and values in a layer's cache as [R * K * C, D]."""
        n_rows, n_heads, capacity, _ = self.layers[0][0].shape
        heads_RK = torch.arange(n_rows * n_heads, device=positions_R.device).view(n_rows, n_heads)
        return (heads_RK * capacity + positions_R[:, None]).flatten()

    def _grow(self, needed: int) -> None:
        """Double the capacity when a row does not fit."""
        capacity = self.layers[0][0].shape[2]
        if needed <= capacity:
            return
        extra = max(capacity, needed - capacity)
        self._replace(lambda cache: pad(cache, (0, 0, 0, extra)))

    def _replace(self, change: Callable[[Tensor], Tensor]) -> None:
        """Change the cache layer by layer, so that only one layer exists twice at a time."""
        for number, (keys, values) in enumerate(self.layers):
            self.layers[number] = (change(keys), change(values))

    def attend(
        self, layer: int, query_1HLD: Tensor, key_1KLD: Tensor, value_1KLD: Tensor, scores: Scores
    ) -> Tensor:
        keys, values = self.layers[layer]
        n_rows, n_heads, _, size = keys.shape
        for cache, new_1KLD in ((keys, key_1KLD), (values, value_1KLD)):
            new_ND = new_1KLD[0].transpose(0, 1).reshape(-1, size)
            cache.view(-1, size).index_copy_(0, self._slots_N, new_ND)
        query_RKSD = query_1HLD[0].transpose(0, 1).reshape(n_rows, n_heads, -1, keys.shape[-1])
        out = scores.kernel.over_past(
            query_RKSD,
            keys[:, :, : self._longest],
            values[:, :, : self._longest],
            self._mask(scores.window),
            scores.scale,
        )
        return out.reshape(1, n_rows, -1, keys.shape[-1])
