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
    """A piece of work: a function of a module, its arguments, and the file for what it prints.

    It begins when the tasks named in `after` have succeeded, and never if one of them failed.
    """

    name: str
    function: Callable[..., None]
    given: tuple[Any, ...]
    log: Path
    after: frozenset[str] = frozenset()


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

    A task whose `after` is not done lets later tasks go before it. No task is started after
    `may_begin` returned False or a person pressed Ctrl-C; the tasks that run then are waited for.
    """
    waiting = list(tasks)
    running: dict[int, tuple[BaseProcess, ChildTask, float]] = {}
    is_stopped = False
    while running or (waiting and not is_stopped and may_begin()):
        try:
            while not is_stopped and len(running) < workers and may_begin():
                task = _next(waiting, [one for _, one, _ in running.values()])
                if task is None:
                    break
                waiting.remove(task)
                process = _start(task)
                running[process.sentinel] = (process, task, time.monotonic())
            for sentinel in wait(list(running)):
                process, task, started = running.pop(sentinel)  # type: ignore[arg-type]
                process.join()
                error = _error(process, task)
                if error:
                    waiting = [one for one in waiting if task.name not in one.after]
                on_end(Ended(task=task, seconds=time.monotonic() - started, error=error))
        except KeyboardInterrupt:
            is_stopped = True
    return not is_stopped


def _next(waiting: Sequence[ChildTask], running: Sequence[ChildTask]) -> ChildTask | None:
    """Return the first task that no task which is still to end holds up; None if all are held."""
    to_end = {task.name for task in (*waiting, *running)}
    return next((task for task in waiting if not task.after & to_end), None)


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
