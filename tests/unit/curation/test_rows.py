"""Candidates on disk: what is read back is what was written, and the digest sees every value."""

from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from reasonrl.curation.rows import (
    Dropped,
    Fault,
    Reason,
    content_of,
    digest,
    read_column,
    read_dropped,
    read_kept,
    storable,
    write_dropped,
    write_kept,
)
from reasonrl.errors import CheckpointError
from tests.unit.curation.support import candidate

ROWS = [
    candidate(uid="s-0", problem="ß = π?\r\n", solution='a "b" \\c', rollouts='{"m":[1,2]}'),
    candidate(uid="s-1", kind="code", answer='{"inputs": []}', origin="x.jsonl:2"),
]  # fmt: skip
DROPPED = [
    Dropped(candidate=ROWS[0], fault=Fault(reason=Reason.PROOF, detail="Prove that")),
    Dropped(
        candidate=ROWS[1],
        fault=Fault(reason=Reason.NEAR_DUPLICATE, other="s-0", similarity=0.8125),
    ),
]


def test_rows_are_read_back_as_they_were_written(tmp_path):
    write_kept(tmp_path / "kept", ROWS)
    write_dropped(tmp_path / "dropped", DROPPED)
    assert read_kept(tmp_path / "kept") == ROWS
    assert read_dropped(tmp_path / "dropped") == DROPPED
    for name in ("kept", "dropped"):
        assert read_column(tmp_path / name, "uid") == ["s-0", "s-1"]


def test_files_without_rows_can_be_read(tmp_path):
    write_kept(tmp_path / "kept", [])
    assert read_kept(tmp_path / "kept") == read_column(tmp_path / "kept", "uid") == []


def test_the_digest_does_not_depend_on_how_rows_are_stored(tmp_path):
    write_kept(tmp_path / "kept", ROWS)
    pq.write_table(pq.read_table(tmp_path / "kept"), tmp_path / "plain", compression="none")
    assert (tmp_path / "kept").read_bytes() != (tmp_path / "plain").read_bytes()
    assert digest(read_kept(tmp_path / "plain")) == digest(ROWS)


@pytest.mark.parametrize(
    "changed",
    [
        [replace(ROWS[0], difficulty="x"), ROWS[1]],
        [ROWS[1], ROWS[0]],
        ROWS[:1],
        [replace(ROWS[0], uid="s-", source="0s"), ROWS[1]],  # a character moves to the next field
    ],
)
def test_the_digest_sees_every_value_and_the_order(changed):
    assert digest(changed) != digest(ROWS)


def test_the_digest_of_dropped_rows_sees_the_fault():
    other = replace(DROPPED[1], fault=replace(DROPPED[1].fault, similarity=0.8126))
    assert digest([DROPPED[0], other]) != digest(DROPPED)


def test_a_content_hash_sees_problem_and_answer_alone():
    row = candidate()
    assert content_of(replace(row, uid="t-9", source="t", solution="1")) == content_of(row)
    assert content_of(replace(row, answer="3")) != content_of(row)


def test_text_that_no_file_can_hold_is_escaped(tmp_path):
    text = storable("a\ud800ß")
    assert text == "a\\ud800ß"
    write_kept(tmp_path / "kept", [candidate(problem=text)])
    assert read_kept(tmp_path / "kept")[0].problem == text


def test_a_file_of_other_columns_is_an_error_that_names_the_step(tmp_path):
    path = tmp_path / "2-clean" / "kept" / "00-00000.parquet"
    path.parent.mkdir(parents=True)
    path.write_text("text")
    with pytest.raises(CheckpointError, match=r"cannot be read: .*delete .*2-clean to make"):
        read_kept(path)
