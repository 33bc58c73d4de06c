"""Adapters: where a copy of a benchmark is found, and the fields of its rows."""

import pytest

from reasonrl.data.benchmarks.adapter import field, find_files, read_problems
from reasonrl.data.benchmarks.hub import HubFiles
from reasonrl.data.files import WrittenNumber
from reasonrl.errors import DataError
from reasonrl.types import Problem

HUB = HubFiles("owner/set", ("test.jsonl",))
PATTERNS = ("set.*", "*/set.*")


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_a_copy_is_found_in_its_folder_and_from_the_folder_above(tmp_path):
    path = touch(tmp_path / "sets/set.jsonl")
    for start in (path, path.parent, tmp_path):
        assert find_files(HUB, PATTERNS, start, "set") == [path]


def test_an_earlier_pattern_wins_over_a_later_one(tmp_path):
    near, far = touch(tmp_path / "set.jsonl"), touch(tmp_path / "old/set.jsonl")
    assert find_files(HUB, PATTERNS, tmp_path, "set") == [near]
    assert find_files(HUB, PATTERNS, far.parent, "set") == [far]


def test_a_missing_copy_names_the_published_files(tmp_path):
    with pytest.raises(DataError, match=r"no copy of set.*put test\.jsonl of the hub's owner/set"):
        find_files(HUB, PATTERNS, tmp_path, "set")


def test_the_first_field_with_text_is_taken():
    assert field({"a": " ", "b": "x"}, "a", "b") == "x"
    assert field({"a": WrittenNumber("0.50")}, "a") == "0.50"
    assert field({"a": 7}, "a") == "7"
    for row in ({"a": True}, {"a": None}, {}):
        with pytest.raises(DataError, match="no text in a or b"):
            field(row, "a", "b")


def test_indices_count_the_problems_and_not_the_rows_of_other_splits(tmp_path):
    def read(row, index):
        if row["split"] == "train":
            return None
        return Problem(id=index, prompt=(), answer="1")

    path = tmp_path / "set.jsonl"
    path.write_text('{"split": "train"}\n{"split": "test"}\n{"split": "test"}\n')
    assert [problem.id for problem in read_problems([path], read)] == ["0", "1"]


def test_an_error_names_the_file_and_the_row(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text('{"a": "x"}\n[1]\n')
    with pytest.raises(DataError, match=r"set\.jsonl:2: a row that is not an object"):
        read_problems([path], lambda _row, index: Problem(id=index, prompt=(), answer="1"))
