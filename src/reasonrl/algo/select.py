"""Which rollouts are trained on: whole groups with a signal, failures left out.

Rejection sampling of the report (section 3.1): a group in which every advantage is 0 is dropped
before the update, so it feeds neither the policy term nor the entropy term nor the token count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from reasonrl.algo.advantage import group_advantages
from reasonrl.types import Group, Rollout, TruncationRule


class Signal(StrEnum):
    """Say whether a group teaches anything, and if not, why."""

    KEPT = "kept"
    SOLVED = "solved"  # every judged rollout has reward 1
    UNSOLVED = "unsolved"  # every judged rollout has reward 0
    FLAT = "flat"  # all advantages 0 for another reason: partial credit, masks
    FAILED = "failed"  # fewer than two rollouts could be judged


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SelectedGroup:
    """Hold the judged rollouts of one group with their advantages, and the verdict on the group."""

    group: Group
    rollouts: tuple[Rollout, ...]
    advantages: tuple[float, ...]
    masked: tuple[bool, ...]
    signal: Signal


def select_group(group: Group, rule: TruncationRule, *, is_scaled: bool = True) -> SelectedGroup:
    """Judge one group. Rollouts whose verification failed are left out of its statistics."""
    judged = tuple(rollout for rollout in group.rollouts if rollout.verdict.reward is not None)
    rewards = [rollout.verdict.reward or 0.0 for rollout in judged]
    truncated = [rollout.completion.is_truncated for rollout in judged]
    advantages = tuple(group_advantages(rewards, truncated, rule, is_scaled=is_scaled))
    return SelectedGroup(
        group=group,
        rollouts=judged,
        advantages=advantages,
        masked=tuple(is_cut and rule is not TruncationRule.NONE for is_cut in truncated),
        signal=_signal(rewards, advantages),
    )


def _signal(rewards: Sequence[float], advantages: Sequence[float]) -> Signal:
    if len(rewards) < 2:
        return Signal.FAILED
    if any(advantages):
        return Signal.KEPT
    if min(rewards) == max(rewards) == 1.0:
        return Signal.SOLVED
    if min(rewards) == max(rewards) == 0.0:
        return Signal.UNSOLVED
    return Signal.FLAT
