"""What a recipe can choose among: the rules of truncation, correction, policy term and entropy."""

from __future__ import annotations

from enum import StrEnum


class TruncationRule(StrEnum):
    """The treatment of a truncated rollout (reward 0) in its group; report section 3.2.3.

    NONE: it counts like any other rollout, the report's choice. MASK_BEFORE: it is left out of the
    statistics and has advantage 0. MASK_AFTER: it is part of the statistics and has advantage 0.
    """

    NONE = "none"
    MASK_BEFORE = "mask-before"
    MASK_AFTER = "mask-after"


class Correction(StrEnum):
    """The weight of tokens that another policy sampled; `algo.correction` has the formulas.

    NONE: 1. TRUNCATED: the ratio, at most the cap. MASKED: the ratio where it lies in
    [1 / cap, cap], else 0. MASKED_ROLLOUT: the ratio, at most the cap, or 0 for a whole rollout,
    decided by the geometric mean of its ratios.
    """

    NONE = "none"
    TRUNCATED = "truncated"
    MASKED = "masked"
    MASKED_ROLLOUT = "masked-rollout"


class Surrogate(StrEnum):
    """The policy term; `algo.loss` has the formulas.

    PPO: the smaller of the free and the clipped product, as in the report. CISPO: the clipped ratio
    as a constant weight of the log-probability. GSPO: PPO with one ratio per rollout, the geometric
    mean of its tokens' ratios.
    """

    PPO = "ppo"
    CISPO = "cispo"
    GSPO = "gspo"


class EntropyMode(StrEnum):
    """The rule that sets the weight of the entropy term; `algo.entropy` has the formulas.

    NONE: weight 0. FIXED: a constant. REPORT: eq. 3.2, gated by this step's entropy. RELEASE: the
    released code, gated by the last step's entropy. RELATIVE: ours, without a gate; the target is a
    share of the first step's entropy.
    """

    NONE = "none"
    FIXED = "fixed"
    REPORT = "report"
    RELEASE = "release"
    RELATIVE = "relative"
