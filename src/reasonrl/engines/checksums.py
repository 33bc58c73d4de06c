"""Checksums of weights, with which a sync proves that the samplers hold what the learner sent.

A checksum does not depend on the order of a tensor's numbers, and checksums add up: the sum over
the parts of a tensor is the checksum of the whole, and zeros count nothing. So an engine that
stores several tensors as one, cut over GPUs and padded with zeros, can still answer for them. What
a checksum cannot see is an exchange of numbers inside one tensor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

Checksums: TypeAlias = Mapping[tuple[str, ...], int]
"""The checksum of each group of tensors that an engine stores as one, by the tensors' names."""

_MODULUS = 1 << 64
# Two odd constants that spread the bits of a number over 64 bits (the golden ratio; splitmix64).
_SPREAD, _SPREAD_AGAIN = -7046029254386353131, -4658895280553007687
# A block stays in the caches of a processor, and is large enough for a GPU.
_CPU_BLOCK, _GPU_BLOCK = 1 << 16, 1 << 24

_BITS = {torch.float32: torch.int32, torch.bfloat16: torch.int16}


def checksum(tensor: Tensor, dtype: torch.dtype) -> int:
    """Return the checksum of a tensor's numbers, rounded to `dtype` (float32 or bfloat16).

    135M numbers take a third of a second on one thread of a processor.
    """
    total = torch.zeros((), dtype=torch.int64, device=tensor.device)
    block = _GPU_BLOCK if tensor.is_cuda else _CPU_BLOCK
    flat = tensor.detach().reshape(-1)
    for first in range(0, len(flat), block):
        # Adding zero turns -0 into 0: some engines lose the sign of a zero.
        bits = (flat[first : first + block].to(dtype) + 0.0).view(_BITS[dtype]).to(torch.int64)
        bits.mul_(_SPREAD)
        bits.bitwise_xor_(bits >> 32)
        total += bits.mul_(_SPREAD_AGAIN).sum()
    return int(total) % _MODULUS


def added(checksums: Iterable[int]) -> int:
    """Return the checksum of all parts together."""
    return sum(checksums) % _MODULUS


def differing(sent: Mapping[str, int], held: Checksums) -> list[str]:
    """Return the names of the sent tensors that an engine does not hold, in order.

    A name that the engine gave no checksum for counts as not held.
    """
    right: set[str] = set()
    for names, value in held.items():
        if all(name in sent for name in names) and added(sent[name] for name in names) == value:
            right.update(names)
    return [name for name in sent if name not in right]
