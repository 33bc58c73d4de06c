"""Measure a running program and all its descendants in /proc. Called by `supervisor`."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator


def _pid_of(handle: int) -> int:
    with open(f"/proc/self/fdinfo/{handle}") as file:
        fields = dict(line.split(":", 1) for line in file if ":" in line)
    return int(fields.get("Pid", "-1"))


def _tree_of(pid: int) -> Iterator[int]:
    waiting = [pid]
    while waiting:
        process = waiting.pop()
        yield process
        try:
            for thread in os.listdir(f"/proc/{process}/task"):
                with open(f"/proc/{process}/task/{thread}/children") as file:
                    waiting += [int(name) for name in file.read().split()]
        except OSError:
            # The process has ended meanwhile.
            continue


def memory_mb(handle: int) -> float:
    """Return the resident memory of a process and its descendants; `handle` is its pidfd."""
    pages = 0
    for pid in _tree_of(_pid_of(handle)):
        try:
            with open(f"/proc/{pid}/statm") as file:
                pages += int(file.read().split()[1])
        except (OSError, IndexError):
            continue
    return pages * resource.getpagesize() / (1 << 20)


def n_threads(handle: int) -> int:
    """Return the number of threads of all descendants of a program's first process."""
    count = 0
    for pid in list(_tree_of(_pid_of(handle)))[1:]:
        try:
            count += len(os.listdir(f"/proc/{pid}/task"))
        except OSError:
            continue
    return count
