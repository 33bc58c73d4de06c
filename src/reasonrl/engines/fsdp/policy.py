"""A policy on many ranks: built without memory, sharded, filled, and run as one module.

The decoder's layers are sharded units of their own, gathered one at a time and computed in
`compute`; embedding, last norm and head form the outer unit in float32, as log-probabilities and
entropies are. Layers stay transformers' own: those of `models.layers` add up gradients that FSDP
would not see.
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
from torch.distributed.tensor import DTensor

from reasonrl.algo.head import ChunkLoss, backward_through_head, chunks
from reasonrl.engines.fsdp.ranks import Ranks
from reasonrl.engines.fsdp.sequence import RowPart
from reasonrl.models.hf import LanguageModel
from reasonrl.models.layers import recompute_activations


def shard(
    outline: LanguageModel,
    load: Callable[[], LanguageModel],
    ranks: Ranks,
    *,
    compute: torch.dtype,
    recompute: bool,
) -> nn.Module:
    """Turn a model without memory into this rank's share of it.

    `outline` has its parameters on the meta device; `load` reads the real ones and is called on
    rank 0 alone, which hands them out.
    """
    module: Any = outline.module
    is_tied = module.lm_head.weight is module.model.embed_tokens.weight
    assert is_tied == module.config.tie_word_embeddings  # noqa: S101  (else it would learn apart)
    layers = module.model.layers
    if recompute:
        recompute_activations(module)
    inner = MixedPrecisionPolicy(param_dtype=compute, reduce_dtype=torch.float32)
    for layer in layers:
        fully_shard(layer, mesh=ranks.mesh, mp_policy=inner)
    outer = MixedPrecisionPolicy(param_dtype=torch.float32, reduce_dtype=torch.float32)
    fully_shard(module, mesh=ranks.mesh, mp_policy=outer)
    module.to_empty(device=ranks.device)
    _restore_what_is_no_weight(module, ranks.device)
    weights = load().module.state_dict() if ranks.rank == 0 else {}
    set_model_state_dict(
        module, weights, options=StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
    )
    module.forward = partial(_run, module)
    return cast(nn.Module, module)


def _restore_what_is_no_weight(module: Any, device: str) -> None:
    """Make the position frequencies again and tie what is tied: memory without content has neither.

    Buffers that no checkpoint holds are not among the weights that are handed out.
    """
    rotary = module.model.rotary_emb
    module.model.rotary_emb = type(rotary)(config=module.config).to(device)
    if module.config.tie_word_embeddings:
        module.lm_head.weight = module.model.embed_tokens.weight


@contextmanager
def writing_weights(module: nn.Module) -> Iterator[None]:
    """Write this rank's shares in this context; at its end the outer unit's whole weights go.

    FSDP keeps these after a forward pass that no backward pass follows, and the next forward pass
    would run on them although the shares have changed.
    """
    assert isinstance(module, FSDPModule)  # noqa: S101
    try:
        yield
    finally:
        module.reshard()


def weights_of(module: nn.Module, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    """Yield every weight whole, by its name in the state dict; a collective call.

    One weight at a time exists whole, so no rank needs room for the model.
    """
    for name, value in module.state_dict().items():
        mine = value.detach().to(dtype, copy=True)  # before it crosses
        yield name, mine.full_tensor() if isinstance(mine, DTensor) else mine


def _run(module: Any, part: RowPart, targets_N: Tensor, *, work: Work) -> Tensor:
    """Run the decoder on a part of a row and do the head's work; FSDP gathers around this."""
    hidden_LD = module.model(
        input_ids=part.tokens_1L,
        position_ids=part.positions_1L,
        use_cache=False,
        layout=part.layout,
    ).last_hidden_state[0]
    hidden_ND = hidden_LD.float().index_select(0, part.predictors_N)
    return work(hidden_ND, module.lm_head.weight, targets_N)


Work = Callable[[Tensor, Tensor, Tensor], Tensor]
"""What is done with hidden states [N, D], the head's weight [V, D] and the targets [N]."""


def read(value: Callable[[Tensor, Tensor], Tensor]) -> Work:
    """Return the work that computes a value at each target, [N], from its logits."""

    def work(hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor) -> Tensor:
        parts = [
            value(hidden_ND[part] @ weight_VD.T, targets_N[part]) for part in chunks(len(targets_N))
        ]
        return torch.cat(parts) if parts else hidden_ND.new_zeros(0)

    return work


def learn(temperature: float, chunk_loss: ChunkLoss) -> Work:
    """Return a scalar whose gradient is the loss's, streamed through the head."""

    def work(hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor) -> Tensor:
        return cast(
            Tensor,
            _StreamedHead.apply(hidden_ND, weight_VD, targets_N, temperature, chunk_loss),  # type: ignore[no-untyped-call]
        )

    return work


class _StreamedHead(Function):
    """Stand for the loss: the head's backward pass runs within the forward one, chunk by chunk.

    The gradients are kept and handed over when autograd asks, so that FSDP sees the head's. A rank
    without targets hands over zeros: the others wait for it.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: Tensor,
        weight_VD: Tensor,
        targets_N: Tensor,
        temperature: float,
        chunk_loss: ChunkLoss,
    ) -> Tensor:
        weight = weight_VD.detach()
        weight.grad = None
        at_hidden = backward_through_head(
            hidden_ND.detach(), weight, targets_N, temperature, chunk_loss
        )
        assert weight.grad is not None  # noqa: S101  (zeros at least)
        ctx.save_for_backward(at_hidden, weight.grad)
        return hidden_ND.new_zeros(())

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        at_hidden, at_weight = ctx.saved_tensors
        return g * at_hidden, g * at_weight, None, None, None


def move(module: nn.Module, device: str) -> None:
    """Move a share to a device, to make room on another."""
    assert isinstance(module, FSDPModule)  # noqa: S101
    module.reshard()
    cast(nn.Module, module).to(device)
