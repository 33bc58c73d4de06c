"""Run the chunks of a step in worker processes.

A chunk is finished on disk or not at all, so a pool may be lost at any time: on Ctrl-C, or when the
system kills a worker for its memory.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import TypeVar

from reasonrl.errors import StorageError

Job = TypeVar("Job")
Done = TypeVar("Done")


def run_all(
    work: Callable[[Job], Done],
    jobs: Sequence[Job],
    *,
    workers: int,
    count: Callable[[int], None],
) -> list[Done]:
    """Return the results of `work` on all jobs, in order.

    With one job or one worker the work is done in this process.
    """
    if workers == 1 or len(jobs) < 2:
        return [_counted(work(job), count) for job in jobs]
    pool = ProcessPoolExecutor(
        min(workers, len(jobs)), mp_context=get_context("spawn"), initializer=_end_with_parent
    )
    try:
        # Workers inherit the blocked signal, so that Ctrl-C reaches this process alone.
        with _no_interrupts():
            futures = [pool.submit(work, job) for job in jobs]
        for future in as_completed(futures):
            _counted(future.result(), count)
        return [future.result() for future in futures]
    except BrokenProcessPool as error:
        raise StorageError(
            "a worker process was killed, perhaps because memory ran out",
            remedy="set fewer `workers` and rerun; the build continues after its finished chunks",
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _counted(done: Done, count: Callable[[int], None]) -> Done:
    count(1)
    return done


def _end_with_parent() -> None:
    """End this worker when the process that owns the pool has ended, for whatever reason.

    An orphan would continue to write chunks while the next build writes the same ones.
    """
    parent = parent_process()
    assert parent is not None  # a worker always has a parent

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _no_interrupts() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
