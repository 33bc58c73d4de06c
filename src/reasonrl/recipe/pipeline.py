"""How far a run samples ahead of its updates."""

from __future__ import annotations

from pydantic import Field

from reasonrl.algo.choices import Correction
from reasonrl.recipe.sources import Strict


class PipelineConfig(Strict):
    """Sample ahead of the updates; docs/algorithm.md has the formulas."""

    staleness: int = Field(default=1, ge=0)
    """The most steps that a group may be older than the policy that learns from it; 0 is the
    synchronous loop."""
    correction: Correction = Correction.TRUNCATED
    """How the policy term weighs tokens that an older policy sampled."""
    cap: float = Field(default=2.0, ge=1)
    """The bound of these weights."""
