"""At most one process works in a directory, and a person can stop it between steps."""

from __future__ import annotations

import fcntl
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, current_thread, main_thread
from types import FrameType

from reasonrl.errors import ConfigError
from reasonrl.run.layout import EVENTS, LOCK
from reasonrl.terminal import Console


def note_event(directory: Path, console: Console, text: str) -> None:
    """Print what happened to a process of the run, and append it to `events.jsonl`."""
    console.note(text)
    line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), "event": text})
    with (directory / EVENTS).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


@contextmanager
def only_process(directory: Path) -> Iterator[None]:
    """Hold the directory's lock: two processes would overwrite each other's files."""
    with (directory / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                "another process works in this directory",
                where=str(directory),
                remedy="wait until it ends, or choose another directory",
            ) from error
        yield


@contextmanager
def stop_on_signal(console: Console) -> Iterator[Event]:
    """End after the current step on the first Ctrl-C or SIGTERM, at once on the second.

    Only the main thread of a process receives signals; elsewhere nothing is changed.
    """
    stopper = Event()
    if current_thread() is not main_thread():
        yield stopper
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stopper.is_set():
            raise KeyboardInterrupt
        stopper.set()
        console.note("stopping after this step or evaluation; press Ctrl-C again to stop at once")

    old = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopper
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
