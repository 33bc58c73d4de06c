"""Weights under the names, and in the shapes, in which vLLM reads them from files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from torch import Tensor


def as_vllm_reads(
    tensors: Iterable[tuple[str, Tensor]], *, unknown: Collection[str], splits_experts: bool
) -> Iterator[tuple[str, Tensor]]:
    """Yield weights as vLLM reads them: without the unknown names, which tied heads may have."""
    for name, tensor in tensors:
        if splits_experts and ".experts." in name:
            yield from in_experts(name, tensor)
        elif name not in unknown:
            yield name, tensor


def in_experts(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield a tensor of all experts of a layer as files have it, a matrix for each expert.

    `gate_up_proj` is [E, 2 I, D], with the gate first; `down_proj` is [E, D, I].
    """
    path, _, kind = name.rpartition(".")
    for expert, matrix in enumerate(tensor):
        if kind == "gate_up_proj":
            gate, up = matrix.chunk(2)
            yield f"{path}.{expert}.gate_proj.weight", gate
            yield f"{path}.{expert}.up_proj.weight", up
        else:
            yield f"{path}.{expert}.{kind}.weight", matrix
