"""Weights in Ray's object store: written once, and read from memory by every replica of a node.

Weights are stored in buckets, so that only one bucket exists twice at a time; a policy of 32B in
bfloat16 takes 130 of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
import torch
from torch import Tensor

from reasonrl.engines.checksums import checksum
from reasonrl.engines.weights import in_parts

_BUCKET_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class _Bucket:
    """The names of some weights, and a reference to their arrays in the store."""

    names: tuple[str, ...]
    ref: Any


class StoredTensors(Mapping[str, Tensor]):
    """Weights in the object store, by name, and their checksums in their own dtype.

    `items()` reads one bucket at a time. The tensors lie in the store itself: copy from them, never
    write to them.
    """

    def __init__(self, buckets: tuple[_Bucket, ...], checksums: Mapping[str, int]) -> None:
        self._buckets = buckets
        self.checksums = checksums

    def __iter__(self) -> Iterator[str]:
        return (name for bucket in self._buckets for name in bucket.names)

    def __len__(self) -> int:
        return sum(len(bucket.names) for bucket in self._buckets)

    def __getitem__(self, name: str) -> Tensor:
        for bucket in self._buckets:
            if name in bucket.names:
                return _tensor(*ray.get(bucket.ref)[bucket.names.index(name)])
        raise KeyError(name)

    def items(self) -> Any:
        """Yield names and tensors; read each bucket once. An iterator, unlike dict.items."""
        for bucket in self._buckets:
            for name, (array, is_bfloat16) in zip(bucket.names, ray.get(bucket.ref), strict=True):
                yield name, _tensor(array, is_bfloat16)


def store(tensors: Iterable[tuple[str, Tensor]]) -> StoredTensors:
    """Put weights into the object store. They stay there as long as the result exists."""
    checksums: dict[str, int] = {}

    def here() -> Iterator[tuple[str, Tensor]]:
        for name, tensor in tensors:
            # The device that holds the tensor computes the checksum.
            checksums[name] = checksum(tensor, tensor.dtype)
            yield name, tensor.detach().cpu().contiguous()

    buckets = tuple(map(_put, in_parts(here(), part_bytes=_BUCKET_BYTES)))
    return StoredTensors(buckets, checksums)


def _put(tensors: Mapping[str, Tensor]) -> _Bucket:
    return _Bucket(tuple(tensors), ray.put([_array(tensor) for tensor in tensors.values()]))


def _array(tensor: Tensor) -> tuple[np.ndarray, bool]:
    """Return a tensor as an array, and whether its bits are bfloat16, which NumPy does not know.

    Ray passes arrays between processes of a node without a copy.
    """
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.uint16).numpy(), True
    return tensor.numpy(), False


def _tensor(array: np.ndarray, is_bfloat16: bool) -> Tensor:
    # Arrays of the store are read-only, and torch warns about it.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        tensor = torch.from_numpy(array)
    return tensor.view(torch.bfloat16) if is_bfloat16 else tensor
