"""One process for one row: started, watched, and ended with all that it has started.

A row's process may hang in a driver, crash, or leave engines of its own behind, which would hold
the memory that the next row needs. Every process of a row carries a mark in its environment, by
which also those are found that have lost their parent. Engines that rename their processes
overwrite the mark, so children are also remembered while the row runs.
"""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_MARK = "REASONRL_GPU_ROW"
_POLL_S = 0.1
_FAMILY_S = 1.0  # seconds between two looks at which processes a row has started
_END_S = 20.0  # a killed process that holds a GPU takes seconds to end


@dataclass(frozen=True, slots=True, kw_only=True)
class RowEnd:
    """The end of a row's process: its exit code, its seconds, and whether its time was up."""

    code: int
    seconds: float
    is_late: bool


def attend(
    command: Sequence[str], log: Path, *, limit_s: float, on_wait: Callable[[float], None]
) -> RowEnd:
    """Run a command to its end or its limit; nothing that it started is left.

    `on_wait` is called all the time with the seconds so far. What the command prints goes to `log`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    mark, started = uuid.uuid4().hex, time.monotonic()
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the check, which then ends the row
            env={**os.environ, _MARK: mark, "PYTHONUNBUFFERED": "1"},
        )
    is_late, family, looked_s = False, set[psutil.Process](), 0.0
    try:
        while process.poll() is None and not is_late:
            time.sleep(_POLL_S)
            seconds = time.monotonic() - started
            is_late = seconds > limit_s
            if seconds - looked_s > _FAMILY_S:
                looked_s = seconds
                family |= _children(process.pid)
            on_wait(seconds)
    finally:
        _end_all(process, family, mark)
    return RowEnd(code=process.returncode, seconds=time.monotonic() - started, is_late=is_late)


def _end_all(process: subprocess.Popen[bytes], family: set[psutil.Process], mark: str) -> None:
    """Kill a process and everything that it has started, and wait until all have ended."""
    family |= _children(process.pid)
    process.kill()
    process.wait()
    end = time.monotonic() + _END_S
    while (left := family | _marked(mark)) and time.monotonic() < end:
        for child in left:
            # A number that now belongs to another process is told apart by its start.
            with suppress(psutil.Error):
                child.kill()
        family = set(psutil.wait_procs(left, timeout=1.0)[1])


def _children(pid: int) -> set[psutil.Process]:
    with suppress(psutil.Error):
        return set(psutil.Process(pid).children(recursive=True))
    return set()


def _marked(mark: str) -> set[psutil.Process]:
    """Return the living processes that carry a mark."""
    marked = set()
    for process in psutil.process_iter():
        # Processes of other users cannot be read; a zombie has no environment.
        with suppress(psutil.Error, OSError):
            if process.environ().get(_MARK) == mark:
                marked.add(process)
    return marked
