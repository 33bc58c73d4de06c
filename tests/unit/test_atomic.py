"""Files that survive a crash."""

from reasonrl.atomic import whole_lines, write_atomic


def test_a_replaced_file_has_the_new_text_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "state.json"
    path.write_text("old")
    write_atomic(path, "new: é")
    assert path.read_text(encoding="utf-8") == "new: é"
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]


def test_a_missing_journal_has_no_lines(tmp_path):
    assert whole_lines(tmp_path / "journal.jsonl") == []


def test_an_incomplete_last_line_is_cut_off_the_file(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n{"a"')
    assert whole_lines(path) == [b'{"a": 1}', b'{"a": 2}']
    assert path.read_bytes() == b'{"a": 1}\n{"a": 2}\n'
    assert whole_lines(path) == [b'{"a": 1}', b'{"a": 2}']
