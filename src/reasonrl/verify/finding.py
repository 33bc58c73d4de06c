"""The result of judging one answer. Plain data, because workers send it to the caller's process."""

from __future__ import annotations

from dataclasses import dataclass

from reasonrl.types import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A status with its reason, both sides as they were understood, and the cost."""

    status: Status
    reason: str = ""
    canonical_gold: str = ""
    canonical_answer: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0
