"""Work in processes of their own, some at a time: one that dies takes no other with it.

Ctrl-C reaches all of them at once; each ends as it knows how, and none is begun after it. They end
with this process, too. Called by `runs`.
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
class Task:
    """Hold one piece of work: a function of a module with what it is given, and where what it
    prints goes."""

    name: str
    function: Callable[..., None]
    given: tuple[Any, ...]
    log: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Say how a task ended: in how many seconds, and what went wrong, if anything."""

    task: Task
    seconds: float
    error: str


def work_off(
    tasks: Sequence[Task],
    *,
    workers: int,
    may_begin: Callable[[], bool],
    on_end: Callable[[Ended], None],
) -> bool:
    """Do the tasks in order, `workers` at a time; return False when a person stopped it.

    Those under way when `may_begin` says no, or a person does, are waited for.
    """
    waiting = list(tasks)
    running: dict[int, tuple[BaseProcess, Task, float]] = {}
    goes_on = True
    while running or (waiting and goes_on and may_begin()):
        try:
            while waiting and goes_on and len(running) < workers and may_begin():
                process = _start(task := waiting.pop(0))
                running[process.sentinel] = (process, task, time.monotonic())
            for sentinel in wait(list(running)):
                process, task, started = running.pop(sentinel)  # type: ignore[arg-type]
                process.join()
                error = _error(process, task)
                on_end(Ended(task=task, seconds=time.monotonic() - started, error=error))
        except KeyboardInterrupt:
            goes_on = False
    return goes_on


def _start(task: Task) -> BaseProcess:
    task.log.parent.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")  # torch has threads: no fork
    process = context.Process(target=_work, args=(task,), name=task.name)
    process.start()
    return process


def _work(task: Task) -> None:
    """Do a task; its traceback is the end of its log."""
    ctypes.CDLL(None).prctl(_PARENT_DIED, signal.SIGTERM)
    with (
        task.log.open("a", encoding="utf-8", buffering=1) as log,
        redirect_stdout(log),
        redirect_stderr(log),
    ):
        try:
            task.function(*task.given)
        except BaseException:  # noqa: BLE001  (the border of a process)
            traceback.print_exc()
            raise SystemExit(1) from None


def _error(process: BaseProcess, task: Task) -> str:
    code = process.exitcode or 0
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    if code == 0:
        return ""
    lines = task.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {code}"
