"""Group advantages; report eq. 2.5 and the truncation rules of section 3.2.3."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonrl.algo.advantage import group_advantages
from reasonrl.algo.choices import TruncationRule

FINISHED = [False] * 16


def test_one_success_in_sixteen_gives_plus_3_75_and_minus_0_25():
    # By hand: mean 1/16, variance (15/16) / 15 = 1/16, so std = 1/4.
    advantages = group_advantages([1.0] + [0.0] * 15, FINISHED)
    assert advantages[0] == pytest.approx(3.75, rel=1e-5)
    assert advantages[1:] == pytest.approx([-0.25] * 15, rel=1e-5)


def test_golden_of_uneven_rewards():
    # By hand: mean 0.5, deviations .5 -.5 .25 -.25, variance 0.625 / 3.
    std = math.sqrt(0.625 / 3)
    expected = [deviation / (std + 1e-6) for deviation in (0.5, -0.5, 0.25, -0.25)]
    assert group_advantages([1.0, 0.0, 0.75, 0.25], [False] * 4) == pytest.approx(expected)


@pytest.mark.parametrize("reward", [0.0, 1.0, 0.1, 1 / 3])
def test_equal_rewards_give_exactly_zero(reward):
    assert group_advantages([reward] * 7, [False] * 7) == [0.0] * 7


@given(st.lists(st.sampled_from([0.0, 1.0, 0.25, 1 / 3]), min_size=2, max_size=32))
def test_advantages_of_a_group_sum_to_zero(rewards):
    assert sum(group_advantages(rewards, [False] * len(rewards))) == pytest.approx(0, abs=1e-9)


def test_without_a_mask_a_truncated_rollout_counts_like_any_other():
    rewards, truncated = [1.0, 1.0, 0.0, 0.0], [False, False, False, True]
    assert group_advantages(rewards, truncated) == group_advantages(rewards, [False] * 4)


def test_mask_before_leaves_truncated_rollouts_out_of_the_statistics():
    masked = group_advantages(
        [1.0, 1.0, 0.0, 0.0], [False, False, False, True], TruncationRule.MASK_BEFORE
    )
    assert masked[:3] == group_advantages([1.0, 1.0, 0.0], [False] * 3)
    assert masked[3] == 0.0


def test_mask_after_keeps_truncated_rollouts_in_the_statistics():
    truncated = [False, False, False, True]
    masked = group_advantages([1.0, 1.0, 0.0, 0.0], truncated, TruncationRule.MASK_AFTER)
    assert masked[:3] == group_advantages([1.0, 1.0, 0.0, 0.0], [False] * 4)[:3]
    assert masked[3] == 0.0


def test_one_reward_in_the_statistics_says_nothing():
    truncated = [False, True, True]
    assert group_advantages([1.0, 0.0, 0.0], truncated, TruncationRule.MASK_BEFORE) == [0.0] * 3
