"""A rank's part of a checkpoint: weights and moments under the local engine's names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict_saver import save as save_state

from reasonrl.engines.tensor_files import check_names, outline, read_into
from reasonrl.engines.update import MOMENTS
from reasonrl.engines.weights import CODED_MOMENT, MOMENT, WEIGHT
from reasonrl.errors import CheckpointError, StorageError

Parameters = Mapping[str, nn.Parameter]
Stored = Mapping[str, tuple[tuple[int, ...], torch.dtype]]
"""The shape and type of each tensor of a checkpoint, by name."""


def save(directory: Path, parameters: Parameters, optimizer: torch.optim.Optimizer) -> None:
    """Write this rank's part, all ranks at the same time."""
    writer = HuggingFaceStorageWriter(str(directory), save_distributed=True)
    try:
        save_state(_state(parameters, optimizer), storage_writer=writer)
    except CheckpointException as error:
        cause, _ = next(iter(error.failures.values()))
        raise StorageError(
            f"a rank could not write its part: {cause}",
            where=str(directory),
            remedy="free space there and resume the run from the checkpoint before",
        ) from None


def check(directory: Path, parameters: Parameters) -> Stored:
    """Return what a checkpoint holds; CheckpointError when ranks cannot read it."""
    stored = outline(directory)
    check_names(stored, parameters, where=directory)
    if any(name.startswith(CODED_MOMENT) for name in stored):
        raise CheckpointError(
            "its moments have 8 bits, which only the local engine reads",
            where=str(directory),
            remedy='resume it with engine.type = "local"',
        )
    return stored


def load(
    directory: Path,
    stored: Stored,
    parameters: Parameters,
    optimizer: torch.optim.Optimizer,
    *,
    device: str,
) -> None:
    """Read this rank's part into parameters, and into a new optimizer."""
    # One process writes step counts of another shape than ranks do: read them as written.
    steps = {
        name: torch.empty(shape, dtype=dtype)
        for name, (shape, dtype) in stored.items()
        if name.startswith(f"{MOMENT}step.")
    }
    if steps:
        for parameter in parameters.values():
            optimizer.state[parameter] = {
                "step": torch.zeros(1),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
    targets = _state(parameters, optimizer) | steps
    read_into(directory, targets, is_alone=False)
    # Fused AdamW reads step counts on the device of the parameters.
    for name, parameter in parameters.items():
        if moments := optimizer.state.get(parameter):
            moments["step"] = targets[f"{MOMENT}step.{name}"].reshape(()).to(device)


def _state(parameters: Parameters, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return this rank's shards of weights and moments."""
    state: dict[str, Any] = {WEIGHT + name: value.detach() for name, value in parameters.items()}
    for name, parameter in parameters.items():
        for moment, value in optimizer.state.get(parameter, {}).items():
            assert moment in MOMENTS
            state[f"{MOMENT}{moment}.{name}"] = value.reshape(1) if value.ndim == 0 else value
    return state
