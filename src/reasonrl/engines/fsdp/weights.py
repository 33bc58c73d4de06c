"""The policy's weights as they leave the ranks: whole and one by one, or each rank's own rows."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, Shard

from reasonrl.engines.transfer import ShareLayout, Slot, layout_of
from reasonrl.models.lora import has_adapters, policy_places, policy_tensors


def weights_of(module: nn.Module, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    """Yield every weight unsharded, by its name in the state dict; a collective call.

    Only one weight at a time is unsharded, so no rank needs room for the model.
    """
    # Without adapters to merge the cast comes first, so that fewer bytes cross between ranks.
    sent = torch.float32 if has_adapters(module) else dtype

    def whole(value: Tensor) -> Tensor:
        mine = value.detach().to(sent, copy=True)
        return mine.full_tensor() if isinstance(mine, DTensor) else mine

    for name, value in policy_tensors(module, whole):
        yield name, value.to(dtype)


def layout_of_module(module: nn.Module, dtype: torch.dtype, *, ranks: int) -> ShareLayout:
    """Return how the ranks hold the weights that samplers get; every rank returns the same.

    Adapters are merged into whole weights, so each such weight lies on one rank, in turn.
    """
    state = module.state_dict()
    is_merged = has_adapters(module)
    firsts: dict[int, str] = {}
    aliases = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        first = firsts.setdefault(id(parameter), name)
        if first != name:
            aliases[name] = first
    own = {name: place for name, place in policy_places(module).items() if name not in aliases}
    slots = [
        Slot.of(
            name,
            state[place].shape,
            dtype,
            owner=number % ranks if is_merged or not isinstance(state[place], DTensor) else None,
        )
        for number, (name, place) in enumerate(own.items())
    ]
    return layout_of(slots, aliases, ranks=ranks)


def pieces_of(
    module: nn.Module, layout: ShareLayout, dtype: torch.dtype, *, rank: int
) -> Iterator[dict[str, Tensor]]:
    """Yield the rows that this rank holds, by name, one bucket of the layout at a time.

    A collective call where adapters are merged, and none otherwise.
    """
    weights = weights_of(module, dtype) if has_adapters(module) else _own_rows(module, dtype)
    for bucket in layout.buckets:
        slots = {slot.name: slot for slot in bucket}
        mine: dict[str, Tensor] = {}
        n_left = len(slots)
        while n_left:
            name, value = next(weights)
            if name in slots:
                n_left -= 1
                if slots[name].rows(rank, layout.ranks):
                    mine[name] = value
        yield mine
    # A name is left where the last weight is an alias, and the other ranks gather it too.
    for _ in weights:
        pass


def _own_rows(module: nn.Module, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    """Yield the rows of every weight that this rank holds, in the dtype of samplers."""
    for name, value in module.state_dict().items():
        mine = value.detach()
        if isinstance(mine, DTensor):
            assert mine.placements == (Shard(0),)  # as `Slot.rows` counts them
            mine = mine.to_local()
        yield name, mine.to(dtype)
