"""The choice of rollouts to train on: whole groups with a signal, without failed verifications.

Rejection sampling of the report (section 3.1): a group in which every advantage is 0 is dropped
before the update, so it feeds neither the policy term nor the entropy term nor the token count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from reasonrl.algo.advantage import group_advantages
from reasonrl.algo.choices import TruncationRule
from reasonrl.types import Group, Rollout


class Signal(StrEnum):
    """Whether a group has a training signal, and the reason if it has none.

    SOLVED: the verifier's reward of every judged rollout is 1. UNSOLVED: it is 0 for every one.
    FAILED: fewer than two rollouts could be judged. FLAT: all advantages are 0 for another reason,
    such as partial credit, masks, or no verifier.
    """

    KEPT = "kept"
    SOLVED = "solved"
    UNSOLVED = "unsolved"
    FLAT = "flat"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SelectedGroup:
    """The judged rollouts of one group with their advantages, and the group's signal.

    `masked` marks truncated rollouts that the rule excludes from training.
    """

    group: Group
    rollouts: tuple[Rollout, ...]
    advantages: tuple[float, ...]
    masked: tuple[bool, ...]
    signal: Signal


AdvantageFunction: TypeAlias = Callable[[Sequence[float], Sequence[bool]], list[float]]
"""Return an advantage for each rollout of a group, from their rewards and whether each was cut."""


def select_group(
    group: Group,
    rule: TruncationRule,
    *,
    is_scaled: bool = True,
    own: AdvantageFunction | None = None,
) -> SelectedGroup:
    """Return a group's advantages and signal, without the rollouts whose verification failed.

    `own` stands for the report's advantages; a rollout that the rule masks has none.
    """
    judged = tuple(rollout for rollout in group.rollouts if rollout.reward is not None)
    rewards = [rollout.reward or 0.0 for rollout in judged]
    truncated = [rollout.completion.is_truncated for rollout in judged]
    if own is None:
        advantages = tuple(group_advantages(rewards, truncated, rule, is_scaled=is_scaled))
    else:
        advantages = tuple(_unmasked(own(rewards, truncated) if judged else [], truncated, rule))
    return SelectedGroup(
        group=group,
        rollouts=judged,
        advantages=advantages,
        masked=tuple(is_cut and rule is not TruncationRule.NONE for is_cut in truncated),
        signal=_signal(judged, advantages),
    )


def _unmasked(
    values: Sequence[float], truncated: Sequence[bool], rule: TruncationRule
) -> list[float]:
    return [
        0.0 if is_cut and rule is not TruncationRule.NONE else value
        for value, is_cut in zip(values, truncated, strict=True)
    ]


def _signal(judged: Sequence[Rollout], advantages: Sequence[float]) -> Signal:
    if len(judged) < 2:
        return Signal.FAILED
    if any(advantages):
        return Signal.KEPT
    verified = {None if one.verdict is None else one.verdict.reward for one in judged}
    if verified == {1.0}:
        return Signal.SOLVED
    return Signal.UNSOLVED if verified == {0.0} else Signal.FLAT
