"""The adapter of a benchmark, and the steps that all adapters share: find files, read rows, fields.

Copies of a benchmark differ in the names of their files and fields, so an adapter lists
alternatives for both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from reasonrl.data.benchmarks.hub import HubFiles, download
from reasonrl.data.files import WrittenNumber, read_rows
from reasonrl.errors import DataError
from reasonrl.types import Kind, Message, Problem

Style: TypeAlias = Literal["report", "instruction", "bare"]
Half: TypeAlias = Literal["train", "test"]
"""The half of a benchmark: its problems to train on, or those that it is scored by."""
Row: TypeAlias = Mapping[str, Any]

BOXED = "Let's think step by step and output the final answer within \\boxed{}."
"""The report's AIME 2024 file adds this text to every problem; its AIME 2025 file adds nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkAdapter:
    """The files of one half of a benchmark, and the function that reads one row.

    `hub` names the published files, `local` lists patterns for a copy below a directory. `read`
    takes a row and its index, for the id, and returns a problem, or None if the row belongs to
    the other half. The half has `size` problems. `is_instructed` means that the report's prompt
    has an instruction.
    """

    name: str
    kind: Kind
    hub: HubFiles
    local: tuple[str, ...]
    read: Callable[[Row, str], Problem | None]
    size: int
    is_instructed: bool = True


def find_files(
    hub: HubFiles, local: Sequence[str], path: Path | None, name: str, *, is_one: bool = True
) -> list[Path]:
    """Return a benchmark's files: `path` itself, files below it, or downloads from the hub.

    `path` may be the benchmark's folder or a folder above it. Raises DataError if there is no copy,
    or if a benchmark of a single file (`is_one`) has several copies.
    """
    if path is None:
        return download(hub, name)
    if path.is_file():
        return [path]
    for pattern in local:
        copies = sorted(path.glob(pattern))
        copies += sorted(file for file in path.parent.glob(pattern) if file.parent == path)
        copies = list(dict.fromkeys(copies))
        if len(copies) > 1 and is_one:
            raise DataError(
                f"{len(copies)} copies of {name}: {', '.join(copy.name for copy in copies)}",
                where=str(path),
                expected="one copy",
                remedy="pass the path of one of these files",
            )
        if copies:
            return copies
    raise DataError(
        f"no copy of {name}" if path.is_dir() else "no such file or directory",
        where=str(path),
        expected=f"a file of {name}, or a directory that holds one of {', '.join(local)}",
        remedy=f"put {', '.join(hub.files)} of the hub's {hub.repository} there, correct the path, "
        "omit the path to fetch the files, or choose other suites with --suite",
    )


def read_problems(
    paths: Sequence[Path], read: Callable[[Row, str], Problem | None]
) -> list[Problem]:
    """Return the problems of several files, in order; a DataError names file and row."""
    problems: list[Problem] = []
    for path, row, value in _rows(paths):
        try:
            if isinstance(value, DataError):
                raise value
            problem = read(_as_row(value), str(len(problems)))
        except DataError as error:
            raise DataError(
                error.what, where=f"{path}:{row}", expected=error.expected, remedy=error.remedy
            ) from error
        if problem is not None:
            problems.append(problem)
    if not problems:
        raise DataError(
            "no problems",
            where=str(paths[0]),
            expected="at least one problem",
            remedy="check that this is the right file",
        )
    return problems


def _rows(paths: Sequence[Path]) -> Iterator[tuple[Path, int, object]]:
    for path in paths:
        for row, value in read_rows(path):
            yield path, row, value


def _as_row(value: object) -> Row:
    if isinstance(value, Mapping):
        return value
    raise DataError(
        "a row that is not an object",
        expected="one object per row",
        remedy="check that this is the right file",
    )


def field(row: Row, *names: str) -> str:
    """Return the text of the first of `names` that the row has; a number as it was written."""
    for name in names:
        value = row.get(name)
        if isinstance(value, WrittenNumber):
            return value.text
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str) and value.strip():
            return value
    raise DataError(
        f"no text in {' or '.join(names)}",
        expected=f"a row of this benchmark; found {', '.join(map(str, row)) or 'nothing'}",
        remedy="check that this is the right file",
    )


def user_turn(text: str) -> tuple[Message, ...]:
    """Return a prompt of one user turn."""
    return (Message(role="user", content=text),)
