"""The keys and values of running rollouts, on shelves of rows that are about as long.

Attention runs over a shelf at a time, as far as the shelf's longest row: the cost of a token
follows from its own row's past and not from the longest row's. A row that outgrows its shelf moves
to the next one, whose rows have room for a quarter more tokens.

Axes: R rows in all, N rows of a shelf, K key-value heads, C capacity in tokens, H query heads, D
head size.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch
from torch import Tensor

from reasonrl.models.rooms import rooms_up_to
from reasonrl.models.scores import Scores

K = TypeVar("K", bound=Hashable)

Pair = tuple[Tensor, Tensor]
"""Keys and values of one layer."""

_SPARE_BELOW = 0.5
"""The share of a shelf in use below which its memory is given back."""


def capacity_for(tokens: int) -> int:
    """Return the capacity of the shelf for rows of so many tokens."""
    return rooms_up_to(tokens)[-1]


@dataclass(slots=True, eq=False)
class _Shelf(Generic[K]):
    """Rows of one capacity; the live rows stand in front, in the order of `keys`."""

    capacity: int
    layers: list[Pair]
    keys: list[K] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    longest: int = 0
    slots: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    masks: dict[int | None, Tensor | None] = field(default_factory=dict)

    def make_room(self, layer: int, n: int) -> None:
        """Let a layer have room for n rows at least."""
        if len(self.layers[layer][0]) < n:
            self.resize(layer, n)

    def resize(self, layer: int, n: int) -> None:
        """Change a layer's room to n rows; the first rows stay."""
        keys, values = self.layers[layer]
        self.layers[layer] = (_resized(keys, n), _resized(values, n))

    def drop(self, at: Iterable[int]) -> None:
        """Remove rows; the last rows take their places."""
        for number in sorted(at, reverse=True):
            last = len(self.keys) - 1
            if number != last:
                for keys, values in self.layers:
                    keys[number], values[number] = keys[last], values[last]
                self.keys[number], self.lengths[number] = self.keys[last], self.lengths[last]
            del self.keys[last], self.lengths[last]
        if len(self.keys) < _SPARE_BELOW * len(self.layers[0][0]):
            for layer in range(len(self.layers)):
                self.resize(layer, len(self.keys))

    def begin_step(self, device: torch.device) -> list[int]:
        """Make every row a token longer; return the positions of the new tokens."""
        positions = list(self.lengths)
        self.lengths = [length + 1 for length in positions]
        self.longest = max(self.lengths)
        heads = self.layers[0][0].shape[1]
        rows = torch.arange(len(positions) * heads, device=device).view(-1, heads)
        at = torch.tensor(positions, device=device)[:, None]
        self.slots = (rows * self.capacity + at).flatten()
        self.masks = {}
        return positions

    def mask(self, window: int | None, device: torch.device) -> Tensor | None:
        """Return [N, 1, 1, C'], true for what a row's new token sees; None where that is all."""
        if window not in self.masks:
            self.masks[window] = self._new_mask(window, device)
        return self.masks[window]

    def _new_mask(self, window: int | None, device: torch.device) -> Tensor | None:
        if window is not None and window >= self.longest:
            window = None
        if window is None and min(self.lengths) == self.longest:
            return None
        past_C = torch.arange(self.longest, device=device)
        lengths_N1 = torch.tensor(self.lengths, device=device)[:, None]
        mask_NC = past_C < lengths_N1
        if window is not None:
            mask_NC &= past_C >= lengths_N1 - window
        return mask_NC[:, None, None]

    def attend(
        self, layer: int, query_HND: Tensor, key_KND: Tensor, value_KND: Tensor, scores: Scores
    ) -> Tensor:
        """Add a token's key and value to each row; return its attention output, [N, H, D]."""
        n, cached = len(self.keys), self.layers[layer]
        heads, size = key_KND.shape[0], key_KND.shape[-1]
        for cache, new_KND in zip(cached, (key_KND, value_KND), strict=True):
            new_ND = new_KND.transpose(0, 1).reshape(-1, size)
            cache.view(-1, size).index_copy_(0, self.slots, new_ND)
        keys, values = (cache[:n, :, : self.longest] for cache in cached)
        out = scores.kernel.over_past(
            query_HND.transpose(0, 1).reshape(n, heads, -1, size),
            keys,
            values,
            self.mask(scores.window, query_HND.device),
            scores.scale,
        )
        return out.reshape(n, -1, size)


