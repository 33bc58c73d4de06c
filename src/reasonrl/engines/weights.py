"""A policy's weights as they cross from learner to sampler, and the dtypes engines compute in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from reasonrl.engines.checksums import checksum
from reasonrl.errors import EngineError
from reasonrl.models.lora import policy_places, policy_tensors

Compute: TypeAlias = Literal["float32", "bfloat16"]
"""The dtype that the decoder's layers compute in, as recipes write it."""

COMPUTE_DTYPES: dict[Compute, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
}

WEIGHT, MOMENT, CODED_MOMENT = "weight.", "adam.", "adam8."
"""The prefixes of the names of a learner's saved tensors; coded moments have 8 bits a number."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weights:
    """Tensors under every name of the Hugging Face state dict, tied aliases included.

    An engine that gets a tied model without its alias silently keeps the old head, so the alias is
    part of the contract. `version` counts updates since the run's start. Samplers compute in
    `dtype`. `known` are checksums that were computed where the tensors were read.
    """

    tensors: Mapping[str, Tensor]
    version: int
    dtype: torch.dtype = torch.float32
    known: Mapping[str, int] | None = None

    def checksums(self) -> Mapping[str, int]:
        """Return the checksum of each tensor as a sampler must hold it, by name."""
        if self.known is not None:
            return self.known
        return {name: checksum(tensor, self.dtype) for name, tensor in self.tensors.items()}


class LiveTensors(Mapping[str, Tensor]):
    """A module's weights as they are at each access, also after the module has moved.

    `items()` merges the adapters of one layer at a time. `exact` completes a weight, given its
    name, where the module has only a part of it.
    """

    def __init__(
        self, module: nn.Module, exact: Callable[[str, Tensor], Tensor] = lambda _, tensor: tensor
    ) -> None:
        self._module, self._exact = module, exact

    def are_of(self, module: nn.Module) -> bool:
        """Return whether these are the weights of a module itself."""
        return self._module is module

    def __getitem__(self, name: str) -> Tensor:
        return self._exact(name, dict(policy_tensors(self._module))[name])

    def __iter__(self) -> Iterator[str]:
        return iter(policy_places(self._module))

    def __len__(self) -> int:
        return len(policy_places(self._module))

    def __contains__(self, name: object) -> bool:
        # Otherwise each question would merge all adapters.
        return name in policy_places(self._module)

    def items(self) -> Any:
        """Return an iterator over names and tensors, unlike dict.items."""
        return ((name, self._exact(name, value)) for name, value in policy_tensors(self._module))


def check_complete(sent: Set[str], wanted: Set[str]) -> None:
    """Raise EngineError when a name of the model's state dict was not sent."""
    if missing := wanted - set(sent):
        raise EngineError(
            f"{len(missing)} weights were not sent, {min(missing)} among them",
            expected="every name of the model's state dict, tied aliases included",
            remedy="send the whole of the learner's weights()",
        )
