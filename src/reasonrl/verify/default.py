"""Functions that judge with one verifier for the whole process, which the first call makes.

For scripts and notebooks. A trainer makes its own `Verifier`, to choose workers and limits.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Sequence

from reasonrl.types import StopReason, Task, Verdict, VerifyItem
from reasonrl.verify.verifier import Verifier

_lock = threading.Lock()
_default: Verifier | None = None


def verify(
    task: Task,
    response: str,
    *,
    stop_reason: StopReason | None = None,
    deadline_s: float | None = None,
) -> Verdict:
    """Judge one response; see `Verifier.verify`."""
    return _verifier().verify(task, response, stop_reason=stop_reason, deadline_s=deadline_s)


async def averify(
    task: Task,
    response: str,
    *,
    stop_reason: StopReason | None = None,
    deadline_s: float | None = None,
) -> Verdict:
    """Judge one response without blocking the event loop; see `Verifier.averify`."""
    return await _verifier().averify(task, response, stop_reason=stop_reason, deadline_s=deadline_s)


def verify_batch(items: Sequence[VerifyItem], *, deadline_s: float | None = None) -> list[Verdict]:
    """Judge many responses; see `Verifier.verify_batch`."""
    return _verifier().verify_batch(items, deadline_s=deadline_s)


def _verifier() -> Verifier:
    global _default
    with _lock:
        if _default is None:
            _default = Verifier()
            atexit.register(_default.close)
        return _default


def _forget() -> None:
    """Drop the verifier in a forked child, which does not have the parent's threads and workers."""
    global _lock, _default
    if _default is not None:
        atexit.unregister(_default.close)
    _lock, _default = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
