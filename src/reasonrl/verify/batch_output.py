"""The file of verdicts: its lines, the verdicts that a rerun may keep, and the order at the end.

Lines are appended and flushed as verdicts come. A line carries a hash of its row and of all that
decided the verdict, so that a rerun keeps it only if judging again would do the same work again.
Called by `batch_file`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import BinaryIO

import reasonrl
from reasonrl.atomic import append_line
from reasonrl.errors import DataError, StorageError
from reasonrl.types import Status, Verdict
from reasonrl.verify.batch_rows import Row
from reasonrl.verify.code.verdict import CodeOptions

HASH = "hash"
"""The key of the hash in a line of the output."""

_ALGEBRA = ("math-verify", "latex2sympy2-extended", "sympy", "mpmath")
_JUDGED_AGAIN = (Status.TIMEOUT, Status.INFRA_ERROR)
"""Statuses that say something about the machine at that moment, and nothing about the row."""


def judge_hash(*, unboxed: bool, cross_check: bool, code: CodeOptions) -> bytes:
    """Return a hash of all that decides a verdict besides the row: options, code, versions."""
    hashed = hashlib.sha256(
        json.dumps([unboxed, cross_check, asdict(code), sys.version, reasonrl.__version__]).encode()
    )
    for package in _ALGEBRA:
        hashed.update(metadata.version(package).encode())
    room = Path(__file__).parent
    for path in sorted(room.rglob("*.py")):
        hashed.update(str(path.relative_to(room)).encode() + b"\0" + path.read_bytes())
    return hashed.digest()


def row_hash(row: Row, judge: bytes) -> str:
    """Return the hash that a line of the output carries."""
    return hashlib.sha256(judge + row.text).hexdigest()[:16]


def verdict_line(
    row: Row, verdict: Verdict, extra: Mapping[str, Status | None], judge: bytes
) -> str:
    """Return the line of a verdict; `extra` holds more of its fields."""
    fields: dict[str, object] = {
        "id": row.id,
        "reward": verdict.reward,
        "status": verdict.status,
        "reason": verdict.reason,
        "extracted": verdict.extracted,
        "wall_s": round(verdict.wall_s, 6),
        **extra,
    }
    if verdict.tests:
        fields["tests"] = list(verdict.tests)
    return json.dumps(fields | {HASH: row_hash(row, judge)}, ensure_ascii=False)


def fault_line(row: Row, fault: str) -> str:
    """Return the line of a row that could not be judged."""
    return json.dumps({"id": row.id, "error": fault}, ensure_ascii=False)


class VerdictFile:
    """The output while it is written; it never holds the verdict of a row that has changed.

    `kept` maps the hashes of verdicts from an earlier run to their places in the file.
    """

    def __init__(self, path: Path, file: BinaryIO, kept: Mapping[str, int]) -> None:
        self.kept = kept
        self._path = path
        self._file = file
        self._places: list[int] = []

    def add(self, line: str) -> None:
        """Append the line of the next row; it survives a kill of this process."""
        self._places.append(self._file.seek(0, os.SEEK_END))
        # An escape of half a surrogate pair stays an escape: no UTF-8 file can hold it otherwise.
        append_line(self._file, line.encode("utf-8", "backslashreplace"), what="a verdict")

    def keep(self, place: int) -> tuple[Verdict, Verdict | None]:
        """Keep a line of an earlier run as the next row's; return its verdict and the second."""
        self._places.append(place)
        self._file.seek(place)
        fields = json.loads(self._file.readline())
        second = fields.get("second")
        verdict = Verdict(reward=fields["reward"], status=Status(fields["status"]))
        return verdict, Verdict(reward=None, status=Status(second)) if second else None

    def finish(self) -> None:
        """Bring the lines into the order of the rows, unless they have it already."""
        if self._places != sorted(self._places):
            _rewrite(self._path, self._places)


@contextmanager
def open_output(path: Path, wanted: Set[str]) -> Iterator[VerdictFile]:
    """Open the output; keep the verdicts whose hashes are wanted, and drop all other lines.

    Raises DataError for a file that holds other lines than verdicts, and StorageError for a place
    that cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "not a regular file")
        kept = _keep(path, wanted)
        file = path.open("a+b")
    except OSError as error:
        raise StorageError(
            f"cannot write: {error.strerror}", where=str(path), remedy="choose another --output"
        ) from error
    with file:
        yield VerdictFile(path, file, kept)


def _keep(path: Path, wanted: Set[str]) -> dict[str, int]:
    """Leave only the wanted verdicts in the file; return their places by hash."""
    if not path.exists():
        return {}
    places: dict[str, int] = {}
    place = n_lines = 0
    with path.open("rb") as file:
        for n_lines, line in enumerate(file, start=1):
            # A last line without its end was torn by a kill.
            fields = _fields(line, f"{path}:{n_lines}") if line.endswith(b"\n") else {}
            if fields.get(HASH) in wanted and fields.get("status") not in _JUDGED_AGAIN:
                places[str(fields[HASH])] = place
            place += len(line)
    if len(places) == n_lines:
        return places
    return dict(zip(places, _rewrite(path, places.values()), strict=True))


def _fields(line: bytes, where: str) -> dict[str, object]:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or "id" not in fields or not {"status", "error"} & set(fields):
        raise DataError(
            "not a verdict, so this file is not overwritten",
            where=where,
            remedy="choose another --output, or delete the file",
        )
    return fields


def _rewrite(path: Path, places: Iterable[int]) -> list[int]:
    """Replace the file at once by its lines at these places; return their new places."""
    scratch = path.with_name(f".{path.name}.writing")
    new: list[int] = []
    with path.open("rb") as file, scratch.open("wb") as sink:
        for place in places:
            file.seek(place)
            new.append(sink.tell())
            sink.write(file.readline())
    scratch.replace(path)
    return new
