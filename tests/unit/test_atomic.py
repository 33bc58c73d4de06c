"""Files that survive a kill: what is read back, and what an unreadable file says."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from reasonrl.atomic import append_line, read_record, read_records, write_atomic
from reasonrl.errors import CheckpointError, StorageError


@dataclass(frozen=True)
class Count:
    name: str
    n: int


COUNT = TypeAdapter(Count)


def records(path):
    return read_records(path, COUNT, expected="a count", remedy="delete it")


def record(path):
    return read_record(path, COUNT, expected="a count", remedy="delete it")


def append(path, *lines):
    with path.open("ab") as file:
        for line in lines:
            append_line(file, line, what="a count")


def test_a_journal_that_does_not_exist_has_no_records(tmp_path):
    assert records(tmp_path / "j") == []
    assert not (tmp_path / "j").exists()


@pytest.mark.parametrize("left", range(1, 20))
def test_a_line_torn_at_any_byte_is_cut_off_and_the_next_line_stands_alone(tmp_path, left):
    path, lines = tmp_path / "j", [b'{"name":"a","n":1}', b'{"name":"b","n":2}']
    append(path, *lines)
    path.write_bytes(path.read_bytes()[: len(lines[0]) + left])
    assert records(path) == [Count("a", 1)]
    append(path, b'{"name":"c","n":3}')
    assert records(path) == [Count("a", 1), Count("c", 3)]


def test_a_bad_line_is_named_with_its_number_and_its_key(tmp_path):
    append(tmp_path / "j", b'{"name":"a","n":1}', b'{"name":"b","n":"many"}')
    with pytest.raises(CheckpointError, match="j:2: cannot be read: n is not as it was") as caught:
        records(tmp_path / "j")
    assert (caught.value.expected, caught.value.remedy) == ("a count", "delete it")


def test_a_record_is_read_back_as_it_was_written(tmp_path):
    write_atomic(tmp_path / "r", "an older and longer text that is replaced as a whole")
    write_atomic(tmp_path / "r", '{"name": "ä", "n": 1}\n')
    assert record(tmp_path / "r") == Count("ä", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"name": "a"}', '{"name": "a", "n": 1.5}'])
def test_a_file_that_holds_anything_else_is_an_error_with_its_remedy(tmp_path, text):
    (tmp_path / "r").write_text(text)
    with pytest.raises(CheckpointError, match=r"r: cannot be read: .*; expected a count; delete"):
        record(tmp_path / "r")


def test_a_file_that_cannot_be_opened_is_an_error_with_its_remedy(tmp_path):
    with pytest.raises(CheckpointError, match=r"No such file.*; expected a count; delete it"):
        record(tmp_path / "none")
    with pytest.raises(CheckpointError, match=r"Is a directory.*; expected a count; delete it"):
        records(tmp_path)


def test_a_full_disk_is_named_with_what_could_not_be_written():
    with (
        Path("/dev/full").open("ab", buffering=0) as file,
        pytest.raises(StorageError, match="/dev/full: could not write a count down"),
    ):
        append_line(file, b"{}", what="a count")
