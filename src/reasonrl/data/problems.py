"""Problem files, loaded as a whole or refused with the row that is wrong.

Does not skip bad rows, deduplicate, filter or download.
"""

from __future__ import annotations

from pathlib import Path

from reasonrl.data.files import read_rows
from reasonrl.data.rows import parse_row
from reasonrl.errors import DataError
from reasonrl.types import Problem


def load_problems(path: Path) -> list[Problem]:
    """Return the problems of a .jsonl, .jsonl.gz, .json or .parquet file, in file order.

    Every row is read before the first bad row is reported, with the number of all bad rows.
    docs/data.md lists the forms that a row may have. Raise DataError for a bad row, an empty file
    or a file that cannot be read.
    """
    problems: list[Problem] = []
    row_by_id: dict[str, int] = {}
    bad: list[tuple[int, DataError]] = []
    for row, value in read_rows(path):
        try:
            if isinstance(value, DataError):
                raise value
            problem = parse_row(value)
            _check_is_new(problem.id, row_by_id)
        except DataError as error:
            bad.append((row, error))
            continue
        row_by_id[problem.id] = row
        problems.append(problem)
    if bad:
        raise _bad_rows(path, bad, n_rows=len(problems) + len(bad))
    if not problems:
        raise DataError(
            "no rows",
            where=str(path),
            expected="at least one problem",
            remedy="write the file again, or name another file",
        )
    return problems


def _check_is_new(problem_id: str, row_by_id: dict[str, int]) -> None:
    if problem_id in row_by_id:
        raise DataError(
            f'id "{problem_id[:80]}" repeats row {row_by_id[problem_id]}',
            expected="ids that occur once",
            remedy="rename or drop one of the two",
        )


def _bad_rows(path: Path, bad: list[tuple[int, DataError]], *, n_rows: int) -> DataError:
    row, error = bad[0]
    return DataError(
        f"{error.what} (the first of {len(bad)} bad rows in {n_rows})",
        where=f"{path}:{row}",
        expected=error.expected,
        remedy=error.remedy,
    )
