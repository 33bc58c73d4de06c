"""Attention over two layouts, which replaces the attention of Hugging Face models.

A forward pass runs over one row of tokens without padding and passes a `Layout` to the attention
of every layer. `PackedGroups` is a row of whole groups that holds each prompt once, with its
completions as branches (learning, scoring, prefill). `cache.CachedRows` is one token for each
running rollout, with the earlier tokens in a key-value cache (sampling). The engines build the
layouts.

Axes: L tokens of the packed row, H query heads, K key-value heads, D head size.
"""

from __future__ import annotations

from collections.abc import Sequence
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

_QUERIES = 1_024
"""Tokens that attend at a time where a mask, or a plain softmax, grows with their number."""

_SHORT = 64
"""Tokens of a completion up to which completions attend together, padded to the longest."""

_KEPT_MASK = 1 << 21
"""Pairs of tokens up to which a mask is kept for the other layers: 2 MB."""

_PADDED_PAST = 2
"""Tokens of the past for each query up to which attending causally costs less than a mask."""


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
    _places: dict[tuple[int, ...], tuple[Tensor, Tensor]] = field(default_factory=dict)

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
        lengths = [n for group in self.groups for n in _calls(group)]
        pieces = zip(
            *(torch.split(each, lengths, dim=2) for each in (query_1HLD, key_1KLD, value_1KLD)),
            strict=True,
        )
        out = []
        for group in self.groups:
            query, past_key, past_value = next(pieces)
            out += self._over(query, past_key, past_value, scores)
            past = past_key, past_value
            if _are_short(group.completions):
                out.append(self._side_by_side(group.completions, past, next(pieces), scores))
                continue
            for _ in group.completions:
                query, *own = next(pieces)
                key, value = (torch.cat(pair, dim=2) for pair in zip(past, own, strict=True))
                out += self._over(query, key, value, scores)
        return torch.cat(out, dim=2).transpose(1, 2)

    def _side_by_side(
        self,
        completions: tuple[int, ...],
        past: tuple[Tensor, Tensor],
        own: tuple[Tensor, Tensor, Tensor],
        scores: Scores,
    ) -> Tensor:
        """Return the output of a prompt's short completions, [1, H, N, D], N tokens of all.

        They attend in one call, as rows that are padded to the longest: their own last token is
        repeated, which no token before it sees.
        """
        n, longest = len(completions), max(completions)
        if completions not in self._places:
            self._places[completions] = _padding(completions, own[0].device)
        padded, packed = self._places[completions]
        query, key, value = (
            each[0].index_select(1, padded).view(-1, n, longest, each.shape[-1]).transpose(0, 1)
            for each in own
        )
        key, value = (
            torch.cat((before.expand(n, -1, -1, -1), after), dim=2)
            for before, after in zip(past, (key, value), strict=True)
        )
        [out_NHQD] = self._over(query, key, value, scores)
        return out_NHQD.transpose(0, 1).flatten(1, 2).index_select(1, packed)[None]

    def _over(
        self, query_BHQD: Tensor, key_BKCD: Tensor, value_BKCD: Tensor, scores: Scores
    ) -> list[Tensor]:
        """Return the output of the last Q of C tokens, [B, H, Q, D], in parts along Q.

        A mask of all queries would take 1 GB at 32K tokens, and its numbers, which the backward
        pass keeps, four times as much. After a past that is not much longer the queries attend
        causally, behind queries of zeros for the past; else in parts, each with a mask of its own.
        """
        n, n_keys = query_BHQD.shape[2], key_BKCD.shape[2]
        past = n_keys - n
        window = scores.window if scores.window is not None and scores.window < n_keys else None
        kernel = scores.kernel
        if not past and window is None and kernel.is_fused:
            return [kernel.over_row(query_BHQD, key_BKCD, value_BKCD, None, scores.scale)]
        if window is None and kernel.is_fused and _is_lean(query_BHQD):
            lean = causal_lower_right(n, n_keys)
            return [kernel.over_row(query_BHQD, key_BKCD, value_BKCD, lean, scores.scale)]
        is_large = n * n_keys > _KEPT_MASK
        if window is None and kernel.is_fused and is_large and past <= _PADDED_PAST * n:
            padded = pad(query_BHQD, (0, 0, past, 0))
            out = kernel.over_row(padded, key_BKCD, value_BKCD, None, scores.scale)
            return [out[:, :, past:]]
        parts = []
        for start in range(0, n, _QUERIES):
            stop = min(n, start + _QUERIES)
            first = 0 if window is None else max(0, past + start - window + 1)
            seen = slice(first, past + stop)
            mask = self._mask(past + start - first, stop - start, window, query_BHQD.device)
            parts.append(
                kernel.over_row(
                    query_BHQD[:, :, start:stop], key_BKCD[:, :, seen], value_BKCD[:, :, seen],
                    mask, scores.scale,
                )
            )  # fmt: skip
        return parts

    def _mask(self, past: int, n: int, window: int | None, device: torch.device) -> Tensor | None:
        """Return [n, past + n], true where a token may attend; None where `is_causal` says it all.

        Small masks are kept: every layer asks for them.
        """
        if window is None and not past:
            return None
        mask = self._masks.get((past, n, window))
        if mask is None:
            mask = torch.ones(n, past + n, dtype=torch.bool, device=device).tril(past)
            if window is not None:
                mask = mask.triu(past - window + 1)
            if mask.numel() <= _KEPT_MASK:
                self._masks[past, n, window] = mask
        return mask


def _are_short(completions: tuple[int, ...]) -> bool:
    """Return whether a call for all costs less than a call for each, padding included."""
    longest = max(completions, default=0)
    return (
        len(completions) > 1
        and longest <= _SHORT
        and (len(completions) * longest <= 2 * sum(completions))
    )


def _calls(group: Branches) -> tuple[int, ...]:
    """Return the lengths of the parts of a group that attend in a call of their own."""
    if _are_short(group.completions):
        return group.prompt, sum(group.completions)
    return group.prompt, *group.completions


def _padding(completions: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the packed token at each place of the padded rows, and the place of each token."""
    longest, first = max(completions), 0
    padded, packed = [], []
    for row, n in enumerate(completions):
        padded += [first + min(at, n - 1) for at in range(longest)]
        packed += [row * longest + at for at in range(n)]
        first += n
    return torch.tensor(padded, device=device), torch.tensor(packed, device=device)


def _is_lean(query: Tensor) -> bool:
    """Return whether flash attention runs on the queries' device, which takes a symbolic mask."""
    return query.is_cuda and query.dtype != torch.float32
