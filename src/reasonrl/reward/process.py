"""A worker process as the pool sees it: its pipes, one JSON value a line, and its end."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

_PIPE_BYTES = 1 << 16


@dataclass(slots=True, kw_only=True, eq=False)
class Worker:
    """A running worker process, and the calls that it still owes; `since` is its last sign."""

    process: subprocess.Popen[bytes]
    is_async: bool = False
    unread: bytes = b""
    owed: deque[int] = field(default_factory=deque)
    chunk: list[int] = field(default_factory=list)
    since: float = 0.0

    def kill(self) -> None:
        """End the worker and every process of its group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


def send(worker: Worker, value: object) -> None:
    """Write one line to a worker, which reads it whole before it answers."""
    assert worker.process.stdin is not None
    rest = memoryview(json.dumps(value).encode() + b"\n")
    while rest:
        rest = rest[os.write(worker.process.stdin.fileno(), rest[:_PIPE_BYTES]) :]


def lines(worker: Worker) -> list[Any]:
    """Return the values that a worker has written; EOFError when it has ended."""
    assert worker.process.stdout is not None
    chunk = os.read(worker.process.stdout.fileno(), _PIPE_BYTES)
    if not chunk:
        raise EOFError
    *lines, worker.unread = (worker.unread + chunk).split(b"\n")
    return [json.loads(line) for line in lines]


def receive(worker: Worker, *, within_s: float) -> Any:
    """Return the next value of a worker; TimeoutError when none comes."""
    assert worker.process.stdout is not None
    end = time.monotonic() + within_s
    with selectors.DefaultSelector() as selector:
        selector.register(worker.process.stdout, selectors.EVENT_READ)
        while (left := end - time.monotonic()) > 0:
            if selector.select(timeout=left) and (values := lines(worker)):
                return values[0]
    raise TimeoutError
