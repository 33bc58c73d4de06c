"""The outermost net around judging in the caller's process: no input may end a run.

An exception becomes a finding. Judging is tried again in a fresh thread, because a deep stack of
the caller may have caused the exception. If it comes back, and the key alone is judged without one,
the response is to blame: it gets no reward, so that no response can mask itself. Each traceback is
logged once. Called by `verifier`.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from typing import TypeVar

from reasonrl.types import Status
from reasonrl.verify.finding import Finding

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_lock = threading.Lock()
_logged: set[str] = set()
_MOST_LOGGED = 100


def caught(
    judge: Callable[[], T], *, key_alone: Callable[[], object], blame: Status
) -> T | Finding:
    """Return what `judge` returns, or a finding for an exception that it raises.

    `key_alone` judges the key without the response; if it raises, too, the status is INFRA_ERROR,
    which masks the response; else it is `blame`.
    """
    try:
        return judge()
    except Exception:  # noqa: BLE001, S110 - judged again below; this is the net
        pass
    result, error = _in_fresh_thread(judge)
    if error is None:
        return result  # type: ignore[return-value]
    _log_once(error)
    reason = f"the verifier raised {type(error).__name__}"
    _, key_error = _in_fresh_thread(key_alone)
    if key_error is not None or isinstance(error, MemoryError):
        return Finding(status=Status.INFRA_ERROR, reason=reason)
    return Finding(status=blame, reason=reason)


def _in_fresh_thread(work: Callable[[], object]) -> tuple[object, Exception | None]:
    """Run a function in a new thread, whose stack is empty; return its result or its exception."""
    outcome: list[object] = []
    failure: list[Exception] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:  # noqa: BLE001 - handed to the caller as a value
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    return (None, failure[0]) if failure else (outcome[0], None)


def _log_once(error: Exception) -> None:
    """Log the traceback of an exception, unless one from the same line was logged before."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{type(error).__name__} {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    with _lock:
        if place in _logged or len(_logged) >= _MOST_LOGGED:
            return
        _logged.add(place)
    _LOG.error("a verification raised; please report this", exc_info=error)
