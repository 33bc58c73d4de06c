"""Limit a cell's memory with a control group, where this machine allows making one.

Supports versions 1 and 2, and assumes no path to be writable. Called by `cell`.
"""

from __future__ import annotations

import os
from pathlib import Path

_NAME = "reasonrl-cell-"
# Memory for the zygote, a judge and page tables.
_BASE_MB = 64


class MemoryGroup:
    """One control group: the memory limit of all processes inside, and the count of kills."""

    def __init__(self, path: Path, *, is_v2: bool) -> None:
        self._path = path
        self._is_v2 = is_v2
        self._limit_mb = 0

    def add(self, pid: int) -> None:
        (self._path / "cgroup.procs").write_text(str(pid))

    def limit(self, memory_mb: int) -> None:
        """Set the memory that all processes inside may use together."""
        if memory_mb != self._limit_mb:
            name = "memory.max" if self._is_v2 else "memory.limit_in_bytes"
            (self._path / name).write_text(str((memory_mb + _BASE_MB) << 20))
            self._limit_mb = memory_mb

    def kills(self) -> int:
        """Return how many processes inside the kernel has killed for their memory."""
        name = "memory.events" if self._is_v2 else "memory.oom_control"
        fields = (line.split() for line in (self._path / name).read_text().splitlines())
        return sum(int(value) for key, value in fields if key == "oom_kill")

    def remove(self) -> None:
        try:
            self._path.rmdir()
        except OSError:
            # A process inside is still ending; the next supervisor removes the group.
            pass


def make_group() -> MemoryGroup | None:
    """Make a group below this process's own, or return None if the machine forbids it."""
    for root, is_v2 in _own_groups():
        _sweep(root)
        path = root / f"{_NAME}{os.getpid()}"
        try:
            path.mkdir()
        except OSError:
            continue
        group = MemoryGroup(path, is_v2=is_v2)
        try:
            group.limit(1024)
            group.kills()
        except OSError:
            group.remove()
            continue
        return group
    return None


def _own_groups() -> list[tuple[Path, bool]]:
    """Return the directories of this process's groups; True means version 2."""
    groups: list[tuple[Path, bool]] = []
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            groups.append((Path("/sys/fs/cgroup/memory") / path.lstrip("/"), False))
        elif not controllers:
            groups.append((Path("/sys/fs/cgroup") / path.lstrip("/"), True))
    return [(path, is_v2) for path, is_v2 in groups if (path / "cgroup.procs").exists()]


def _sweep(root: Path) -> None:
    """Remove the groups of supervisors that were killed."""
    for path in root.glob(f"{_NAME}*"):
        pid = path.name.removeprefix(_NAME)
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            try:
                path.rmdir()
            except OSError:
                pass
