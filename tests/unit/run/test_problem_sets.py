"""A run keeps to the problems that it began with."""

from dataclasses import replace

import pytest

from reasonrl.errors import CheckpointError
from reasonrl.run.problem_sets import (
    ProblemSet,
    keep_manifest,
    problems_digest,
    prompts_digest,
    read_manifest,
)
from tests.unit.loop.support import problems

SET = ProblemSet(
    use="stage long", sources=(), n=4, problems="a", prompts="b", ids="i", answers="k", columns="c"
)


def test_the_same_problems_pass_and_others_are_named(tmp_path):
    assert read_manifest(tmp_path) == ()
    keep_manifest(tmp_path, [SET])
    keep_manifest(tmp_path, [SET])
    assert read_manifest(tmp_path) == (SET,)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"columns": "z"}, "other columns, which rewards may look at, have changed"),
        ({"problems": "c"}, "the texts of the prompts have changed"),
        ({"problems": "c", "answers": "z"}, "the answers have changed"),
        ({"problems": "c", "answers": "z", "ids": "z"}, "the ids and answers have changed"),
        ({"problems": "c", "n": 3}, "there are 3 problems and no longer 4"),
        ({"prompts": "c"}, "the chat template makes other token ids of the prompts"),
    ],
)
def test_what_has_changed_is_named_and_a_branch_is_offered(tmp_path, changed, said):
    keep_manifest(tmp_path, [SET])
    with pytest.raises(CheckpointError) as caught:
        keep_manifest(tmp_path, [replace(SET, **changed)])
    assert f"stage long: {said} since the run began" in str(caught.value)
    assert f"`reasonrl train RECIPE --from {tmp_path}`" in str(caught.value)


def test_a_manifest_without_hashes_of_the_parts_is_still_compared(tmp_path):
    old = ProblemSet(use="stage long", sources=(), n=4, problems="a", prompts="b")
    keep_manifest(tmp_path, [old])
    with pytest.raises(CheckpointError, match="the problems have changed"):
        keep_manifest(tmp_path, [replace(SET, problems="c")])


def test_a_file_that_is_no_manifest_says_how_to_continue(tmp_path):
    (tmp_path / "data.json").write_text('[{"use": 1}]')
    with pytest.raises(CheckpointError, match="delete the file to resume"):
        read_manifest(tmp_path)


def test_hashes_see_answers_order_and_token_ids():
    three = problems(3)
    other = replace(three[0], problem=replace(three[0].problem, answer="999"))
    assert problems_digest(three) == problems_digest(problems(3))
    assert problems_digest([other, *three[1:]]) != problems_digest(three)
    assert problems_digest(three[::-1]) != problems_digest(three)
    assert prompts_digest([other, *three[1:]]) == prompts_digest(three)
    longer = replace(three[0], tokens=three[1].tokens)
    assert prompts_digest([longer, *three[1:]]) != prompts_digest(three)
