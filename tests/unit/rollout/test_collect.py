"""From problems to judged groups, on a fake engine."""

import pytest

from reasonrl.engines.fake import FakeEngine
from reasonrl.errors import EngineError, VerifierError
from reasonrl.rollout.collect import collect
from reasonrl.rollout.judge import check_failures
from reasonrl.types import Sampling, Status, Verdict
from tests.unit.loop.support import Letters, groups_of, problems


def test_verdicts_and_texts_belong_to_their_rollouts():
    groups = groups_of(FakeEngine(), lambda number: number / 100, n=3, size=4)
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    assert [rollout.verdict.reward for rollout in rollouts] == [n / 100 for n in range(12)]
    assert [rollout.index for rollout in rollouts] == [0, 1, 2, 3] * 3
    assert all(rollout.text == Letters().decode(rollout.completion.tokens) for rollout in rollouts)
    names = [item.problem.id for item in problems(3)]
    assert [group.problem.id for group in groups] == names
    assert rollouts[5].id == f"train-1-0/{names[1]}/1"


def test_a_rollout_does_not_depend_on_the_problems_beside_it():
    together = groups_of(FakeEngine(), lambda _: 1.0, n=3)
    alone = groups_of(FakeEngine(), lambda _: 1.0, n=1)
    pairs = zip(together[0].rollouts, alone[0].rollouts, strict=True)
    assert all((a.completion.tokens == b.completion.tokens).all() for a, b in pairs)


def test_every_completion_is_counted():
    counted = []
    collect(
        FakeEngine(), Letters(), lambda items: [Verdict(reward=1.0, status=Status.CORRECT)] *
        len(items), problems(2), Sampling(max_new_tokens=3, group_size=4), seed_parts=(1,),
        progress=counted.append,
    )  # fmt: skip
    assert sum(counted) == 8


def test_incomplete_groups_are_an_error_of_the_engine():
    class Lazy(FakeEngine):
        def generate(self, prompts, sampling, *, on_finished=None):
            return [group[1:] for group in super().generate(prompts, sampling)]

    with pytest.raises(EngineError, match="4 rollouts of each prompt"):
        groups_of(Lazy(), lambda _: 1.0)


def test_failures_above_the_share_are_an_error_with_the_first_reason():
    bad = "INFRA_ERROR no sandbox"
    said = {"what": "failed", "where": "here", "remedy": "mend it"}
    check_failures({"the verifier": [bad]}, n=2, max_share=0.5, **said)
    with pytest.raises(VerifierError, match="2 of 3 failed by the verifier; the first: INFRA_ERR"):
        check_failures({"the verifier": [bad, bad]}, n=3, max_share=0.5, **said)
