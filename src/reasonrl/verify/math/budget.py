"""A budget of processor time for one call in a worker process.

The pool's deadline is wall time, so a busy machine can use it up: such a verdict is masked. This
budget is the call's own processor time, which no other process uses up: an answer that needs more
is itself too large. Only for the main thread of a worker, which is the only user of SIGPROF there.
Called by `worker`.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_AGAIN_S = 0.05


class OverBudgetError(BaseException):
    """A call has used its processor time. No handler of `Exception` in a library stops it."""


@contextmanager
def processor_budget(seconds: float) -> Iterator[None]:
    """Raise OverBudgetError in the block once it has used `seconds` of processor time.

    The error is raised again every `_AGAIN_S` until the block ends: Python drops an error that is
    raised inside the callback of a weak reference.
    """
    running = [True]

    def stop(*_: object) -> None:
        if running:
            raise OverBudgetError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, _AGAIN_S)
    try:
        yield
    finally:
        try:
            running.clear()
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0.0)
            signal.signal(signal.SIGPROF, before)
