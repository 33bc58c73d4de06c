"""What a person sees of work under way: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

_SHOWN = (
    ("acc", "accuracy/all", "{:.3f}"),
    ("fin", "accuracy/finished", "{:.3f}"),
    ("trunc", "rollout/truncated_share", "{:.3f}"),
    ("len", "rollout/mean_tokens", "{:.1f}"),
    ("entropy", "entropy/nats", "{:.3f}"),
    ("alpha", "entropy/alpha", "{:.1e}"),
    ("kept", "groups/kept", "{}"),
    ("grad", "update/gradient_norm", "{:.2f}"),
    ("s", "time/step_s", "{:.1f}"),
)

_REWARD = (("reward", "reward/mean", "{:.3f}"),)
"""Shown too where the verdict is not the whole reward."""

_FILE_WIDTH = 160  # columns of a table that goes to a file or a pipe
_QUIET_S = 30.0  # seconds between two lines of a phase without a terminal

_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)], "\ufffd")


class Console:
    """A printer of notes, steps and phases. On a terminal a phase is a bar, gone at its end."""

    def __init__(self, *, is_quiet: bool = False) -> None:
        # A notebook would show each line as an output of its own, so it gets plain text.
        rich = RichConsole(highlight=False, soft_wrap=True, force_jupyter=False, quiet=is_quiet)
        self._rich = (
            rich
            if rich.is_terminal and not is_quiet
            else RichConsole(
                highlight=False, width=_FILE_WIDTH, force_jupyter=False, quiet=is_quiet
            )
        )

    def note(self, text: str) -> None:
        """Print a text. Control characters are replaced."""
        self._rich.print(plain_text(text), markup=False, soft_wrap=True)

    def step(self, metrics: Mapping[str, float | int | str | bool | None], *, total: int) -> None:
        """Print one greppable line: `step=12/30 stage=short acc=0.412 ...`."""
        parts = [f"step={metrics['step']}/{total}", f"stage={metrics['stage']}"]
        has_components = any(key.startswith("reward/") and key != "reward/mean" for key in metrics)
        for label, key, form in (*(_REWARD if has_components else ()), *_SHOWN):
            value = metrics.get(key)
            parts.append(f"{label}={'-' if value is None else form.format(value)}")
        self.note(" ".join(parts))

    def print(self, table: Table) -> None:
        self._rich.print(table)

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a phase of `total` items and yield the function that counts finished items.

        Without a terminal a long phase prints a line every half minute.
        """
        if self._rich.quiet or not (self._rich.is_terminal and sys.stdout.isatty()):
            yield self._counter(name, total)
            return
        columns = (
            TextColumn("{task.description:>10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._rich, transient=True) as progress:
            task = progress.add_task(name, total=total)
            yield lambda done: progress.advance(task, done)

    def _counter(self, name: str, total: int) -> Callable[[int], None]:
        done, last = 0, time.monotonic()

        def count(n: int) -> None:
            nonlocal done, last
            done += n
            if time.monotonic() - last > _QUIET_S:
                last = time.monotonic()
                self.note(f"{name} {done}/{total}")

        return count


def plain_text(text: str) -> str:
    """Return a text without control characters: data must not control the terminal."""
    return text.translate(_CONTROLS)


@contextmanager
def silent(_name: str, _total: int) -> Iterator[Callable[[int], None]]:
    """Open a phase that shows no progress."""
    yield lambda _n: None
