"""A sign of life in the run's directory, every few seconds, with what the engines know of theirs.

A file and not a lock: it can be read from other machines, on file systems that know no locks.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from reasonrl.atomic import write_atomic
from reasonrl.run.layout import BEAT_S, HEARTBEAT

Describe = Callable[[], Sequence[Mapping[str, object]]]
"""Return a row of facts for each process, with its `name`."""


@contextmanager
def heartbeat(directory: Path) -> Iterator[Callable[[Describe], None]]:
    """Write the file while the context lasts, and once more, `ended`, when it is left.

    Yields the function that is told whom to ask for facts.
    """
    ended = threading.Event()
    describe: Describe = tuple

    def tell(other: Describe) -> None:
        nonlocal describe
        describe = other

    def beat() -> None:
        while True:
            _write(directory, describe(), is_over=False)
            if ended.wait(BEAT_S):
                return

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield tell
    finally:
        ended.set()
        thread.join()
        _write(directory, (), is_over=True)


def _write(directory: Path, processes: Sequence[Mapping[str, object]], *, is_over: bool) -> None:
    document = {
        "time": time.time(),
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "ended": is_over,
        "processes": list(processes),
    }
    try:
        write_atomic(directory / HEARTBEAT, json.dumps(document))
    except OSError:
        return  # a full disk ends the run where it is told, not here
