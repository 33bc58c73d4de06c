"""Group-relative advantages and the truncation rules of the report's Experiment 3.

Called by `select` for each whole group, before any rollout is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, sqrt

from reasonrl.algo.choices import TruncationRule

EPSILON = 1e-6
"""Added to the standard deviation; the released code's value, the report gives none."""


def group_advantages(
    rewards_G: Sequence[float],
    truncated_G: Sequence[bool],
    rule: TruncationRule = TruncationRule.NONE,
    *,
    is_scaled: bool = True,
) -> list[float]:
    """Return A_j = (r_j - mean r) / (std r + 1e-6) for one group; report eq. 2.5.

    The standard deviation is the sample's (ddof 1), as in the released code. Equal rewards give
    exactly 0, without a remainder from rounding. Fewer than two rewards in the statistics cannot be
    compared, so every advantage is 0 (the released code returns the raw reward).

    With `is_scaled=False` the advantages are r_j - mean r: Dr. GRPO, arXiv 2503.20783.

    Example: one success in 16 binary rewards gets +3.75, each of the others -0.25.
    """
    counted = [
        reward
        for reward, is_truncated in zip(rewards_G, truncated_G, strict=True)
        if not (is_truncated and rule is TruncationRule.MASK_BEFORE)
    ]
    if len(counted) < 2 or min(counted) == max(counted):
        return [0.0] * len(rewards_G)
    mean = fsum(counted) / len(counted)
    variance = fsum((reward - mean) ** 2 for reward in counted) / (len(counted) - 1)
    scale = 1.0 / (sqrt(variance) + EPSILON) if is_scaled else 1.0
    return [
        0.0 if is_truncated and rule is not TruncationRule.NONE else (reward - mean) * scale
        for reward, is_truncated in zip(rewards_G, truncated_G, strict=True)
    ]


def leave_one_out_advantages(
    rewards_G: Sequence[float],
    truncated_G: Sequence[bool],
    rule: TruncationRule = TruncationRule.NONE,
) -> list[float]:
    """Return A_j = r_j - the mean reward of the others of the group: RLOO, arXiv 2402.14740.

    This is G / (G - 1) times r_j - mean r, for the G rollouts that the rule counts.

    Example: one success in 16 binary rewards gets +1, each of the others -1/15.
    """
    centred = group_advantages(rewards_G, truncated_G, rule, is_scaled=False)
    is_before = rule is TruncationRule.MASK_BEFORE
    n_counted = sum(not (is_cut and is_before) for is_cut in truncated_G)
    return [value * n_counted / (n_counted - 1) for value in centred] if n_counted > 1 else centred
