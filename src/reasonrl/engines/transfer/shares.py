"""A policy's weights as shares: what each rank of a learner holds, in buckets.

A rank holds some rows of each weight, and gives them as they are: no process gathers the model, and
all ranks give at the same time. A bucket is one array of bytes from each rank with its rows of some
weights, so that a few large arrays cross instead of many small ones, and a sampler puts one bucket
together at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Self, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")

BUCKET_BYTES = 512 << 20
# A tensor of any type can be read from an array of bytes at a multiple of this.
_ALIGNMENT = 16


def rows_of(n_rows: int, rank: int, ranks: int) -> range:
    """Return the rows that a rank holds: FSDP2 gives the last ranks fewer, or none."""
    each = -(-n_rows // ranks)
    return range(min(rank * each, n_rows), min((rank + 1) * each, n_rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One weight of a bucket, of which each rank holds rows. `dtype` is a name of torch."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @classmethod
    def of(cls, name: str, value: Tensor, dtype: torch.dtype | None = None) -> Self:
        """Return the slot of a weight that crosses in a type, its own if none is given."""
        known_as = str(dtype or value.dtype).removeprefix("torch.")
        return cls(name=name, shape=tuple(value.shape), dtype=known_as)

    def rows(self, rank: int, ranks: int) -> int:
        """Return the number of rows that a rank holds. A number is one row."""
        return len(rows_of(self.shape[0] if self.shape else 1, rank, ranks))

    def used_bytes(self, rank: int, ranks: int) -> int:
        """Return the bytes of a rank's rows."""
        return self.rows(rank, ranks) * prod(self.shape[1:]) * self.torch_dtype.itemsize

    def nbytes(self, rank: int, ranks: int) -> int:
        """Return the bytes of a rank's rows in its array, with the space up to the next weight."""
        return -(-self.used_bytes(rank, ranks) // _ALIGNMENT) * _ALIGNMENT

    @property
    def torch_dtype(self) -> torch.dtype:
        dtype: torch.dtype = getattr(torch, self.dtype)
        return dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLayout:
    """How `ranks` ranks hold a model: its weights in buckets, the same on every rank.

    `aliases` are further names of weights, such as the head of a model that ties it.
    """

    buckets: tuple[tuple[Slot, ...], ...]
    aliases: Mapping[str, str]
    ranks: int

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return the layout that `dataclasses.asdict` made plain, tuples perhaps lists by now."""
        buckets = tuple(
            tuple(Slot(**{**slot, "shape": tuple(slot["shape"])}) for slot in bucket)
            for bucket in plain["buckets"]
        )
        return cls(buckets=buckets, aliases=plain["aliases"], ranks=plain["ranks"])

    @property
    def names(self) -> tuple[str, ...]:
        """Return every name, each alias after the weight that it names."""
        slots = (slot.name for bucket in self.buckets for slot in bucket)
        return tuple(name for own in slots for name in (own, *self.names_beside(own)))

    def names_beside(self, own: str) -> list[str]:
        return [alias for alias, name in self.aliases.items() if name == own]

    def nbytes(self, number: int, rank: int) -> int:
        """Return the bytes of a rank's array of a bucket."""
        return sum(slot.nbytes(rank, self.ranks) for slot in self.buckets[number])

    def opened(self, number: int, shares: Sequence[Tensor]) -> Iterator[tuple[str, Tensor]]:
        """Yield the names and weights of a bucket, given each rank's array of bytes."""
        starts = [0] * self.ranks
        for slot in self.buckets[number]:
            pieces = []
            for rank in range(self.ranks):
                if n_rows := slot.rows(rank, self.ranks):
                    end = starts[rank] + slot.used_bytes(rank, self.ranks)
                    taken = shares[rank][starts[rank] : end].view(slot.torch_dtype)
                    pieces.append(taken.view((n_rows, *slot.shape[1:]) if slot.shape else ()))
                starts[rank] += slot.nbytes(rank, self.ranks)
            whole = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
            yield slot.name, whole
            for alias in self.names_beside(slot.name):
                yield alias, whole


def layout_of(
    slots: Iterable[Slot],
    aliases: Mapping[str, str],
    *,
    ranks: int,
    bucket_bytes: int = BUCKET_BYTES,
) -> ShareLayout:
    """Cut weights into buckets of about `bucket_bytes`, in order."""
    buckets = in_parts(slots, lambda slot: slot.used_bytes(0, 1), part_bytes=bucket_bytes)
    return ShareLayout(buckets=tuple(map(tuple, buckets)), aliases=aliases, ranks=ranks)


def in_parts(items: Iterable[T], size: Callable[[T], int], *, part_bytes: int) -> Iterator[list[T]]:
    """Yield items in order, in parts that end once they hold `part_bytes`; the last may be less.

    `size` returns an item's bytes. A copy that works part by part holds no more than one twice.
    """
    part: list[T] = []
    used = 0
    for item in items:
        part.append(item)
        used += size(item)
        if used >= part_bytes:
            yield part
            part, used = [], 0
    if part:
        yield part


def share(layout: ShareLayout, number: int, rank: int, mine: Mapping[str, Tensor]) -> Tensor:
    """Return a rank's array of a bucket, given its rows of each weight by name; [B] of uint8."""
    device = next((piece.device for piece in mine.values()), torch.device("cpu"))
    array = torch.empty(layout.nbytes(number, rank), dtype=torch.uint8, device=device)
    first = 0
    for slot in layout.buckets[number]:
        if slot.rows(rank, layout.ranks):
            piece = mine[slot.name].detach().contiguous().view(-1).view(torch.uint8)
            array[first : first + len(piece)] = piece
            # Fewer rows would leave numbers of nobody in the array.
            assert mine[slot.name].shape[1:] == slot.shape[1:]
            assert len(piece) == slot.used_bytes(rank, layout.ranks)
        first += slot.nbytes(rank, layout.ranks)
    return array
