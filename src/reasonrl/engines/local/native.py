"""The native backend: packed rows without padding, the head streamed, a cache of our own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from reasonrl.algo.head import ChunkLoss, backward_through_head, chunks
from reasonrl.engines.local.rows import SamplingJob
from reasonrl.engines.local.sampling import sample_groups
from reasonrl.engines.packing import Microbatch
from reasonrl.models import layers
from reasonrl.models.hf import LanguageModel, hidden_states
from reasonrl.models.routing import Routing, chosen_experts, routing_at
from reasonrl.types import Completion


class NativeComputation:
    """A model of a known family, with its layers exchanged for leaner ones."""

    def __init__(self, model: LanguageModel, dtype: torch.dtype) -> None:
        layers.exchange(model.module, dtype)
        self.model = replace(model, compute=dtype)
        self._n_chosen = chosen_experts(cast(Any, model.module).config)
        # On a GPU the copy of a large head is not worth its memory.
        self._at_head = dtype if model.device.type == "cpu" else torch.float32

    def values(self, micro: Microbatch, value: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Return a value of each target, [N], from its logits and itself."""
        (hidden_ND, _), form = self._forward(micro), self.model.head_form
        return torch.cat(
            [
                value(form.bound(hidden_ND[part] @ self.model.head.T), micro.targets_N[part])
                for part in chunks(len(micro.targets_N))
            ]
        )

    def backward(
        self,
        micro: Microbatch,
        temperature: float,
        chunk_loss: ChunkLoss,
        *,
        router_weight: float,
    ) -> Routing | None:
        """Add the gradient of a microbatch's loss to the parameters'."""
        hidden_ND, routing = self._forward(micro)
        at_hidden_ND = backward_through_head(
            hidden_ND.detach(),
            self.model.head,
            micro.targets_N,
            temperature,
            chunk_loss,
            bound=self.model.head_form.bound_in_place,
            learns_head=self.model.head.requires_grad,
            compute=self._at_head,
        )
        if routing is None or not router_weight:
            hidden_ND.backward(at_hidden_ND)  # type: ignore[no-untyped-call]
        else:
            loss = router_weight * routing.balance_loss
            torch.autograd.backward((hidden_ND, loss), (at_hidden_ND, None))
        return None if routing is None else routing.detached()

    def _forward(self, micro: Microbatch) -> tuple[Tensor, Routing | None]:
        """Return the hidden states that predict the targets, [N, D], and what routers did there."""
        positions = micro.layout.positions(micro.tokens_1L.device)
        hidden_LD, routers = hidden_states(
            self.model.module,
            micro.tokens_1L,
            positions,
            micro.layout,
            with_routers=self._n_chosen > 0,
        )
        routing = routing_at(routers, micro.predictors_N, self._n_chosen) if routers else None
        # Positions repeat; index_select's backward adds them in a fixed order, indexing does not.
        return hidden_LD.index_select(0, micro.predictors_N), routing

    def sample(self, job: SamplingJob) -> list[list[Completion]]:
        """Return the completions of each prompt of a job."""
        return sample_groups(self.model, job)
