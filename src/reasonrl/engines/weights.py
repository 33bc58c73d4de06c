"""A handle on a policy's weights, as it crosses from learner to sampler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

WEIGHT, MOMENT = "weight.", "adam."
"""What the names of a learner's saved tensors begin with."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weights:
    """Hold tensors under every name of the Hugging Face state dict, tied aliases included.

    An engine that is sent a tied model without its alias keeps the old head and says nothing, so
    the alias is part of the contract. `version` counts updates since the run's start.
    """

    tensors: Mapping[str, Tensor]
    version: int
