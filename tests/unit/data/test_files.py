"""Files: rows with their numbers as written, and unreadable rows as data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reasonrl.data.files import WrittenNumber, read_rows
from reasonrl.errors import DataError


def test_rows_of_json_lines_have_the_number_of_their_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 0.10}\n\n{"a": "x"}\n')
    assert list(read_rows(path)) == [(1, {"a": WrittenNumber("0.10")}), (3, {"a": "x"})]


def test_an_unreadable_line_is_yielded_as_its_error_and_reading_continues(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": \n{"a": "\xff"}\n{"a": NaN}\n{}\n')
    values = dict(read_rows(path))
    assert [isinstance(values[row], DataError) for row in (1, 2, 3, 4)] == [True] * 3 + [False]
    assert "not JSON" in str(values[1])
    assert "not UTF-8" in str(values[2])
    assert 'write "NaN" as a string' in str(values[3])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.tsv", "a", 'unknown file type ".tsv"'),
        ("rows.json", "{}", "one JSON value that is not a list"),
        ("rows.jsonl.gz", "no gzip", "cannot be read"),
        ("rows.parquet", "no parquet", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error(
    name: str, content: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        list(read_rows(path))
    assert caught.value.where == str(path)


def test_a_missing_file_is_compared_with_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(json.dumps({}))
    with pytest.raises(DataError, match=r"did you mean train\.jsonl\?"):
        list(read_rows(tmp_path / "trian.jsonl"))
