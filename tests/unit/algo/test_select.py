"""Selection: the signal of a group, and rollouts that are left out of its statistics."""

import numpy as np
import pytest

from reasonrl.algo.choices import TruncationRule
from reasonrl.algo.select import Signal, select_group
from reasonrl.types import Completion, Group, Message, Problem, Rollout, Status, StopReason, Verdict

PROBLEM = Problem(id="p", prompt=(Message(role="user", content="1 + 1?"),), answer="2")


def rollout(index, reward, is_cut):
    completion = Completion(
        tokens=np.array([1], np.int32),
        logprobs=np.zeros(1, np.float32),
        stop=StopReason.LENGTH if is_cut else StopReason.STOP,
        version=0,
    )
    status = Status.INFRA_ERROR if reward is None else Status.CORRECT if reward else Status.WRONG
    verdict = Verdict(reward=reward, status=status)
    return Rollout(id=f"p/{index}", index=index, completion=completion, text="", verdict=verdict)


def group(rewards, cut=()):
    """A group with these rewards, None for a failed verification; `cut` are truncated indices."""
    rollouts = tuple(rollout(i, reward, i in cut) for i, reward in enumerate(rewards))
    return Group(problem=PROBLEM, prompt=np.array([0], np.int32), rollouts=rollouts)


@pytest.mark.parametrize(
    ("rewards", "signal"),
    [
        ([1.0, 0.0, 0.0], Signal.KEPT),
        ([1.0, 1.0], Signal.SOLVED),
        ([0.0, 0.0], Signal.UNSOLVED),
        ([0.5, 0.5], Signal.FLAT),
        ([1.0, None], Signal.FAILED),
        ([None, None], Signal.FAILED),
        ([1.0, 1.0, None], Signal.SOLVED),
    ],
)
def test_the_signal_of_a_group_follows_from_its_rewards(rewards, signal):
    assert select_group(group(rewards), TruncationRule.NONE).signal is signal


def test_a_failed_verification_is_left_out_of_the_statistics():
    # By hand: rewards 1, 0 have mean 0.5 and standard deviation sqrt(0.5), so A = +-0.707106.
    selected = select_group(group([1.0, None, 0.0]), TruncationRule.NONE)
    assert [rollout.index for rollout in selected.rollouts] == [0, 2]
    assert selected.advantages == pytest.approx((0.7071058, -0.7071058), abs=1e-6)
    assert selected.masked == (False, False)


def test_without_scaling_an_advantage_is_the_distance_to_the_mean():
    selected = select_group(group([1.0, 0.0, 0.0, 0.0]), TruncationRule.NONE, is_scaled=False)
    assert selected.advantages == pytest.approx((0.75, -0.25, -0.25, -0.25))


@pytest.mark.parametrize("rule", [TruncationRule.MASK_BEFORE, TruncationRule.MASK_AFTER])
def test_a_truncated_rollout_is_masked_under_both_masking_rules(rule):
    selected = select_group(group([1.0, 0.0, 0.0], cut={2}), rule)
    assert selected.masked == (False, False, True)
    assert selected.advantages[2] == 0.0
    assert selected.signal is Signal.KEPT


def test_a_truncated_rollout_counts_like_any_other_without_a_rule():
    selected = select_group(group([1.0, 0.0, 0.0], cut={2}), TruncationRule.NONE)
    assert selected.masked == (False, False, False)
    assert selected.advantages[1] == selected.advantages[2] < 0


def test_a_group_whose_only_failures_are_masked_has_no_signal():
    # The truncated rollout is not in the statistics, and the others have equal rewards. The
    # rewards of all judged rollouts differ, so the group is flat and not solved.
    selected = select_group(group([1.0, 1.0, 0.0], cut={2}), TruncationRule.MASK_BEFORE)
    assert selected.signal is Signal.FLAT
    assert not any(selected.advantages)
