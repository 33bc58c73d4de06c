"""Tensors of a checkpoint: one whole safetensors file, or a file of shards for each rank.

Shards are torch's distributed checkpoint in its safetensors form, so nothing is pickled and any
number of ranks reads what any other number wrote. Used by the learner engines.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Mapping
from math import inf
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load as load_state

from reasonrl.engines.weights import WEIGHT
from reasonrl.errors import CheckpointError, NotFiniteError

WHOLE = "engine.safetensors"


def write_whole(directory: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as one file; NotFiniteError before anything is written for bad weights."""
    _check_finite(tensors)
    save_file({name: value.contiguous() for name, value in tensors.items()}, directory / WHOLE)


def read_whole(directory: Path) -> dict[str, Tensor]:
    """Return all tensors of a directory, assembled from any number of shards."""
    tensors = {
        name: torch.empty(shape, dtype=dtype) for name, (shape, dtype) in outline(directory).items()
    }
    read_into(directory, tensors, is_alone=True)
    return tensors


def outline(directory: Path) -> dict[str, tuple[torch.Size, torch.dtype]]:
    """Return the unsharded shape and the dtype of every tensor of a directory, by name."""
    try:
        metadata = HuggingFaceStorageReader(str(directory)).read_metadata()
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise unreadable(directory, error) from error
    tensors = metadata.state_dict_metadata
    return {
        name: (stored.size, stored.properties.dtype)
        for name, stored in tensors.items()
        if isinstance(stored, TensorStorageMetadata)
    }


def read_into(directory: Path, targets: dict[str, Any], *, is_alone: bool) -> None:
    """Fill tensors, sharded or not, from a directory. With many ranks all must call it."""
    reader = HuggingFaceStorageReader(str(directory))
    try:
        # One process reads alone on purpose; torch warns about it.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.distributed is disabled")
            load_state(targets, storage_reader=reader, no_dist=is_alone)
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise unreadable(directory, error) from error


def check_names(names: Iterable[str], parameters: Iterable[str], *, where: Path | None) -> None:
    """Raise CheckpointError when a parameter's weight is not among the names of the tensors."""
    if missing := {WEIGHT + name for name in parameters}.difference(names):
        raise CheckpointError(
            f"{len(missing)} weights are missing, {min(missing)} among them",
            where=str(where or ""),
            remedy="the checkpoint belongs to another model; resume with the model of its run",
        )


def _check_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raise NotFiniteError for tensors that are infinite or not numbers: no run could resume."""
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise NotFiniteError(f"{name.removeprefix(WEIGHT)} holds numbers that are not finite")


def unreadable(directory: Path, error: Exception) -> CheckpointError:
    """Return the error of a directory whose tensors cannot be read."""
    return CheckpointError(
        f"its tensors cannot be read: {error}",
        where=str(directory),
        remedy=f"delete {directory} to resume from the checkpoint before it",
    )


def tensor_distances(one: Path, other: Path) -> dict[str, float]:
    """Return the relative L2 distance of each tensor in the files of two directories.

    0.0 only where all numbers are equal to the bit; infinite where the other has no such tensor.
    """
    mine, yours = read_whole(one), read_whole(other)
    return {name: _distance(mine.get(name), yours.get(name)) for name in sorted({*mine, *yours})}


def _distance(one: Tensor | None, other: Tensor | None) -> float:
    if one is None or other is None or one.shape != other.shape or one.dtype != other.dtype:
        return inf
    if torch.equal(one, other):
        return 0.0
    apart = float((one.double() - other.double()).norm()) / (float(one.double().norm()) or 1.0)
    return apart or sys.float_info.min
