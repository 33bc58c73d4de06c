"""A policy on many ranks: built on the meta device, sharded, filled, and run as one module.

Each decoder layer is a sharded unit of its own, gathered one at a time and computed in `compute`;
embedding, last norm and head form the outer unit in float32, as log-probabilities and entropies
are. The layers stay transformers' own, because those of `models.layers` accumulate gradients where
FSDP does not see them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

from reasonrl.algo.head import ChunkLoss, backward_through_head, chunks
from reasonrl.engines.fsdp.ranks import Ranks
from reasonrl.engines.fsdp.sequence import RowPart
from reasonrl.models.heads import HeadForm
from reasonrl.models.hf import LanguageModel, hidden_states
from reasonrl.models.layers import recompute_activations
from reasonrl.models.lora import has_adapters, store_frozen
from reasonrl.models.routing import Routing, chosen_experts, routing_at


def shard(
    outline: LanguageModel,
    load: Callable[[], LanguageModel],
    ranks: Ranks,
    *,
    compute: torch.dtype,
    recompute: bool,
) -> nn.Module:
    """Turn a model on the meta device into this rank's share of it.

    `load` reads the real weights. Only rank 0 calls it, and sends the other ranks their shares.
    """
    module: Any = outline.module
    is_tied = module.lm_head.weight is module.model.embed_tokens.weight
    # An untied head of a tied model would learn apart from the embedding.
    assert is_tied == module.config.tie_word_embeddings
    layers = module.model.layers
    if has_adapters(module):
        store_frozen(module, compute)
    if recompute:
        recompute_activations(module)
    inner = MixedPrecisionPolicy(param_dtype=compute, reduce_dtype=torch.float32)
    for layer in layers:
        fully_shard(layer, mesh=ranks.mesh, mp_policy=inner)
    outer = MixedPrecisionPolicy(param_dtype=torch.float32, reduce_dtype=torch.float32)
    fully_shard(module, mesh=ranks.mesh, mp_policy=outer)
    module.to_empty(device=ranks.device)
    _restore_buffers_and_ties(module)
    types = {name: value.dtype for name, value in module.state_dict().items()}
    weights = {}
    if ranks.rank == 0:
        loaded = load().module.state_dict()
        weights = {name: value.to(types[name]) for name, value in loaded.items()}
    set_model_state_dict(
        module, weights, options=StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
    )
    module.forward = partial(_run, module)
    return cast(nn.Module, module)


def _restore_buffers_and_ties(module: Any) -> None:
    """Compute buffers again that no checkpoint holds, and tie the head: `to_empty` loses both.

    Such buffers are frequencies of positions and the scale of Gemma's embeddings. transformers
    computes them where it draws a submodule's first weights, which no rank needs here.
    """
    with torch.no_grad():
        for part in module.modules():
            if part._non_persistent_buffers_set:
                for parameter in part.parameters(recurse=False):
                    parameter._is_hf_initialized = True  # transformers then leaves it as it is
                module._init_weights(part)
    if module.config.tie_word_embeddings:
        module.lm_head.weight = module.model.embed_tokens.weight


@contextmanager
def writing_weights(module: nn.Module) -> Iterator[None]:
    """Write this rank's shares in this context; at its end the gathered weights are dropped.

    FSDP keeps the outer unit gathered after a forward pass that no backward pass follows. The next
    forward pass would run on these weights although the shares have changed.
    """
    try:
        yield
    finally:
        drop_gathered(module)


def drop_gathered(module: nn.Module) -> None:
    """Free the gathered weights of the outer unit; this rank's shares stay."""
    assert isinstance(module, FSDPModule)
    module.reshard()


def _run(module: Any, part: RowPart, targets_N: Tensor, *, work: Work) -> Tensor:
    """Run the decoder on a part of a row, then the head's work; FSDP gathers around this call."""
    n_chosen = chosen_experts(module.config)
    hidden_LD, routers = hidden_states(
        module, part.tokens_1L, part.positions_1L, part.layout, with_routers=n_chosen > 0
    )
    routing = routing_at(routers, part.predictors_N, n_chosen) if routers else None
    hidden_ND = hidden_LD.index_select(0, part.predictors_N)
    return work(hidden_ND, module.lm_head.weight, targets_N, routing)


Work = Callable[[Tensor, Tensor, Tensor, Routing | None], Tensor]
"""A function of hidden states [N, D], the head's weight [V, D], the targets [N], and what the
routers of a model with experts did."""


def read(value: Callable[[Tensor, Tensor], Tensor], form: HeadForm) -> Work:
    """Return the work that computes a value for each target, [N], from its logits."""

    def work(
        hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, _routing: Routing | None
    ) -> Tensor:
        parts = [
            value(form.bound(hidden_ND[part] @ weight_VD.T), targets_N[part])
            for part in chunks(len(targets_N))
        ]
        return torch.cat(parts) if parts else hidden_ND.new_zeros(0)

    return work


def learn(
    temperature: float,
    chunk_loss: ChunkLoss,
    form: HeadForm,
    *,
    router_weight: float,
    on_routing: Callable[[Routing], None],
) -> Work:
    """Return the work that computes a scalar with the loss's gradient, in chunks of the head.

    The routers' loss counts `router_weight` for each of the rank's tokens.
    """

    def work(
        hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, routing: Routing | None
    ) -> Tensor:
        loss = cast(
            Tensor,
            _StreamedHead.apply(  # type: ignore[no-untyped-call]
                hidden_ND, weight_VD, targets_N, temperature, chunk_loss, form
            ),
        )
        if routing is None:
            return loss
        on_routing(routing.detached())
        return loss + router_weight * routing.n_tokens * routing.balance_loss

    return work


class _StreamedHead(Function):
    """A scalar in place of the loss: the head's backward pass runs in the forward one, in chunks.

    The gradients are kept and returned when autograd asks for them, so that FSDP sees the head's.
    A rank without targets returns zeros, because the other ranks wait for its gradient.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: Tensor,
        weight_VD: Tensor,
        targets_N: Tensor,
        temperature: float,
        chunk_loss: ChunkLoss,
        form: HeadForm,
    ) -> Tensor:
        weight = weight_VD.detach()
        weight.grad = None
        at_hidden = backward_through_head(
            hidden_ND.detach(),
            weight,
            targets_N,
            temperature,
            chunk_loss,
            bound=form.bound_in_place,
            learns_head=weight_VD.requires_grad,
        )
        # Zeros without targets, None for a frozen head.
        ctx.save_for_backward(at_hidden, weight.grad)
        return hidden_ND.new_zeros(())

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        at_hidden, at_weight = ctx.saved_tensors
        return g * at_hidden, None if at_weight is None else g * at_weight, None, None, None, None


def move(module: nn.Module, device: str) -> None:
    """Move a rank's share to a device, to free memory on another."""
    drop_gathered(module)
    module.to(device)
