"""Results that were paid for once: votes and attempts, kept on disk whatever thresholds become.

A ledger is one file of JSON lines. A killed process loses only the line that it was writing. Of two
lines with one key the later holds. Does not know what an entry means.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from reasonrl.atomic import append_line, read_records

Entry = TypeVar("Entry")


class Ledger(AbstractContextManager["Ledger[Entry]"], Generic[Entry]):
    """An open file of entries, each looked up by its key."""

    def __init__(self, path: Path, entry: type[Entry], key: Callable[[Entry], Hashable]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._adapter = TypeAdapter(entry)
        self._name = f"the {entry.__name__.lower()}"
        self._key = key
        self._entries = {key(known): known for known in read_entries(path, entry)}
        self._file = path.open("ab")

    @property
    def entries(self) -> Mapping[Hashable, Entry]:
        return self._entries

    def add(self, entry: Entry) -> None:
        """Write an entry to disk; raise StorageError when the disk is full."""
        self._entries[self._key(entry)] = entry
        append_line(self._file, self._adapter.dump_json(entry), what=self._name)

    def __exit__(self, *_error: object) -> None:
        with suppress(OSError):  # `add` has already reported a full disk
            self._file.close()


def read_entries(path: Path, entry: type[Entry]) -> list[Entry]:
    """Return the entries of a file in order, without a last line that a kill left torn."""
    return read_records(
        path,
        TypeAdapter(entry),
        expected="a line as the build wrote it",
        remedy=f"delete {path}; the build then pays again for what it holds",
    )
