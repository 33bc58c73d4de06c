"""What an adapter is, and what all of them need: find the files, read rows, take out fields.

Copies of a benchmark differ in the names of fields and files, so both are given as alternatives.
Called by the adapters and `catalog`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from reasonrl.data.benchmarks.hub import HubFiles, download
from reasonrl.data.files import Number, read_rows
from reasonrl.errors import DataError
from reasonrl.types import Kind, Message, Problem

Style: TypeAlias = Literal["report", "instruction", "bare"]
Row: TypeAlias = Mapping[str, Any]

BOXED = "Let's think step by step and output the final answer within \\boxed{}."
"""What the report's AIME 2024 file adds to every problem. Its AIME 2025 file adds nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """Say where a benchmark's rows are and what becomes of one.

    `hub` names the published files, `local` the names that a copy below a directory may have.
    `read` makes a problem of a row, with its place in the file as id, or None where a row belongs
    to another split; `size` problems in all. `is_instructed` says whether the report's prompt has
    an instruction.
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
    """Return a benchmark's files: `path` itself, what lies below it, or downloads from the hub.

    `path` may be the benchmark's own folder or one that holds it. Raises DataError where there is
    no copy, or, if the benchmark `is_one` file, more than one.
    """
    if path is None:
        return download(hub, name)
    if path.is_file():
        return [path]
    for pattern in local:
        found = sorted(path.glob(pattern))
        found += sorted(one for one in path.parent.glob(pattern) if one.parent == path)
        found = list(dict.fromkeys(found))
        if len(found) > 1 and is_one:
            raise DataError(
                f"{len(found)} copies of {name}: {', '.join(one.name for one in found)}",
                where=str(path),
                expected="one",
                remedy="give the path of the one that is meant",
            )
        if found:
            return found
    raise DataError(
        f"no copy of {name}" if path.is_dir() else "no such file or directory",
        where=str(path),
        expected=f"a file of {name}, or a directory that holds one of {', '.join(local)}",
        remedy=f"put {', '.join(hub.files)} of the hub's {hub.repository} there, correct the path "
        "or leave it out to fetch them, or choose other suites with --suite",
    )


def read_problems(
    paths: Sequence[Path], read: Callable[[Row, str], Problem | None]
) -> list[Problem]:
    """Return the problems of some files, in order; raise DataError naming file and row."""
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
        raise DataError("no problems", where=str(paths[0]), expected="at least one")
    return problems


def _rows(paths: Sequence[Path]) -> Iterator[tuple[Path, int, object]]:
    for path in paths:
        for row, value in read_rows(path):
            yield path, row, value


def _as_row(value: object) -> Row:
    if isinstance(value, Mapping):
        return value
    raise DataError("a row that is no object", expected="one object a row")


def field(row: Row, *names: str) -> str:
    """Return the first of some fields that a row has, as text; a number as it was written."""
    for name in names:
        value = row.get(name)
        if isinstance(value, Number):
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
