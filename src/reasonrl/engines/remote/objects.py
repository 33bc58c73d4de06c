"""Weights in Ray's object store: each process puts its share there, and every replica reads all.

A share lies in the store of the node that holds it, so all ranks write at the same time, and nodes
fetch from all of them. Weights are stored in buckets, so that a replica puts only one bucket
together at a time; a policy of 32B in bfloat16 takes 130 of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import ray
import torch
from torch import Tensor

from reasonrl.engines.checksums import added, checksum
from reasonrl.engines.transfer import BUCKET_BYTES, ShareLayout, Slot, in_parts, share

Checked = tuple[Any, Mapping[str, int]]
"""A reference to a rank's array of a bucket, and the checksums of its rows by name."""


class StoredShares(Mapping[str, Tensor]):
    """Weights in the object store by name, aliases included, and the checksums of whole weights.

    `items()` reads one bucket at a time. Tensors may lie in the store itself: copy from them, never
    write to them. `cut` says which state of the learner they are, if they are one.
    """

    def __init__(
        self, layout: ShareLayout, by_rank: Sequence[Sequence[Checked]], *, cut: int | None = None
    ) -> None:
        self.layout, self.cut = layout, cut
        self._buckets = [[ref for ref, _ in stored] for stored in zip(*by_rank, strict=True)]
        parts: dict[str, list[int]] = {}
        for stored in by_rank:
            for _, checksums in stored:
                for name, value in checksums.items():
                    parts.setdefault(name, []).append(value)
        own = {name: added(values) for name, values in parts.items()}
        self.checksums = {name: own[layout.aliases.get(name, name)] for name in layout.names}

    def __iter__(self) -> Iterator[str]:
        return iter(self.layout.names)

    def __len__(self) -> int:
        return len(self.layout.names)

    def __getitem__(self, name: str) -> Tensor:
        own = self.layout.aliases.get(name, name)
        for number, bucket in enumerate(self.layout.buckets):
            if any(slot.name == own for slot in bucket):
                return dict(self._opened(number))[own]
        raise KeyError(name)

    def items(self) -> Any:
        """Yield names and tensors; read each bucket once. An iterator, unlike dict.items."""
        for number in range(len(self.layout.buckets)):
            yield from self._opened(number)

    def _opened(self, number: int) -> Iterator[tuple[str, Tensor]]:
        shares = [_tensor(array) for array in ray.get(self._buckets[number])]
        return self.layout.opened(number, shares)


def put_share(layout: ShareLayout, number: int, rank: int, mine: Mapping[str, Tensor]) -> Checked:
    """Put a rank's array of a bucket into the store. It stays as long as its reference exists."""
    # The device that holds the rows computes their checksums.
    checksums = {name: checksum(piece, piece.dtype) for name, piece in mine.items()}
    return ray.put(share(layout, number, rank, mine).cpu().numpy()), checksums


def store(tensors: Iterable[tuple[str, Tensor]]) -> StoredShares:
    """Put weights that this process holds whole into the object store, one bucket after the other.

    An alias is stored as a weight of its own.
    """
    buckets, stored = [], []
    for part in in_parts(tensors, lambda item: item[1].nbytes, part_bytes=BUCKET_BYTES):
        bucket = tuple(Slot.of(name, value) for name, value in part)
        buckets.append(bucket)
        alone = ShareLayout(buckets=(bucket,), aliases={}, ranks=1)
        stored.append(put_share(alone, 0, 0, dict(part)))
    return StoredShares(ShareLayout(buckets=tuple(buckets), aliases={}, ranks=1), [stored])


def _tensor(array: np.ndarray) -> Tensor:
    # Arrays of the store are read-only, and torch warns about it.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)
