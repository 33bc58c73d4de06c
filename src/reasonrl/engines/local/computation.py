"""The two ways in which a module of this process computes, behind one protocol.

`native` packs groups into rows without padding and has a cache of its own; `plain` feeds padded
rows to the model as transformers computes it. `models.admission` decides which one a model takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from reasonrl.algo.head import ChunkLoss
from reasonrl.engines.local.native import NativeComputation
from reasonrl.engines.local.plain import PlainComputation
from reasonrl.engines.local.rows import SamplingJob
from reasonrl.engines.packing import Microbatch
from reasonrl.models.admission import Backend
from reasonrl.models.hf import LanguageModel
from reasonrl.models.routing import Routing
from reasonrl.types import Completion


class Computation(Protocol):
    """How a model of this process scores, learns and samples. N: targets of a microbatch."""

    model: LanguageModel

    def values(self, micro: Microbatch, value: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Return a value of each target, [N], from its logits and itself, without gradient."""
        ...

    def backward(
        self,
        micro: Microbatch,
        temperature: float,
        chunk_loss: ChunkLoss,
        *,
        router_weight: float,
    ) -> Routing | None:
        """Add the gradient of a microbatch's loss to the parameters'.

        `router_weight` times the routers' loss is added where it is not 0. Returns what the routers
        of a model with experts did with the targets' predictors.
        """
        ...

    def sample(self, job: SamplingJob) -> list[list[Completion]]:
        """Return the completions of each prompt of a job."""
        ...


def computation_of(model: LanguageModel, dtype: torch.dtype) -> Computation:
    """Make a model ready to compute in a dtype, in place, by the backend that it was admitted to.

    Raises ModelError for a model that turns out not to be a causal language model.
    """
    match model.backend:
        case Backend.NATIVE:
            return NativeComputation(model, dtype)
        case Backend.TRANSFORMERS:
            return PlainComputation(model, dtype)
