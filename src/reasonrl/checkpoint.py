"""Points that a run can be resumed from: written whole or not at all, checked when read.

A checkpoint is a directory with `engine.safetensors` (weights and moments) and `state.json` (all
else that decides the next step, and the hash of the first). It is written under a temporary name,
flushed to disk and renamed. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from reasonrl.errors import CheckpointError, StorageError

_TENSORS, _STATE = "engine.safetensors", "state.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Hold a checkpoint's place, the trainer's state as JSON data, and the engine's tensors."""

    path: Path
    state: Mapping[str, object]
    tensors: Mapping[str, Tensor]


def save(
    directory: Path,
    *,
    step: int,
    state: Mapping[str, object],
    tensors: Mapping[str, Tensor],
    keep: int,
) -> Path:
    """Write a checkpoint for `step` and delete all but the newest `keep`.

    Raises StorageError when the disk is full; older checkpoints are then untouched.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for leftover in directory.glob(".writing-*"):
        shutil.rmtree(leftover)
    scratch = directory / f".writing-{step:06d}"
    target = directory / f"step-{step:06d}"
    try:
        scratch.mkdir()
        save_file({name: value.contiguous() for name, value in tensors.items()}, scratch / _TENSORS)
        document = {"format": _FORMAT, "blake2b": digest(scratch / _TENSORS), "state": dict(state)}
        (scratch / _STATE).write_text(json.dumps(document), encoding="utf-8")
        for name in (_TENSORS, _STATE):
            sync(scratch / name)
        sync(scratch)
        if target.exists():  # the same step again, after a resume from an earlier one
            shutil.rmtree(target)
        scratch.rename(target)
        sync(directory)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(scratch, ignore_errors=True)
        raise StorageError(
            f"could not write a checkpoint: {error}",
            where=str(target),
            remedy="free space there; the run can be resumed from the checkpoint before",
        ) from error
    for old in _steps(directory)[:-keep]:
        shutil.rmtree(old)
    return target


def load_latest(directory: Path) -> Checkpoint | None:
    """Return the newest checkpoint, or None when there is none yet."""
    found = _steps(directory)
    return load(found[-1]) if found else None


def load(path: Path) -> Checkpoint:
    """Return a checkpoint; raise CheckpointError when it is not what was written."""
    document = _read_document(path)
    try:
        if digest(path / _TENSORS) != document["blake2b"]:
            raise _unreadable(path, "the tensors are not the ones that were written")
        tensors = load_file(path / _TENSORS)
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, f"cannot be read: {error}") from error
    return Checkpoint(path=path, state=document["state"], tensors=tensors)


def read_state(path: Path) -> Mapping[str, object]:
    """Return a checkpoint's state alone; raise CheckpointError when it cannot be read."""
    state: Mapping[str, object] = _read_document(path)["state"]
    return state


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads((path / _STATE).read_text(encoding="utf-8"))
        found = document["format"]
        if found != _FORMAT or not {"blake2b", "state"} <= document.keys():
            raise CheckpointError(f"format {found}", where=str(path), expected=f"format {_FORMAT}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise _unreadable(path, f"cannot be read: {error}") from error
    return document


def _unreadable(path: Path, what: str) -> CheckpointError:
    remedy = f"delete {path} to resume from the checkpoint before it"
    return CheckpointError(what, where=str(path), remedy=remedy)


def sync(path: Path) -> None:
    """Flush a file or a directory entry to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest(path: Path, algorithm: str = "blake2b") -> str:
    """Return a file's hash in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _steps(directory: Path) -> list[Path]:
    return sorted(directory.glob("step-[0-9]*"))
