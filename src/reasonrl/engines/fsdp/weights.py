"""The policy's weights as they leave the ranks: whole and one by one, or each rank's own rows."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, Shard

from reasonrl.engines.transfer import BUCKET_BYTES, ShareLayout, Slot, layout_of, rows_of
from reasonrl.models.lora import has_adapters, policy_places, policy_tensors


def weights_of(module: nn.Module, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    """Yield every weight unsharded, by its name in the state dict; a collective call.

    Only one weight at a time is unsharded, so no rank needs room for the model.
    """
    # Without adapters to merge the cast comes first, so that fewer bytes cross between ranks.
    sent = torch.float32 if has_adapters(module) else dtype
    for name, value in policy_tensors(module, lambda value: _whole(value.to(sent, copy=True))):
        yield name, value.to(dtype)


def _whole(value: Tensor) -> Tensor:
    value = value.detach()
    return value.full_tensor() if isinstance(value, DTensor) else value


def layout_of_module(
    module: nn.Module, dtype: torch.dtype, *, ranks: int, bucket_bytes: int = BUCKET_BYTES
) -> ShareLayout:
    """Return how the ranks hold the weights that samplers get; every rank returns the same."""
    state, places = module.state_dict(), policy_places(module)
    parameters = dict(module.named_parameters(remove_duplicate=False))
    firsts: dict[int, str] = {}
    aliases = {}
    for name, place in places.items():
        assert not place.endswith(".codes")  # ranks hold no packed weights
        if (parameter := parameters.get(place)) is not None:
            first = firsts.setdefault(id(parameter), name)
            if first != name:
                aliases[name] = first
    slots = [
        Slot.of(name, state[place], dtype) for name, place in places.items() if name not in aliases
    ]
    return layout_of(slots, aliases, ranks=ranks, bucket_bytes=bucket_bytes)


def pieces_of(
    module: nn.Module, layout: ShareLayout, dtype: torch.dtype, *, rank: int
) -> Iterator[dict[str, Tensor]]:
    """Yield the rows that this rank holds, by name, one bucket of the layout at a time.

    With adapters this is a collective call: each rank merges its own rows, which may differ by
    rounding from those of the whole product. Without adapters it is not.
    """

    def mine(value: Tensor) -> Tensor:
        value = value.detach()
        if isinstance(value, DTensor):
            assert value.placements == (Shard(0),)  # as `Slot.rows` counts them
            return value.to_local()
        if not value.ndim:
            return value
        rows = rows_of(len(value), rank, layout.ranks)
        return value[rows.start : rows.stop]

    weights = policy_tensors(module, _whole, mine)
    for bucket in layout.buckets:
        left = {slot.name: slot for slot in bucket}
        pieces: dict[str, Tensor] = {}
        while left:
            name, value = next(weights)
            # An alias is in no bucket.
            if (slot := left.pop(name, None)) and slot.rows(rank, layout.ranks):
                pieces[name] = value.to(dtype)
        yield pieces
