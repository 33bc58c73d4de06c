"""An answer against its own solution: what a broken sandbox says of a program is nothing."""

import pytest

from reasonrl.curation import answers
from reasonrl.curation.answers import check_answers
from reasonrl.curation.recipe import CleanConfig
from reasonrl.curation.rows import Reason
from reasonrl.types import Status, Verdict
from tests.unit.curation.support import candidate


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([Status.WRONG_ANSWER, Status.PASS], None),
        ([Status.INFRA_ERROR, Status.PASS], None),
        ([Status.WRONG_ANSWER, Status.WRONG_ANSWER], Reason.REFERENCE_FAILS),
        ([Status.WRONG_ANSWER, Status.INFRA_ERROR], Reason.NOT_JUDGED),
    ],
)
def test_a_reference_fails_only_where_it_was_run(statuses, expected, monkeypatch):
    told = [Verdict(reward=None if one is Status.INFRA_ERROR else 0.0, status=one)
            for one in statuses]  # fmt: skip

    def judge(_self, programs, _deadline_s):
        return [told.pop(0) for _ in programs]

    monkeypatch.setattr(answers.ProgramJudge, "judge", judge)
    row = candidate(kind="code", answer="{}", solution='["x = 1", "x = 2"]')
    (fault,) = check_answers([row], CleanConfig()).faults
    assert (fault and fault.reason) == expected
