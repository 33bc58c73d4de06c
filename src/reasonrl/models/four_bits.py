"""Frozen matrices in 4 bits (NF4, Dettmers et al. 2023), through bitsandbytes.

A matrix becomes 16 levels, spread as normal numbers are, and a float32 scale for each block of 64:
0.56 bytes a number. Packing a matrix that was packed and unpacked before gives the same bits, so
every engine and every file may hold whichever form it likes.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from reasonrl.errors import ConfigError, ModelError
from reasonrl.models.gradients import FrozenProduct

_BLOCK, _TYPE = 64, "nf4"


def pack(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return a matrix's codes, two in a byte, and the scale of each block.

    Raises ModelError for a matrix that cannot be cut into blocks.
    """
    if weight.numel() % _BLOCK:
        raise ModelError(
            f"a matrix of {tuple(weight.shape)} cannot be cut into blocks of {_BLOCK}",
            where='model.lora.frozen = "4bit"',
            remedy="remove model.lora.frozen",
        )
    # A row for each block: the kernel for processors starts a new block with each row.
    blocks = weight.float().reshape(-1, _BLOCK)
    codes, state = _functional().quantize_4bit(blocks, blocksize=_BLOCK, quant_type=_TYPE)
    return codes, state.absmax


def unpack(codes: Tensor, scales: Tensor, shape: torch.Size, dtype: torch.dtype) -> Tensor:
    """Return the matrix that codes and scales stand for."""
    functional = _functional()
    state = functional.QuantState(
        absmax=scales,
        shape=(shape.numel() // _BLOCK, _BLOCK),
        dtype=dtype,
        blocksize=_BLOCK,
        code=_levels(str(codes.device)),
        quant_type=_TYPE,
    )
    weight: Tensor = functional.dequantize_4bit(codes, state)
    return weight.view(shape)


def rounded(weight: Tensor) -> Tensor:
    """Return a matrix as it is after it was packed."""
    return unpack(*pack(weight), weight.shape, weight.dtype)


class PackedLinear(nn.Module):
    """A frozen linear layer, whose matrix is unpacked whenever it is used."""

    def __init__(self, weight: Tensor, bias: nn.Parameter | None) -> None:
        super().__init__()
        self.shape, self.bias = weight.shape, bias
        self.codes: Tensor
        self.scales: Tensor
        codes, scales = pack(weight)
        self.register_buffer("codes", codes)
        self.register_buffer("scales", scales)

    def unpacked(self, dtype: torch.dtype) -> Tensor:
        """Return the matrix."""
        return unpack(self.codes, self.scales, self.shape, dtype)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = FrozenProduct.apply(x, self.unpacked)  # type: ignore[no-untyped-call]
        return out if self.bias is None else out + self.bias.to(x.dtype)


@lru_cache(maxsize=8)
def _levels(device: str) -> Tensor:
    levels: Tensor = _functional().get_4bit_type(_TYPE, device=device, blocksize=_BLOCK)
    return levels


def functional_for(key: str) -> Any:
    """Return bitsandbytes' functions; ConfigError for a recipe's key when it is not installed."""
    # On a CPU it says at its first import that a kernel for another use cannot be fetched.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        from bitsandbytes import functional
    except ImportError as error:
        raise ConfigError(
            f"bitsandbytes cannot be imported: {error}",
            where=key,
            remedy="pip install 'reasonrl[8bit]'",
        ) from error
    return functional


def _functional() -> Any:
    return functional_for('model.lora.frozen = "4bit"')
