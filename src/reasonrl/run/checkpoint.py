"""Checkpoints: points that a run can be resumed from, written whole or not at all.

A checkpoint is a directory with the learner's safetensors files (weights and moments) and
`state.json` (all else that decides the next step, the files' hashes, and a hash of itself). It is
written under a temporary name, flushed to disk and renamed. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from reasonrl.atomic import sync
from reasonrl.errors import CheckpointError, StorageError
from reasonrl.run.layout import checkpoint_paths, step_of

_STATE = "state.json"
_HASH = "hash"
"""The key in state.json of the hash of all its other keys."""

_FORMAT = 4
_OLDER_FORMATS = (2, 3)
"""Formats without the hash: they are read as they are, so that older runs can be resumed. Format 2
(release 0.1.0) has another state besides, which `loop.state` reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint whose files are as they were written: its path, and the trainer's state."""

    path: Path
    state: Mapping[str, object]


def save(
    directory: Path,
    *,
    step: int,
    state: Mapping[str, object],
    write_tensors: Callable[[Path], None],
    keep: int,
    pinned: Collection[int | None] = (),
) -> Path:
    """Write a checkpoint for `step` and delete all but the newest `keep` and the `pinned` steps.

    `write_tensors` puts the learner's files in a directory. Raises StorageError when the disk is
    full; older checkpoints are then untouched.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for leftover in directory.glob(".writing-*"):
        shutil.rmtree(leftover)
    scratch = directory / f".writing-{step:06d}"
    target = directory / f"step-{step:06d}"
    try:
        scratch.mkdir()
        write_tensors(scratch)
        digests = _digests(scratch)
        if not digests:
            raise StorageError("the learner wrote no tensors", where=str(scratch))
        document = {"format": _FORMAT, "blake2b": digests, "state": dict(state)}
        document[_HASH] = _hash_of(document)
        (scratch / _STATE).write_text(json.dumps(document), encoding="utf-8")
        for path in scratch.iterdir():
            sync(path)
        sync(scratch)
        # A run that was resumed from an earlier checkpoint writes this step again.
        if target.exists():
            shutil.rmtree(target)
        scratch.rename(target)
        sync(directory)
        sync(directory.parent)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(scratch, ignore_errors=True)
        raise StorageError(
            f"could not write a checkpoint: {error}",
            where=str(target),
            remedy="free space there; then resume the run from the checkpoint before",
        ) from error
    for old in checkpoint_paths(directory)[:-keep]:
        if step_of(old) not in pinned:
            shutil.rmtree(old)
    return target


def load_latest(directory: Path) -> Checkpoint | None:
    """Return the newest checkpoint, or None when the run has none yet."""
    paths = checkpoint_paths(directory)
    return load(paths[-1]) if paths else None


def load(path: Path) -> Checkpoint:
    """Return a checkpoint; raise CheckpointError when its files are not as they were written."""
    document = _read_document(path)
    try:
        if _digests(path) != document["blake2b"]:
            raise _unreadable(path, "its tensors have changed since they were written")
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error}") from error
    return Checkpoint(path=path, state=document["state"])


def _digests(directory: Path) -> dict[str, str]:
    """Return the hash of every tensor file."""
    files = sorted(directory.glob("*.safetensors"))
    with ThreadPoolExecutor() as pool:
        return dict(zip((file.name for file in files), pool.map(digest, files), strict=True))


def read_state(path: Path) -> Mapping[str, Any]:
    """Return the trainer's state of a checkpoint, whose tensors are not read.

    Raises CheckpointError when it is not as it was written.
    """
    state: Mapping[str, Any] = _read_document(path)["state"]
    return state


def _hash_of(document: Mapping[str, object]) -> str:
    """Return the hash of a state.json without its own hash."""
    rest = {key: value for key, value in document.items() if key != _HASH}
    return hashlib.blake2b(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads((path / _STATE).read_text(encoding="utf-8"))
        number = document["format"]
        is_known = number == _FORMAT or number in _OLDER_FORMATS
        if not is_known or not {"blake2b", "state"} <= document.keys():
            raise CheckpointError(
                f"format {number}",
                where=str(path),
                expected=f"format {_FORMAT}, or one of {', '.join(map(str, _OLDER_FORMATS))}",
                remedy="resume with the version of reasonrl that wrote the checkpoint",
            )
        if number == _FORMAT and document.get(_HASH) != _hash_of(document):
            raise _unreadable(path, f"its {_STATE} has changed since it was written")
        if not isinstance(document["state"], dict):
            raise _unreadable(path, f"the state in its {_STATE} is no table")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise _unreadable(path, f"cannot be read: {error}") from error
    return document


def _unreadable(path: Path, what: str) -> CheckpointError:
    remedy = f"delete {path} to resume from the checkpoint before it"
    return CheckpointError(what, where=str(path), remedy=remedy)


def digest(path: Path, algorithm: str = "blake2b") -> str:
    """Return a file's hash in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
