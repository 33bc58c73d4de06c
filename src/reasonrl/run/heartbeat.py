"""A sign of life in the run's directory, every few seconds, with facts about its processes.

It is a file and not a lock: other machines can read it, on file systems without locks.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from reasonrl.atomic import write_atomic
from reasonrl.run.layout import BEAT_S, HEARTBEAT

Describe = Callable[[], Sequence[Mapping[str, object]]]
"""Return a row of facts for each process, with its `name`."""


class Heartbeat:
    """Write the file while the context lasts, and once more, as `ended`, when it is left.

    `describe` may be replaced at any time: engines start after the first beat.
    """

    def __init__(self, directory: Path) -> None:
        self.describe: Describe = tuple
        self._directory = directory
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        self._write((), is_over=True)

    def _beat(self) -> None:
        while True:
            self._write(self.describe(), is_over=False)
            if self._ended.wait(BEAT_S):
                return

    def _write(self, processes: Sequence[Mapping[str, object]], *, is_over: bool) -> None:
        document = {
            "time": time.time(),
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "ended": is_over,
            "processes": list(processes),
        }
        try:
            write_atomic(self._directory / HEARTBEAT, json.dumps(document))
        except OSError:
            return  # The run's next checkpoint reports a full disk; a heartbeat must not end it.