class CachedRows(Generic[K]):
    """Attend from one new token of each row to the row's past. Rows have keys of the caller's.

    A row is loaded with a prompt, grows by a token at each `advance`, and can be dropped.
    """

    def __init__(self, *, n_layers: int, heads: int, head_size: int, like: Tensor) -> None:
        self._n_layers, self._heads, self._size = n_layers, heads, head_size
        self._like = like
        self._shelves: dict[int, _Shelf[K]] = {}

    @property
    def bytes(self) -> int:
        """Return the memory of all keys and values."""
        return sum(
            each.nbytes
            for shelf in self._shelves.values()
            for pair in shelf.layers
            for each in pair
        )

    def load(self, rows: Sequence[tuple[K, Sequence[Pair]]]) -> None:
        """Start rows with their prompts' keys and values, one pair of [K, L, D] a layer."""
        by_capacity: dict[int, list[tuple[K, Sequence[Pair]]]] = {}
        for key, prefix in rows:
            capacity = capacity_for(prefix[0][0].shape[1] + 1)
            by_capacity.setdefault(capacity, []).append((key, prefix))
        for capacity, new in by_capacity.items():
            shelf = self._shelf(capacity)
            first = len(shelf.keys)
            for layer in range(self._n_layers):
                shelf.make_room(layer, first + len(new))
                for number, (_, prefix) in enumerate(new, start=first):
                    for cache, part_KLD in zip(shelf.layers[layer], prefix[layer], strict=True):
                        cache[number, :, : part_KLD.shape[1]] = part_KLD
            shelf.keys += [key for key, _ in new]
            shelf.lengths += [prefix[0][0].shape[1] for _, prefix in new]

    def drop(self, keys: Container[K]) -> None:
        """Remove rows."""
        for shelf in self._shelves.values():
            shelf.drop([number for number, key in enumerate(shelf.keys) if key in keys])
        self._tidy()

    def advance(self) -> tuple[list[K], Tensor]:
        """Make room for a token in every row; return the rows in order, and positions [1, R].

        The next forward pass takes a token of each row in this order.
        """
        for shelf in list(self._shelves.values()):
            self._move_outgrown(shelf)
        self._tidy()
        device = self._like.device
        positions = [at for shelf in self._shelves.values() for at in shelf.begin_step(device)]
        keys = [key for shelf in self._shelves.values() for key in shelf.keys]
        return keys, torch.tensor([positions], device=device)

    def attend(
        self, layer: int, query_1HLD: Tensor, key_1KLD: Tensor, value_1KLD: Tensor, scores: Scores
    ) -> Tensor:
        """Return the attention output of every row's new token, [1, R, H, D]."""
        out, first = [], 0
        for shelf in self._shelves.values():
            part = slice(first, first + len(shelf.keys))
            query, key, value = (each[0, :, part] for each in (query_1HLD, key_1KLD, value_1KLD))
            out.append(shelf.attend(layer, query, key, value, scores))
            first = part.stop
        return torch.cat(out)[None] if len(out) > 1 else out[0][None]

    def _shelf(self, capacity: int) -> _Shelf[K]:
        if capacity not in self._shelves:
            none = self._like.new_zeros(0, self._heads, capacity, self._size)
            self._shelves[capacity] = _Shelf(capacity, [(none, none)] * self._n_layers)
        return self._shelves[capacity]

    def _move_outgrown(self, shelf: _Shelf[K]) -> None:
        """Move rows without room for one more token, layer by layer: one layer exists twice."""
        full = [n for n, length in enumerate(shelf.lengths) if length == shelf.capacity]
        if not full:
            return
        target = self._shelf(capacity_for(shelf.capacity + 1))
        first, leaves_none = len(target.keys), len(full) == len(shelf.keys)
        for layer in range(self._n_layers):
            target.make_room(layer, first + len(full))
            for old, new in zip(shelf.layers[layer], target.layers[layer], strict=True):
                for number, row in enumerate(full, start=first):
                    new[number, :, : shelf.capacity] = old[row]
            if leaves_none:
                shelf.resize(layer, 0)
        target.keys += [shelf.keys[row] for row in full]
        target.lengths += [shelf.lengths[row] for row in full]
        shelf.drop(full)

    def _tidy(self) -> None:
        """Remove empty shelves, and order the others by capacity."""
        self._shelves = {c: shelf for c, shelf in sorted(self._shelves.items()) if shelf.keys}


def _resized(cache_NKCD: Tensor, n: int) -> Tensor:
    """Return a cache with room for n rows, the first of which are those that it had."""
    out = cache_NKCD.new_zeros(n, *cache_NKCD.shape[1:])
    kept = min(n, len(cache_NKCD))
    out[:kept] = cache_NKCD[:kept]
    return out
