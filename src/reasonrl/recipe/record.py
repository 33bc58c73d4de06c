"""What a run records beside metrics and rollouts."""

from __future__ import annotations

from typing import Literal, TypeAlias

from reasonrl.recipe.sources import Strict

TokenDetail: TypeAlias = Literal["all", "sums"]


class RecordConfig(Strict):
    """What a run records of each token."""

    tokens: TokenDetail = "all"
    """The learner's log-probability and entropy at every trained token, or their sums for each
    rollout; sums in any case in a step of more than a million trained tokens."""
