"""Run functions in worker processes that can be killed: deadlines, memory limits, replacement.

Wraps a pebble pool and knows no mathematics. Workers come from a fork server that has loaded the
math libraries, so a killed worker is replaced in milliseconds, and no process with torch threads is
ever forked. A failure is returned as data (`Failure`), never as a guess. Called by `verifier`.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from typing import Any, Generic, TypeVar

from pebble import ProcessExpired, ProcessPool
from pebble.common import ProcessFuture

from reasonrl.errors import VerifierError
from reasonrl.types import Status

R = TypeVar("R")

_PRELOAD = "reasonrl.verify.math.warm"
_TASKS_PER_WORKER = 500
"""Tasks after which a worker is replaced: sympy's caches grow, and a new worker costs a fork."""
_CPU_LIMIT_S = 1_800
"""CPU seconds of one worker, so that an orphan of a killed trainer ends."""
_ROUNDS = 3
"""How often a task is run at most: it is lost, and run again, if its worker is killed."""
_STALL_S = 60.0
"""Seconds beyond the deadline in which some task must end, or the pool has lost its workers."""
_IMPORT_PID = os.getpid()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The reason why a task has no result; the status is TIMEOUT or INFRA_ERROR."""

    status: Status
    reason: str
    wall_s: float = 0.0


class WorkerPool(Generic[R]):
    """The worker processes of one function. They start at the first call.

    Safe to use from several threads. After a fork, the child starts its own workers.
    """

    def __init__(self, function: Callable[..., R], *, workers: int, memory_mb: int) -> None:
        self._function = function
        self._workers = workers
        self._memory_mb = memory_mb
        self._lock = threading.Lock()
        # A pebble.ProcessPool; pebble has no annotations.
        self._pool: Any = None
        self._pid = os.getpid()
        self._is_closed = False
        self._last_end = 0.0
        # Whether any worker has started a task.
        self._has_worked = False

    def run(self, calls: Sequence[tuple[Any, ...]], *, deadline_s: float) -> list[R | Failure]:
        """Run the function on each tuple of arguments; return the results in order.

        The deadline of a task starts when a worker takes it, so waiting in the queue and starting a
        worker do not count. A task whose worker dies is run again, at most twice.
        """
        outcomes: dict[int, R | Failure] = {}
        for _ in range(_ROUNDS):
            self._last_end = time.monotonic()
            todo = [index for index in range(len(calls)) if index not in outcomes]
            futures = {index: self._schedule(calls[index], deadline_s) for index in todo}
            try:
                for index, (pool, future) in futures.items():
                    outcome = self._settle(pool, future, deadline_s)
                    if outcome is not None:
                        outcomes[index] = outcome
            finally:
                for _, future in futures.values():
                    # This matters only when this thread is interrupted.
                    future.cancel()
            if len(outcomes) == len(calls):
                break
        if len(outcomes) < len(calls) and not self._has_worked:
            raise _start_error()
        lost = Failure(status=Status.INFRA_ERROR, reason=f"the worker died {_ROUNDS} times")
        return [outcomes.get(index, lost) for index in range(len(calls))]

    def close(self) -> None:
        """Stop the workers. Using the pool afterwards raises VerifierError."""
        with self._lock:
            self._is_closed = True
            pool, self._pool = self._pool, None
        if pool is not None and self._pid == os.getpid():
            _stop(pool)

    def _schedule(self, arguments: tuple[Any, ...], deadline_s: float) -> tuple[Any, ProcessFuture]:
        for _ in range(_ROUNDS):
            pool = self._running()
            try:
                future = pool.schedule(self._function, args=arguments, timeout=deadline_s)
            except RuntimeError:
                # The pool broke or was closed meanwhile; the next pool is new.
                self._discard(pool)
                continue
            future.add_done_callback(self._note_end)
            return pool, future
        raise _start_error()

    def _settle(self, pool: Any, future: ProcessFuture, deadline_s: float) -> R | Failure | None:
        """Wait for one task; return None if it was lost with its worker or its pool."""
        while not wait([future], timeout=1.0).done:
            if time.monotonic() - self._last_end > deadline_s + _STALL_S:
                self._discard(pool)
                return None
        try:
            result: R = future.result()
        except CancelledError:
            return None
        except ProcessExpired:
            self._has_worked = True
            return None
        except BrokenProcessPool:
            self._discard(pool)
            return None
        except TimeoutError:
            return Failure(
                status=Status.TIMEOUT,
                reason=f"no result within {deadline_s:g} s",
                wall_s=deadline_s,
            )
        except Exception as error:  # noqa: BLE001 - recorded as data here, never as a reward
            reason = f"{type(error).__name__}: {str(error)[:200]}"
            return Failure(status=Status.INFRA_ERROR, reason=reason)
        self._has_worked = True
        return result

    def _running(self) -> Any:
        if self._pid != os.getpid():
            # After a fork, threads and workers belong to the parent.
            self._lock, self._pool, self._pid = threading.Lock(), None, os.getpid()
        with self._lock:
            if self._is_closed:
                raise VerifierError("the verifier is closed", remedy="create a new Verifier")
            if self._pool is None:
                self._pool = ProcessPool(
                    max_workers=self._workers,
                    max_tasks=_TASKS_PER_WORKER,
                    initializer=_prepare,
                    initargs=(self._memory_mb,),
                    context=_context(),
                )
            return self._pool

    def _discard(self, pool: Any) -> None:
        """Drop a broken pool. Only the first of several threads that notice it stops the pool."""
        with self._lock:
            if self._pool is not pool:
                return
            self._pool = None
        _stop(pool)

    def _note_end(self, _: ProcessFuture) -> None:
        self._last_end = time.monotonic()


def _start_error() -> VerifierError:
    return VerifierError(
        "the verifier's workers do not start",
        remedy="guard the main script with `if __name__ == '__main__':`, or raise memory_mb",
    )


def _context() -> BaseContext:
    """Choose how workers start: a forked child cannot reach the fork server, so it spawns them."""
    if os.getpid() != _IMPORT_PID:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_PRELOAD])
    return context


def _prepare(memory_mb: int) -> None:
    """Prepare a worker: set limits, end at the first SIGTERM even inside C code, load libraries.

    Ctrl-C reaches all processes of the terminal; the caller decides what it means, so a worker
    ignores it. A spawned worker (see `_context`) loads the libraries here, before it takes a task
    and a deadline starts.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_LIMIT_S, _CPU_LIMIT_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    importlib.import_module(_PRELOAD)


def _stop(pool: Any) -> None:
    pool.stop()
    pool.join()
