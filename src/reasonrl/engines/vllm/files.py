"""Weights for a vLLM engine in other processes: files in memory, which its workers read."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
from safetensors.torch import save_file
from torch import Tensor

from reasonrl.engines.transfer import in_parts

_MEMORY = Path("/dev/shm")  # noqa: S108
# Containers that share this memory have process ids, and host names, of their own.
_PREFIX = f"reasonrl-weights-{socket.gethostname()}-"
_FILE_BYTES = 1 << 30


@contextmanager
def in_memory(tensors: Iterable[tuple[str, Tensor]]) -> Iterator[Path]:
    """Write tensors to files in memory, part by part; remove files that a killed process left."""
    parent = _MEMORY if _MEMORY.is_dir() else Path(tempfile.gettempdir())
    for left in parent.glob(f"{_PREFIX}*"):
        if not psutil.pid_exists(int(left.name.removeprefix(_PREFIX))):
            shutil.rmtree(left, ignore_errors=True)
    directory = parent / f"{_PREFIX}{os.getpid()}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    try:
        parts = in_parts(tensors, lambda item: item[1].nbytes, part_bytes=_FILE_BYTES)
        for number, part in enumerate(map(dict, parts)):
            for alias in _shared_in(part):
                part[alias] = part[alias].clone()
            whole = {name: tensor.contiguous() for name, tensor in part.items()}
            save_file(whole, directory / f"model-{number:05d}.safetensors")
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _shared_in(tensors: Mapping[str, Tensor]) -> list[str]:
    """Return the names of tensors whose memory belongs to an earlier tensor too."""
    seen: set[int] = set()
    shared = []
    for name, tensor in tensors.items():
        if tensor.data_ptr() in seen:
            shared.append(name)
        seen.add(tensor.data_ptr())
    return shared
