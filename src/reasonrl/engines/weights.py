"""A policy's weights as they cross from learner to sampler, and the dtypes engines compute in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from reasonrl.errors import EngineError

Compute: TypeAlias = Literal["float32", "bfloat16"]
"""The dtype that the decoder's layers compute in, as recipes write it."""

COMPUTE_DTYPES: dict[Compute, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
}

WEIGHT, MOMENT = "weight.", "adam."
"""The prefixes of the names of a learner's saved tensors."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weights:
    """Tensors under every name of the Hugging Face state dict, tied aliases included.

    An engine that gets a tied model without its alias silently keeps the old head, so the alias is
    part of the contract. `version` counts updates since the run's start.
    """

    tensors: Mapping[str, Tensor]
    version: int


def check_complete(sent: Set[str], wanted: Set[str]) -> None:
    """Raise EngineError when a name of the model's state dict was not sent."""
    if missing := wanted - sent:
        raise EngineError(
            f"{len(missing)} weights were not sent, {min(missing)} among them",
            expected="every name of the model's state dict, tied aliases included",
            remedy="send the whole of the learner's weights()",
        )


def in_parts(
    tensors: Iterable[tuple[str, Tensor]], *, part_bytes: int
) -> Iterator[dict[str, Tensor]]:
    """Yield tensors in order, in parts that end once they hold `part_bytes`; the last may be less.

    A copy that works part by part holds no more than one part twice.
    """
    part: dict[str, Tensor] = {}
    used = 0
    for name, tensor in tensors:
        part[name] = tensor
        used += tensor.nbytes
        if used >= part_bytes:
            yield part
            part, used = {}, 0
    if part:
        yield part
