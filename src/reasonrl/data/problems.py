"""Problem files, loaded as a whole or refused with the row that is wrong.

Does not skip bad rows, deduplicate, filter or download.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reasonrl.data.files import SUFFIXES, read_rows
from reasonrl.data.forms import RowForm
from reasonrl.data.rows import row_id
from reasonrl.data.splits import of_one_split
from reasonrl.errors import DataError
from reasonrl.types import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRow:
    """A row's place, and its problem or what is wrong with it."""

    where: str
    result: Problem | DataError


def load_problems(
    path: Path, form: RowForm | None = None, *, split: str | None = None
) -> list[Problem]:
    """Return the problems of a file or of a folder of files, in order.

    Every row is read before the first bad row is reported, with the number of all bad rows.
    docs/data.md lists the forms that a row may have. Raise DataError for a bad row, an empty file,
    a folder of several splits, or a file that cannot be read.
    """
    return collect_problems(rows_below(path, form or RowForm(), split=split), where=str(path))


def rows_below(path: Path, form: RowForm, *, split: str | None = None) -> Iterator[ReadRow]:
    """Yield the rows of a file or of a folder that the form keeps; ids are unique over all."""
    values = (
        (f"{file}:{row}", value)
        for file in problem_files(path, split)
        for row, value in read_rows(file)
    )
    return rows_of(values, form)


def problem_files(path: Path, split: str | None = None) -> list[Path]:
    """Return a file, or the files of a folder that belong to one split."""
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.rglob("*") if file.name.lower().endswith(SUFFIXES))
    if not files:
        raise DataError(
            "the folder holds no file of rows",
            where=str(path),
            expected=f"files that end in one of {', '.join(SUFFIXES)}",
            remedy="check the path",
        )
    return of_one_split(files, path, split)


def rows_of(values: Iterable[tuple[str, object]], form: RowForm) -> Iterator[ReadRow]:
    """Yield each value's problem, or what is wrong with it; not those that the form leaves out.

    A row without an id that repeats an earlier row gets the number of its repetition.
    """
    seen: dict[str, str] = {}
    repeats: Counter[str] = Counter()
    for where, value in values:
        try:
            if isinstance(value, DataError):
                raise value
            problem = form.problem(value)
            if problem is None:
                continue
            if problem.id in seen and problem.id == row_id(problem.prompt, problem.answer):
                repeats[problem.id] += 1
                problem = replace(problem, id=f"{problem.id}-{repeats[problem.id] + 1}")
            _check_is_new(problem.id, seen)
        except DataError as error:
            yield ReadRow(where=where, result=error)
            continue
        seen[problem.id] = where.rpartition(":")[2]
        yield ReadRow(where=where, result=problem)


def collect_problems(rows: Iterable[ReadRow], *, where: str) -> list[Problem]:
    """Return the problems of all rows; raise DataError for the first bad row, or for no row."""
    problems: list[Problem] = []
    bad: list[tuple[str, DataError]] = []
    for row in rows:
        if isinstance(row.result, DataError):
            bad.append((row.where, row.result))
        else:
            problems.append(row.result)
    if bad:
        raise _bad_rows(bad, n_rows=len(problems) + len(bad))
    if not problems:
        raise DataError(
            "no rows",
            where=where,
            expected="at least one problem",
            remedy="write the file again, name another file, or widen `where`",
        )
    return problems


def _check_is_new(problem_id: str, seen: Mapping[str, str]) -> None:
    if problem_id in seen:
        raise DataError(
            f'id "{problem_id[:80]}" repeats row {seen[problem_id]}',
            expected="ids that occur once",
            remedy="rename or drop one of the two",
        )


def _bad_rows(bad: list[tuple[str, DataError]], *, n_rows: int) -> DataError:
    where, error = bad[0]
    return DataError(
        f"{error.what} (the first of {len(bad)} bad rows in {n_rows})",
        where=where,
        expected=error.expected,
        remedy=error.remedy,
    )
