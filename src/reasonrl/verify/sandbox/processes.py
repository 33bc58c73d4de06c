"""Measure a running program and all its descendants in /proc, and end what it left behind.

Called by `supervisor` and `cell`.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Collection, Iterator

_STRAYS_S = 5.0
"""Seconds after which strays that fork faster than they are killed are left to their limits."""


def pid_of(handle: int) -> int:
    """Return the process id that a pidfd stands for."""
    with open(f"/proc/self/fdinfo/{handle}") as file:
        fields = dict(line.split(":", 1) for line in file if ":" in line)
    return int(fields.get("Pid", "-1"))


def _tree_of(pid: int) -> Iterator[int]:
    waiting = [pid]
    while waiting:
        process = waiting.pop()
        # Read before the process is yielded: its children have another parent after its end.
        waiting += _children_of(process)
        yield process


def _children_of(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                children += [int(name) for name in file.read().split()]
    except OSError:
        # The process has ended meanwhile.
        pass
    return children


def end_strays(parent: int, kept: Collection[int]) -> None:
    """Kill the descendants of a process, but for the children in `kept` and what is below them.

    The process must adopt orphans: a child whose parent is killed is then found in the next round.
    """
    until = time.monotonic() + _STRAYS_S
    while time.monotonic() < until:
        children = [pid for pid in _children_of(parent) if pid not in kept]
        if not children:
            return
        for child in children:
            for pid in _tree_of(child):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            try:
                os.waitpid(child, 0)
            except ChildProcessError:
                # It is the child of another process, which reaps it.
                continue
        time.sleep(0.005)


def memory_mb(handle: int) -> float:
    """Return the resident memory of a process and its descendants; `handle` is its pidfd."""
    pages = 0
    for pid in _tree_of(pid_of(handle)):
        try:
            with open(f"/proc/{pid}/statm") as file:
                pages += int(file.read().split()[1])
        except (OSError, IndexError):
            continue
    return pages * resource.getpagesize() / (1 << 20)


def n_threads(handle: int) -> int:
    """Return the number of threads of all descendants of a program's first process."""
    count = 0
    for pid in list(_tree_of(pid_of(handle)))[1:]:
        try:
            count += len(os.listdir(f"/proc/{pid}/task"))
        except OSError:
            continue
    return count
