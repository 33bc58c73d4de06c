"""Which type a device multiplies matrices faster in: a look of about a second.

Processors with units for bfloat16 (AMX, AVX512-BF16) and GPUs since 2020 are faster in it, and read
half the bytes; other processors imitate it at a third of float32's speed (docs/LOG.md). A name on a
list of processors would miss what torch makes of them, so the products themselves are timed.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor

_WIDTH, _N_MATRICES = 2048, 8
"""The matrices together hold 134 MB in float32: more than a cache, as a model's weights do."""

_ROWS = (64, 256)
"""Tokens of a product: few, as in sampling, and many, as in an update."""

_REPEATS = 3

_PAYS_BELOW = 0.8
"""Share of float32's time below which rounding to 8 bits is worth its gain."""


@torch.no_grad()
def bfloat16_share(device: str) -> float:
    """Return the time of products in bfloat16 as a share of float32's; infinite without them."""
    if not device.startswith("cpu"):
        has_units = torch.cuda.is_bf16_supported(including_emulation=False)
        return 0.0 if has_units else float("inf")
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(_WIDTH, _WIDTH, generator=generator)
    weights = [matrix.clone() for _ in range(_N_MATRICES)]
    rows = [torch.randn(n, _WIDTH, generator=generator) for n in _ROWS]
    wide = _seconds(rows, weights)
    narrow = _seconds([row.bfloat16() for row in rows], [weight.bfloat16() for weight in weights])
    return narrow / wide


def pays(share: float) -> bool:
    """Return whether bfloat16 is worth its rounding at this share of float32's time."""
    return share < _PAYS_BELOW


def _seconds(rows: list[Tensor], weights: list[Tensor]) -> float:
    """Return the shortest of a few passes: on a busy machine the others measure the neighbours."""
    passes = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        for row in rows:
            for weight in weights:
                row @ weight
        passes.append(time.perf_counter() - start)
    return min(passes)
