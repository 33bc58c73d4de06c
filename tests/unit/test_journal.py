"""The journal of an evaluation: what a killed process leaves, and what is no journal."""

import numpy as np
import pytest

from reasonrl.errors import CheckpointError
from reasonrl.evaluate import Draft
from reasonrl.journal import FileJournal
from reasonrl.types import Status, StopReason, Verdict


def draft(*tokens):
    return Draft(tokens=np.asarray(tokens, dtype=np.int32), logprob=-1.5, stop=StopReason.STOP)


VERDICT = Verdict(reward=1.0, status=Status.PASS, reason="é\n", tests=(Status.PASS,), wall_s=0.5)


@pytest.fixture
def written(tmp_path):
    """A folder with two drafts, one of them judged."""
    journal = FileJournal(tmp_path / "j")
    journal.add_draft(("p", 0), draft(1, 2))
    journal.add_draft(("p", 1), draft(3))
    journal.add_verdicts({("p", 0): VERDICT})
    journal.close()
    return tmp_path / "j"


def test_what_was_written_is_read_back(written):
    journal = FileJournal(written)
    assert list(journal.drafts()) == [("p", 0), ("p", 1)]
    assert journal.drafts()["p", 0].tokens.tolist() == [1, 2]
    assert journal.drafts()["p", 0].logprob == -1.5
    assert journal.verdicts() == {("p", 0): VERDICT}
    journal.close()


def test_a_draft_is_on_disk_before_the_next_is_sampled(tmp_path):
    journal = FileJournal(tmp_path / "j")
    journal.add_draft(("p", 0), draft(1))
    other = FileJournal(tmp_path / "j")  # as another process would after a kill
    assert ("p", 0) in other.drafts()
    journal.close()
    other.close()


@pytest.mark.parametrize("torn", [1, 20, 50])
def test_a_torn_line_is_cut_off_and_the_next_one_stays_whole(written, torn):
    path = written / "drafts.jsonl"
    path.write_bytes(path.read_bytes()[:-torn])
    journal = FileJournal(written)
    assert list(journal.drafts()) == [("p", 0)]
    journal.add_draft(("p", 1), draft(4, 5))
    journal.close()
    again = FileJournal(written)
    assert again.drafts()["p", 1].tokens.tolist() == [4, 5]
    again.close()


@pytest.mark.parametrize(
    "line",
    ['{"problem_id": "p"}', "[]", "not json", '{"problem_id": "p", "index": 0, "tokens": "x", '
     '"logprob": 0, "stop": "stop"}'],
)  # fmt: skip
def test_a_line_that_no_evaluation_wrote_is_named(written, line):
    with (written / "drafts.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(CheckpointError, match=r"drafts.jsonl:3"):
        FileJournal(written)


def test_a_sample_twice_is_refused(written):
    path = written / "drafts.jsonl"
    path.write_text(path.read_text() + path.read_text().splitlines()[0] + "\n")
    with pytest.raises(CheckpointError, match=r"drafts.jsonl:3: a sample that an earlier line has"):
        FileJournal(written)
