"""Files that survive a kill: a replaced file is old or new, a journal has only whole lines.

Records are read back with their type checked. A file that cannot be read, or holds anything else,
is a CheckpointError with the caller's remedy. What a record means is the caller's business.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, TypeVar

from pydantic import TypeAdapter, ValidationError

from reasonrl.errors import CheckpointError, StorageError

Record = TypeVar("Record")


def write_atomic(path: Path, text: str) -> None:
    """Replace a file's contents; they are on the disk when this returns."""
    scratch = path.with_name(f".{path.name}.writing")
    with scratch.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Flush a file, or the names in a directory, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def append_line(file: BinaryIO, line: bytes, *, what: str) -> None:
    """Append one line to an open journal; raise StorageError that names `what` on a full disk."""
    try:
        file.write(line + b"\n")
        file.flush()
    except OSError as error:
        raise StorageError(
            f"could not write {what} down: {error}",
            where=str(file.name),
            remedy="free space there, then rerun the same command",
        ) from error


def read_record(path: Path, adapter: TypeAdapter[Record], *, expected: str, remedy: str) -> Record:
    """Return the record that fills a JSON file.

    Raises CheckpointError, with what was `expected` and the `remedy`, when the file is missing or
    unreadable or holds anything else.
    """
    return _checked(_bytes(path, expected, remedy), adapter, str(path), expected, remedy)


def read_records(
    path: Path, adapter: TypeAdapter[Record], *, expected: str, remedy: str
) -> list[Record]:
    """Return the records of a journal in order, none if the file is missing.

    A last line that a kill left torn is cut off the file, so that the next line stands alone.
    Raises CheckpointError, with what was `expected` and the `remedy`, naming the first bad line.
    """
    if not path.exists():
        return []
    raw = _bytes(path, expected, remedy)
    whole = raw[: raw.rfind(b"\n") + 1]
    if len(whole) < len(raw):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return [
        _checked(line, adapter, f"{path}:{number}", expected, remedy)
        for number, line in enumerate(whole.splitlines(), start=1)
    ]


def _bytes(path: Path, expected: str, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"cannot be read: {error.strerror}", where=str(path), expected=expected, remedy=remedy
        ) from error


def _checked(
    raw: bytes, adapter: TypeAdapter[Record], where: str, expected: str, remedy: str
) -> Record:
    try:
        return adapter.validate_json(raw)
    except ValidationError as error:
        raise CheckpointError(
            f"cannot be read: {spoiled_part(error)}", where=where, expected=expected, remedy=remedy
        ) from error


def spoiled_part(error: ValidationError) -> str:
    """Return which part of a file is not as it was written."""
    key = ".".join(str(part) for part in error.errors()[0]["loc"])
    return f"{key} is not as it was written" if key else "it is not as it was written"
