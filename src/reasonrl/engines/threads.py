"""How many threads of this process compute: a given number, or as many as cores are free.

Two threads that wait for each other at every small operation stall where a third program wants
their cores: beside one busy program, 30 small layers on two cores took 0.55 s quiet, 1.8 s with two
threads and 0.85 s with one (docs/LOG.md). So the number follows the cores that are left.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

_LOOK_S = 0.25
"""Seconds of the first look at what other programs take."""

_SHORTEST_S = 0.05
"""Seconds below which the clocks of the system are too coarse to say anything."""

_GUESTS = ("guest", "guest_nice")
"""Times that Linux counts twice: by themselves, and among the others."""

_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuTimes:
    """CPU-seconds until now on the cores that this process may use.

    `all` is what all programs took, `own` what this process and its children took.
    """

    wall_s: float
    all: float
    own: float


def read_times() -> CpuTimes:
    """Return the clocks of the system and of this process."""
    process, cores = psutil.Process(), _affinity()
    # Programs that run only where nobody else wants a core take nothing from this one.
    spared = ("idle", "iowait", *_GUESTS, *(("nice",) if int(process.nice()) <= 0 else ()))
    busy = sum(
        sum(one) - sum(getattr(one, name, 0.0) for name in spared)
        for n, one in enumerate(psutil.cpu_times(percpu=True))
        if n in cores
    )
    own = _taken(process)
    for child in process.children(recursive=True):
        with suppress(psutil.Error):  # it has ended meanwhile
            own += _taken(child)
    return CpuTimes(wall_s=time.perf_counter(), all=busy, own=own)


def _taken(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _affinity() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(psutil.cpu_count() or 1))


def usable_cores() -> int:
    """Return the least of affinity, the quota of the control group, and OMP_NUM_THREADS."""
    bounds = [len(_affinity()), *_quota()]
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if wanted.isdigit() and int(wanted) > 0:
        bounds.append(int(wanted))
    return max(1, min(bounds))


def _quota(root: Path = _CGROUP) -> list[int]:
    """Return the cores that the control group grants, rounded up; nothing without a bound."""
    for name, read in (
        ("cpu.max", lambda text: text.split()),
        ("cpu/cpu.cfs_quota_us", lambda text: [text, _period(root)]),
    ):
        with suppress(OSError, ValueError):
            quota, period = read((root / name).read_text(encoding="utf-8"))
            if int(quota) > 0 and int(period) > 0:
                return [-(-int(quota) // int(period))]
    return []


def _period(root: Path) -> str:
    return (root / "cpu/cpu.cfs_period_us").read_text(encoding="utf-8")


class Threads:
    """The threads that compute in this process; `given` is `engine.threads`.

    With 0 the number is chosen at the start, and again by `choose` between two steps; `note` is
    told of a busy machine and of each change. A given number stays. `now` is the number, `others`
    how many cores other programs took lately.
    """

    def __init__(
        self,
        given: int,
        note: Callable[[str], None] = lambda _: None,
        read: Callable[[], CpuTimes] = read_times,
    ) -> None:
        self._note, self._read = note, read
        self.usable = given or usable_cores()
        self._chooses = not given and self.usable > 1
        self.now, self.others = self.usable, 0.0
        if self._chooses:
            self._last = read()
            time.sleep(_LOOK_S)
            self.choose()
        torch.set_num_threads(self.now)

    def choose(self) -> int:
        """Choose by what other programs took since the last choice; return the number."""
        if not self._chooses:
            return self.now
        times = self._read()
        wall_s = times.wall_s - self._last.wall_s
        if wall_s < _SHORTEST_S:
            return self.now
        theirs = (times.all - self._last.all) - (times.own - self._last.own)
        self._last, self.others = times, max(0.0, theirs / wall_s)
        free = len(_affinity()) - self.others
        wanted = min(self.usable, max(1, round(free)))
        if wanted != self.now:
            self.now = wanted
            torch.set_num_threads(wanted)
            self._note(
                self.sentence or f"the cores are free again: computing with {wanted} threads"
            )
        return self.now

    @property
    def cost(self) -> float:
        """Return how many times longer a step takes than on a quiet machine, as an estimate."""
        cores = len(_affinity())
        share = min(1.0, cores / (self.now + self.others))
        return self.usable / (self.now * share)

    @property
    def sentence(self) -> str:
        """Return what a busy machine costs in words; empty where it costs nothing."""
        if self.now == self.usable:
            return ""
        return (
            f"other programs take {self.others:.1f} of {len(_affinity())} cores: computing with "
            f"{self.now} of {self.usable} threads, about {self.cost:.1f} times as long as on a "
            "quiet machine"
        )


def use_threads(given: int) -> int:
    """Set the number of threads once, 0 for as many as cores are free, and return it."""
    return Threads(given).now
