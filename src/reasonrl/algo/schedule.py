"""The learning rate of a step: a warm-up, then constant, linear or cosine."""

from __future__ import annotations

from math import cos, pi
from typing import Literal, TypeAlias

Schedule: TypeAlias = Literal["constant", "linear", "cosine"]


def learning_rate_at(
    step: int, *, steps: int, peak: float, warmup_steps: int, schedule: Schedule
) -> float:
    """Return the rate of a stage's step, counted from 0, of `steps`.

    It rises in equal parts over `warmup_steps` to the peak, which the last of them has. Then it
    stays, or falls towards 0, which the step after the last would have:
    linear: peak * (1 - p), cosine: peak * (1 + cos(pi p)) / 2, with p the share of the steps after
    the warm-up that are done. Without warm-up and schedule the rate is exactly the peak.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    if schedule == "constant":
        return peak
    share = (step - warmup_steps) / max(1, steps - warmup_steps)
    return peak * (1 - share) if schedule == "linear" else peak * (1 + cos(pi * share)) / 2
