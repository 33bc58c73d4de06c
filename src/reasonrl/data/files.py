"""The rows of a file: JSON lines (also gzipped), one JSON list, Parquet, or CSV with a header.

Does not know the form of a problem. A row that cannot be read is yielded as a `DataError`, so that
the caller can continue and count the bad rows.
"""

from __future__ import annotations

import csv
import difflib
import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasonrl.errors import DataError

# Batches bound the memory: the released code split is 1.5 GB.
_PARQUET_BATCH_ROWS = 1024
_CSV_FIELD_CHARS = 64 << 20


@dataclass(frozen=True, slots=True)
class WrittenNumber:
    """A JSON number as it was written: 0.10 stays 0.10 and no digit is rounded."""

    text: str


def read_rows(path: Path) -> Iterator[tuple[int, object]]:
    """Yield (row, value) with rows counted from 1; for JSON lines the row is the line number.

    `value` is the row's JSON value, with each number as a `WrittenNumber`, or the `DataError` that
    says why the row cannot be read. Blank lines are skipped. Raise DataError if the file itself is
    missing, of an unknown type or incomplete.
    """
    _check_is_file(path)
    read = _reader_of(path)
    try:
        yield from read(path)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from error


def _reader_of(path: Path) -> Callable[[Path], Iterator[tuple[int, object]]]:
    name = path.name.lower()
    for suffix, reader in _READERS.items():
        if name.endswith(suffix):
            return reader
    raise DataError(
        f'unknown file type "{path.suffix}"',
        where=str(path),
        expected=f"a name that ends in one of {', '.join(_READERS)}",
        remedy="rename or convert the file",
    )


def _check_is_file(path: Path) -> None:
    if path.is_file():
        return
    names = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=1)
    raise DataError(
        "is a directory" if path.is_dir() else "no such file",
        where=str(path),
        expected="a file of problems",
        remedy=f"did you mean {near[0]}?"
        if near
        else "check the path; the recipe's comments may say where to get the file",
    )


def _read_json_lines(path: Path) -> Iterator[tuple[int, object]]:
    is_zipped = path.name.lower().endswith(".gz")
    with gzip.open(path, "rb") if is_zipped else path.open("rb") as lines:
        for row, line in enumerate(lines, start=1):
            if line.strip():
                yield row, _parse_line(line.removeprefix(b"\xef\xbb\xbf") if row == 1 else line)


def _parse_line(line: bytes) -> object:
    """Return the value of one line, or the DataError that says why it has none."""
    try:
        return _parse_json(line.decode("utf-8"))
    except DataError as error:
        return error
    except UnicodeDecodeError as error:
        return _wrong_encoding(error)


def _read_json_list(path: Path) -> Iterator[tuple[int, object]]:
    try:
        value = _parse_json(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _wrong_encoding(error, where=str(path)) from error
    except DataError as error:
        raise DataError(
            error.what, where=str(path), expected="one JSON list of objects", remedy=error.remedy
        ) from error
    if not isinstance(value, list):
        raise DataError(
            "holds one JSON value that is not a list",
            where=str(path),
            expected="a list of objects",
            remedy="wrap the rows in [ ], or rename a file with one object per line to .jsonl",
        )
    yield from enumerate(value, start=1)


def _parse_json(text: str) -> object:
    try:
        return json.loads(
            text, parse_int=WrittenNumber, parse_float=WrittenNumber, parse_constant=_refuse
        )
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if error.lineno > 1 else ""
        what = f"not JSON: {error.msg} at {line}column {error.colno}"
        raise DataError(what, expected="one JSON object", remedy="repair the row") from error
    except RecursionError as error:
        what = "not usable JSON: nested too deeply"
        raise DataError(what, expected="one JSON object", remedy="flatten the row") from error


def _refuse(constant: str) -> object:
    raise DataError(
        f"not JSON: {constant}", expected="finite numbers", remedy=f'write "{constant}" as a string'
    )


def _read_csv(path: Path) -> Iterator[tuple[int, object]]:
    """Yield the rows of a CSV file with a header; every value is text, and an empty one is null."""
    csv.field_size_limit(_CSV_FIELD_CHARS)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            for row, value in enumerate(reader, start=1):
                if None in value or None in value.values():
                    yield row, _torn_row(reader.fieldnames or ())
                    continue
                yield row, {key: text or None for key, text in value.items()}
    except UnicodeDecodeError as error:
        raise _wrong_encoding(error, where=str(path)) from error
    except csv.Error as error:
        raise _unreadable(path, error) from error


def _torn_row(columns: Sequence[str]) -> DataError:
    return DataError(
        "the row has more or fewer fields than the header",
        expected=f"{len(columns)} fields: {', '.join(columns)}",
        remedy='put a field with a comma in quotes: "a, b"',
    )


def _read_parquet(path: Path) -> Iterator[tuple[int, object]]:
    # pyarrow is slow to import and only Parquet files need it.
    import pyarrow
    import pyarrow.parquet

    row = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_PARQUET_BATCH_ROWS):
                for value in _batch_rows(batch):
                    row += 1
                    yield row, value
    except pyarrow.ArrowException as error:
        raise _unreadable(path, error) from error


def _batch_rows(batch: Any) -> list[object]:
    """Return the rows of a batch; a row that is not Unicode becomes a DataError."""
    try:
        rows: list[object] = batch.to_pylist()
    except UnicodeDecodeError:
        rows = [_single_row(batch.slice(index, 1)) for index in range(batch.num_rows)]
    return rows


def _single_row(batch: Any) -> object:
    try:
        return batch.to_pylist()[0]
    except UnicodeDecodeError as error:
        return _wrong_encoding(error)


def _unreadable(path: Path, error: BaseException) -> DataError:
    return DataError(
        f"cannot be read: {error}",
        where=str(path),
        expected=f"a whole, readable {''.join(path.suffixes[-2:])} file",
        remedy="check the file's permissions, or fetch or write the file again",
    )


def _wrong_encoding(error: UnicodeDecodeError, where: str = "") -> DataError:
    return DataError(
        f"not UTF-8: {error.reason} at byte {error.start}",
        where=where,
        expected="UTF-8 text",
        remedy="convert the file, for example with iconv -t UTF-8",
    )


_READERS: dict[str, Callable[[Path], Iterator[tuple[int, object]]]] = {
    ".jsonl": _read_json_lines,
    ".jsonl.gz": _read_json_lines,
    ".json": _read_json_list,
    ".parquet": _read_parquet,
    ".csv": _read_csv,
}

SUFFIXES = tuple(_READERS)
"""The endings of the files that can be read."""
