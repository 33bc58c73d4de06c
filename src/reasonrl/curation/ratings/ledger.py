"""What was paid for once: votes and samples on disk, whatever is made of them later.

One file of lines, written as they come; a process that is killed loses only the line it wrote, and
of two lines on one thing the later holds. Called by `difficulty`, `endpoint`, `steps` and `build`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from reasonrl.atomic import whole_lines
from reasonrl.errors import CheckpointError, StorageError

Entry = TypeVar("Entry")


class Ledger(AbstractContextManager["Ledger[Entry]"], Generic[Entry]):
    """Own a file of entries, each found again by its key."""

    def __init__(self, path: Path, entry: type[Entry], key: Callable[[Entry], Hashable]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._adapter = TypeAdapter(entry)
        self._key = key
        self._entries = {key(one): one for one in read_entries(path, entry)}
        self._file = path.open("ab")

    @property
    def entries(self) -> Mapping[Hashable, Entry]:
        return self._entries

    def add(self, one: Entry) -> None:
        """Write an entry down; raise StorageError when the disk is full."""
        self._entries[self._key(one)] = one
        try:
            self._file.write(self._adapter.dump_json(one) + b"\n")
            self._file.flush()
        except OSError as error:
            raise StorageError(
                f"cannot be written on: {error}", where=self._file.name, remedy="free space there"
            ) from error

    def __exit__(self, *_error: object) -> None:
        with suppress(OSError):  # what a full disk refused has been said already
            self._file.close()


def read_entries(path: Path, entry: type[Entry]) -> list[Entry]:
    """Return the entries of a file in order, and cut off a last line that a kill left torn."""
    adapter, found = TypeAdapter(entry), []
    for number, line in enumerate(whole_lines(path), start=1):
        try:
            found.append(adapter.validate_json(line))
        except ValidationError as error:
            raise CheckpointError(
                f"no {entry.__name__.lower()}: {error.errors()[0]['msg']}",
                where=f"{path}:{number}",
                remedy=f"delete {path} to pay for what it holds anew",
            ) from error
    return found
