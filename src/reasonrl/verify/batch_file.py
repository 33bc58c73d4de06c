"""Verify a JSONL file of responses into a JSONL file of verdicts.

Streams the rows in order, so that memory does not grow with the file. The output file appears
complete or not at all. Called by the command line (`reasonrl verify`).
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import IO, TypeVar

from reasonrl.errors import DataError, StorageError
from reasonrl.terminal import silent
from reasonrl.types import Kind, Phase, Status, StopReason, Task, Verdict, VerifyItem
from reasonrl.verify.code.verdict import CodeOptions
from reasonrl.verify.explain import is_disputed
from reasonrl.verify.verifier import DEFAULT_DEADLINE_S, Verifier

E = TypeVar("E", bound=StrEnum)

_CHUNK_ROWS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """The summary of a verified file.

    `disputed` holds the ids on which the two routes disagree; None without a cross-check.
    """

    counts: dict[Status, int]
    n_rows: int
    wall_s: float
    disputed: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    id: str
    item: VerifyItem


def verify_file(
    input_path: Path,
    output_path: Path,
    *,
    workers: int = 1,
    deadline_s: float = DEFAULT_DEADLINE_S,
    unboxed: bool = False,
    cross_check: bool = False,
    code: CodeOptions | None = None,
    phase: Phase = silent,
) -> VerifyReport:
    """Verify every row and write one verdict for each, in order.

    With `cross_check` math-verify judges again the rows that were decided without it. Each line
    then holds its status as `second`, and the report the ids of the rows on which the two disagree.
    `phase` shows the progress (see `types.Phase`). Raises DataError with file:row for a row that
    cannot be read; then nothing is written, and an older output file stays as it is.
    """
    start = time.perf_counter()
    counts: Counter[Status] = Counter()
    disputed: list[str] = []
    # Read all rows once before the work, so that even a bad last row is reported at once.
    n_rows = sum(1 for _ in _read_rows(input_path))
    with (
        phase("verify", n_rows) as progress,
        _whole_file(output_path) as sink,
        Verifier(workers=workers, deadline_s=deadline_s, unboxed=unboxed, code=code) as verifier,
    ):
        rows = _read_rows(input_path)
        while chunk := list(islice(rows, _CHUNK_ROWS)):
            items = [row.item for row in chunk]
            verdicts = verifier.verify_batch(items)
            seconds = verifier.second_opinions(items) if cross_check else [None] * len(items)
            for row, verdict, second in zip(chunk, verdicts, seconds, strict=True):
                extra = {"second": None if second is None else second.status} if cross_check else {}
                sink.write(_line(row.id, verdict, extra))
                counts[verdict.status] += 1
                if is_disputed(verdict, second):
                    disputed.append(row.id)
            progress(len(chunk))
    wall_s = time.perf_counter() - start
    return VerifyReport(
        counts=dict(counts),
        n_rows=counts.total(),
        wall_s=wall_s,
        disputed=tuple(disputed) if cross_check else None,
    )


@contextmanager
def _whole_file(path: Path) -> Iterator[IO[str]]:
    """Open a file that appears at `path` only when the block ends without an error."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise StorageError(
            f"cannot write: {error.strerror}", where=str(path), remedy="choose another --output"
        ) from error
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as sink:
            yield sink
        part.chmod(0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _read_rows(path: Path) -> Iterator[_Row]:
    if path.exists() and not path.is_file():
        raise DataError(
            "not a regular file", where=str(path), expected="a file that can be read twice"
        )
    try:
        with path.open(encoding="utf-8") as source:
            for number, line in enumerate(source, start=1):
                if line.strip():
                    yield _read_row(line, f"{path}:{number}")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"cannot be read: {error}", where=str(path), expected="a UTF-8 JSONL file"
        ) from error


def _read_row(line: str, where: str) -> _Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"not JSON: {error}", where=where, expected="one JSON object in each line"
        ) from error
    if not isinstance(row, dict):
        raise DataError("not a JSON object", where=where, expected="one JSON object in each line")
    if (identity := row.get("id")) is None or isinstance(identity, (dict, list)):
        raise DataError(f"id = {identity!r}", where=where, expected="a string or a number")
    kind = _read_enum(Kind, row, "kind", where)
    is_code = kind is Kind.CODE
    answer = _read_tests(row) if is_code else _read_text(row, "gold", where)
    task = Task(kind=kind or Kind.MATH, answer=answer)
    return _Row(
        id=str(identity),
        item=VerifyItem(
            task=task,
            response=_read_text(row, "response", where),
            stop_reason=_read_enum(StopReason, row, "stop_reason", where),
        ),
    )


def _read_tests(row: dict[str, object]) -> str:
    """Return the tests as an answer key; `limits` may be beside them or inside.

    Invalid tests are no error of the file: the verdict of the row will be NO_TESTS.
    """
    tests = row.get("tests")
    if isinstance(tests, dict) and "limits" in row:
        return json.dumps(tests | {"limits": row["limits"]})
    return tests if isinstance(tests, str) else json.dumps(tests)


def _read_text(row: dict[str, object], key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise DataError(f"{key} = {value!r}", where=where, expected="a string")
    return value


def _read_enum(kind: type[E], row: dict[str, object], key: str, where: str) -> E | None:
    """Return the member of an enum under a key, or None if the key is missing or null."""
    value = row.get(key)
    if value is None:
        return None
    try:
        return kind(str(value))
    except ValueError as error:
        raise DataError(
            f"{key} = {value!r}", where=where, expected=f"one of {[str(m) for m in kind]}"
        ) from error


def _line(identity: str, verdict: Verdict, extra: Mapping[str, Status | None]) -> str:
    fields: dict[str, object] = {
        "id": identity,
        "reward": verdict.reward,
        "status": verdict.status,
        "reason": verdict.reason,
        "extracted": verdict.extracted,
        "wall_s": round(verdict.wall_s, 6),
        **extra,
    }
    if verdict.tests:
        fields["tests"] = list(verdict.tests)
    return json.dumps(fields, ensure_ascii=False) + "\n"
