"""The page of a run while it trains, and when an error ends it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reasonrl.errors import ReasonRLError
from reasonrl.launch.own import Callback
from reasonrl.recipe import Recipe
from reasonrl.report.run.write import write_page
from reasonrl.run.record import RunRecorder
from reasonrl.types import Row

_EVERY_S = 15.0
"""Seconds between two pages at least."""

_SHARE = 0.01
"""The most of a run's time that is spent on its page."""


def keep_page(directory: Path, recipe: Recipe, files: RunRecorder) -> Callback:
    """Return a function that is called after each step and now and then writes the page."""
    due_at = 0.0

    def keep(_: Row) -> None:
        nonlocal due_at
        begun = time.monotonic()
        if begun < due_at:
            return
        # A page that cannot be written is no reason to end a run.
        with suppress(ReasonRLError, OSError):
            write_page(directory, recipe, files, phase="running")
        ended = time.monotonic()
        due_at = ended + max(_EVERY_S, (ended - begun) / _SHARE)

    return keep


@contextmanager
def leaving_page(directory: Path, recipe: Recipe, files: RunRecorder) -> Iterator[None]:
    """Write the page when an error ends the run; the page says so, and the error goes on."""
    try:
        yield
    except BaseException as error:
        note = f"The run ended with an error: {str(error) or type(error).__name__}"
        # The error that ends the run is the one to be told.
        with suppress(ReasonRLError, OSError):
            write_page(directory, recipe, files, phase="stopped by an error", notes=[note])
        raise
