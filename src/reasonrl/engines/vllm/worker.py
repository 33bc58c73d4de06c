"""What a worker of vLLM answers about its weights. vLLM mixes `WeightReader` into its workers.

A rank of a tensor parallel engine holds a part of some tensors and a copy of others; each number is
counted on one rank, so that the sum over the ranks is the checksum of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from reasonrl.engines.checksums import added, checksum
from reasonrl.engines.transfer import ShareLayout, Wire, WireSeat
from reasonrl.engines.vllm.names import as_vllm_reads

# Rows of the identity that are multiplied at the same time.
_BLOCK = 256


class WeightReader:
    """The methods that workers get beside their own."""

    def read_checksums(self) -> list[tuple[list[str], int]]:
        """Return (names in the state dict, checksum of this rank's share) for each parameter."""
        from vllm.distributed import get_tensor_model_parallel_rank

        worker: Any = self
        model, dtype = worker.model_runner.get_model(), worker.model_config.dtype
        rank = get_tensor_model_parallel_rank()
        shares = []
        for path, layer in model.named_modules():
            packed_weight = _packed_weight(layer, worker.model_config)
            for name, parameter in layer.named_parameters(recurse=False):
                parts: Iterable[Tensor] = [_counted(layer, name, parameter, rank)]
                if packed_weight is not None and name == "weight":
                    parts = packed_weight
                names = state_names(f"{path}.{name}", model.packed_modules_mapping)
                shares.append((names, added(checksum(part, dtype) for part in parts)))
        return shares

    def join_wire(self, seat: Mapping[str, Any]) -> None:
        """Take a place on a wire; a worker's place is counted from that of the first worker."""
        from vllm.distributed import get_tensor_model_parallel_rank

        worker: Any = self
        first = WireSeat(**seat)
        mine = replace(first, number=first.number + get_tensor_model_parallel_rank())
        before = getattr(worker, "wire", None)
        worker.wire = Wire.instead_of(before, mine, device=str(worker.device))

    def receive_weights(
        self, layout: Mapping[str, Any], unknown: Sequence[str], *, splits_experts: bool
    ) -> str:
        """Load the weights that come over the wire; return what broke it, or nothing.

        vLLM ends its reload in any case: one that is left in the middle cannot be done again.
        `names.as_vllm_reads` explains the other arguments.
        """
        worker: Any = self
        with worker.wire.receiving(ShareLayout.from_plain(layout)) as tensors:
            weights = as_vllm_reads(tensors.items(), unknown=unknown, splits_experts=splits_experts)
            worker.reload_weights(weights_iterator=weights)
        broken: str = tensors.broken
        return broken

    def has_own_head(self) -> bool:
        """Return whether the head is a layer of its own, and not the embedding by another name."""
        worker: Any = self
        names = (name for name, _ in worker.model_runner.get_model().named_modules())
        return any(name.rpartition(".")[2] == "lm_head" for name in names)


_CUT_EXPERTS = ("w13_weight", "w13_bias", "w2_weight")
"""vLLM's parameters of experts of which each rank holds a part."""

_EXPERTS = {
    "w13_weight": "gate_up_proj",
    "w2_weight": "down_proj",
    "w13_bias": "gate_up_proj_bias",
    "w2_bias": "down_proj_bias",
}
"""What the state dict calls vLLM's parameters of all experts of a layer."""


def state_names(name: str, packed: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names in the Hugging Face state dict of the tensors that a parameter holds."""
    *path, layer, kind = name.split(".")
    if kind in _EXPERTS:
        return [".".join((*path, *([] if layer == "routed_experts" else [layer]), _EXPERTS[kind]))]
    return [".".join((*path, member, kind)) for member in packed.get(layer, [layer])]


def _counted(layer: Any, name: str, parameter: Tensor, rank: int) -> Tensor:
    """Return the part of a parameter that is counted on this rank, which may be empty."""
    from vllm.model_executor.layers.linear import (
        ColumnParallelLinear,
        QKVParallelLinear,
        RowParallelLinear,
    )
    from vllm.model_executor.layers.vocab_parallel_embedding import VocabParallelEmbedding

    if isinstance(layer, QKVParallelLinear) and rank % layer.num_kv_head_replicas:
        # Several ranks hold the same heads of keys and values; the first of them counts.
        return parameter[: layer.num_heads * layer.head_size]
    if name in _CUT_EXPERTS:
        return parameter
    is_cut = isinstance(layer, ColumnParallelLinear | VocabParallelEmbedding) or (
        isinstance(layer, RowParallelLinear) and name == "weight"
    )
    return parameter if is_cut or rank == 0 else parameter[:0]


def _packed_weight(layer: Any, config: Any) -> Iterator[Tensor] | None:
    """Return the numbers of a weight that vLLM packed for a CPU; None where it is the parameter.

    Each load packs the weight anew and may drop the parameter. The packed weight is read by
    multiplying it with the identity, which is exact.
    """
    from vllm.model_executor.layers.linear import LinearBase
    from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead

    if "cpu_linear" not in vars(layer):
        return None
    if isinstance(layer, ParallelLMHead) and config.head_dtype == config.dtype:
        return _columns(layer.cpu_linear, layer.embedding_dim, layer.weight)
    if isinstance(layer, LinearBase):
        # A router is a copy on each rank, whose inputs have no part.
        width = getattr(layer, "input_size_per_partition", layer.input_size)
        return _columns(layer.cpu_linear, width, layer.weight)
    return None


def _columns(multiply: Any, width: int, weight: Tensor) -> Iterator[Tensor]:
    """Yield the columns of a packed weight, a block at a time."""
    for first in range(0, width, _BLOCK):
        rows = torch.zeros(min(_BLOCK, width - first), width, dtype=weight.dtype)
        rows[:, first:].fill_diagonal_(1)
        yield multiply(rows, weight, None)
