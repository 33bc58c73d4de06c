"""Work in child processes, several at a time: a child that dies does not harm the others.

Ctrl-C reaches all children at once; each child ends in its own way, and no further child is
started. The children also end when this process ends.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

_PARENT_DIED = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildTask:
    """A piece of work: a function of a module, its arguments, and the file for what it prints."""

    name: str
    function: Callable[..., None]
    given: tuple[Any, ...]
    log: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of a task: its seconds, and its error, empty if it succeeded."""

    task: ChildTask
    seconds: float
    error: str


def work_off(
    tasks: Sequence[ChildTask],
    *,
    workers: int,
    may_begin: Callable[[], bool],
    on_end: Callable[[Ended], None],
) -> bool:
    """Do the tasks in order, `workers` at a time; return False when a person stopped the work.

    No task is started after `may_begin` returned False or a person pressed Ctrl-C; the tasks that
    run then are waited for.
    """
    waiting = list(tasks)
    running: dict[int, tuple[BaseProcess, ChildTask, float]] = {}
    is_stopped = False
    while running or (waiting and not is_stopped and may_begin()):
        try:
            while waiting and not is_stopped and len(running) < workers and may_begin():
                process = _start(task := waiting.pop(0))
                running[process.sentinel] = (process, task, time.monotonic())
            for sentinel in wait(list(running)):
                process, task, started = running.pop(sentinel)  # type: ignore[arg-type]
                process.join()
                error = _error(process, task)
                on_end(Ended(task=task, seconds=time.monotonic() - started, error=error))
        except KeyboardInterrupt:
            is_stopped = True
    return not is_stopped


def _start(task: ChildTask) -> BaseProcess:
    task.log.parent.mkdir(parents=True, exist_ok=True)
    # A fork would copy torch without its threads.
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_work, args=(task,), name=task.name)
    process.start()
    return process


def _work(task: ChildTask) -> None:
    """Do a task; if it fails, its traceback ends its log."""
    ctypes.CDLL(None).prctl(_PARENT_DIED, signal.SIGTERM)
    with (
        task.log.open("a", encoding="utf-8", buffering=1) as log,
        redirect_stdout(log),
        redirect_stderr(log),
    ):
        try:
            task.function(*task.given)
        except BaseException:  # noqa: BLE001  (nothing may leave the process but its exit code)
            traceback.print_exc()
            raise SystemExit(1) from None


def _error(process: BaseProcess, task: ChildTask) -> str:
    code = process.exitcode or 0
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    if code == 0:
        return ""
    lines = task.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {code}"
