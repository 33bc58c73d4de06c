"""The journal of an evaluation: what a killed process leaves, and what is no journal."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from reasonrl.errors import CheckpointError, VerifierError
from reasonrl.evaluation.journal import FileJournal, Identity
from reasonrl.evaluation.suite import Draft, evaluate_suite
from reasonrl.rollout.problems import EncodedProblem
from reasonrl.types import Problem, Sampling, Status, StopReason, Verdict


def draft(*tokens):
    return Draft(tokens=np.asarray(tokens, dtype=np.int32), logprob=-1.5, stop=StopReason.STOP)


SAME = Identity(weights="w", problems="p", prompts="t")
VERDICT = Verdict(reward=1.0, status=Status.PASS, reason="é\n", tests=(Status.PASS,), wall_s=0.5)


@pytest.fixture
def written(tmp_path):
    """A folder with two drafts, one of them judged."""
    journal = FileJournal(tmp_path / "j", SAME)
    journal.add_draft(("p", 0), draft(1, 2))
    journal.add_draft(("p", 1), draft(3))
    journal.add_verdicts({("p", 0): VERDICT})
    journal.close()
    return tmp_path / "j"


def test_what_was_written_is_read_back(written):
    journal = FileJournal(written, SAME)
    assert list(journal.drafts()) == [("p", 0), ("p", 1)]
    assert journal.drafts()["p", 0].tokens.tolist() == [1, 2]
    assert journal.drafts()["p", 0].logprob == -1.5
    assert journal.verdicts() == {("p", 0): VERDICT}
    journal.close()


def test_a_draft_is_on_disk_before_the_next_is_sampled(tmp_path):
    journal = FileJournal(tmp_path / "j", SAME)
    journal.add_draft(("p", 0), draft(1))
    other = FileJournal(tmp_path / "j", SAME)  # as another process would after a kill
    assert ("p", 0) in other.drafts()
    journal.close()
    other.close()


@pytest.mark.parametrize("torn", [1, 20, 50])
def test_a_torn_line_is_cut_off_and_the_next_one_stays_whole(written, torn):
    path = written / "drafts.jsonl"
    path.write_bytes(path.read_bytes()[:-torn])
    journal = FileJournal(written, SAME)
    assert list(journal.drafts()) == [("p", 0)]
    journal.add_draft(("p", 1), draft(4, 5))
    journal.close()
    again = FileJournal(written, SAME)
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
        FileJournal(written, SAME)


def test_a_sample_twice_is_refused(written):
    path = written / "drafts.jsonl"
    path.write_text(path.read_text() + path.read_text().splitlines()[0] + "\n")
    with pytest.raises(CheckpointError, match="the same sample occurs twice"):
        FileJournal(written, SAME)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [("weights", "other weights"), ("problems", "other problems"), ("prompts", "chat template")],
)
def test_samples_of_something_else_are_not_gone_on_with(written, changed, expected):
    with pytest.raises(CheckpointError, match=expected):
        FileJournal(written, replace(SAME, **{changed: "other"}))


FAILED = Verdict(reward=None, status=Status.INFRA_ERROR)


def test_the_later_of_two_verdicts_holds(written):
    journal = FileJournal(written, SAME)
    journal.add_verdicts({("p", 1): FAILED})
    journal.add_verdicts({("p", 1): VERDICT})
    journal.close()
    again = FileJournal(written, SAME)
    assert again.verdicts()["p", 1] == VERDICT
    again.close()


def evaluate(journal, judge, *, k=3, n=70):
    """Evaluate made-up drafts: all of them are in the journal, so no engine is asked."""
    tokens = np.asarray([1], dtype=np.int32)
    encoded = [
        EncodedProblem(problem=Problem(id=f"p{n}", prompt=(), answer="1"), tokens=tokens)
        for n in range(n)
    ]
    for item in encoded:
        for index in range(k):
            if (item.problem.id, index) not in journal.drafts():
                journal.add_draft((item.problem.id, index), draft(1))

    @contextmanager
    def phase(_name, _total):
        yield lambda _done: None

    class Text:
        def decode(self, _tokens):
            return "1"

    return evaluate_suite(
        "s", None, Text(), judge, encoded, Sampling(max_new_tokens=1, group_size=k),
        run_seed=1, step=0, max_failed_share=0.5, phase=phase, journal=journal,
    )  # fmt: skip


def test_a_verifier_that_was_mended_is_asked_again(tmp_path):
    journal = FileJournal(tmp_path / "j", SAME)
    with pytest.raises(VerifierError, match="could not be judged"):
        evaluate(journal, lambda answers: [FAILED] * len(answers))
    journal.close()
    journal = FileJournal(tmp_path / "j", SAME)
    result = evaluate(journal, lambda answers: [VERDICT] * len(answers))
    journal.close()
    assert (result.accuracy.value, result.failed) == (1.0, 0)


def test_killed_while_judging_only_what_has_no_verdict_is_judged(tmp_path):
    asked = []

    def dies_in_the_second_batch(answers):
        if asked:
            raise KeyboardInterrupt
        asked.extend(answers)
        return [VERDICT] * len(answers)

    def goes_on(answers):
        asked.extend(answers)
        return [VERDICT] * len(answers)

    journal = FileJournal(tmp_path / "j", SAME)
    with pytest.raises(KeyboardInterrupt):
        evaluate(journal, dies_in_the_second_batch)
    journal.close()
    assert 0 < len(asked) < 210
    journal = FileJournal(tmp_path / "j", SAME)
    assert evaluate(journal, goes_on).n_problems == 70
    journal.close()
    assert len(asked) == 210
