"""Settings of this process: what happens to freed memory, and to a memory that is full.

glibc returns large freed blocks to the kernel at once, and every page that is allocated again costs
a fault. A training step frees and allocates the same gigabytes hundreds of times: on a virtual
machine the faults took 3.2 of 26 CPU-seconds of sampling and 3.6 of 42 of an update (SmolLM2-135M,
64 rollouts of 64 tokens). Keeping the memory does not raise the peak.
"""

from __future__ import annotations

import ctypes
import gc
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from reasonrl.errors import EngineError

# The names and numbers of <malloc.h>.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Keep freed memory in this process if the C library is glibc; otherwise do nothing."""
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, -1)


def free_blocks(device: str) -> None:
    """Give the freed blocks of a GPU back to the driver, so that other allocators can use them."""
    if device != "cpu":
        gc.collect()
        torch.cuda.empty_cache()


@contextmanager
def naming_full_memory(retry: str) -> Iterator[None]:
    """Turn a GPU that is out of memory into an EngineError that says what to change.

    `retry` is the command that goes on with a changed setting.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        first_line = str(error).partition(". ")[0]
        raise EngineError(
            f"the GPU's memory is full: {first_line}",
            where="[engine]",
            expected="what `reasonrl plan` counts, and a margin",
            remedy="set engine.recompute = true or lower engine.token_budget where it learns; set "
            "engine.offload = true, or lower engine.rollout.memory_share or engine.max_rows, where "
            f"it samples; go on with `{retry}` (docs/one-gpu.md)",
        ) from error
