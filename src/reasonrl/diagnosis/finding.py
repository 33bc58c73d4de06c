"""A finding: what is wrong with a run, in words that a person can act on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinding:
    """What a rule found in a run.

    `since_step` is the first step that shows it, `found_step` the step after which the rule said
    so. `message` says what is wrong in one sentence, `cause` why that is likely so. `key` and
    `value` are the setting of the recipe that would cure it, as `--set key=value` takes it; both
    are empty where no setting does. `evidence` are the numbers that say so. `rollouts` is the step
    whose rollouts show it, None where none do. A grave finding means that the steps after it are
    wasted. `follows` is the rule whose finding explains it, empty for a cause of its own.
    """

    rule: str
    since_step: int
    message: str
    cause: str
    key: str = ""
    value: str = ""
    evidence: Mapping[str, float]
    rollouts: int | None = None
    is_grave: bool = False
    found_step: int = 0
    follows: str = ""

    @property
    def sentence(self) -> str:
        """Return what, since when, why, and the setting that would cure it, in one line."""
        cure = f"; try --set {self.cure}" if self.cure else ""
        return f"{self.claim}{cure}"

    @property
    def claim(self) -> str:
        """Return what, since when and why, without a cure."""
        return f"{self.message} (since step {self.since_step}): {self.cause}"

    @property
    def cure(self) -> str:
        """Return the setting that would cure it, empty where no setting does."""
        return f"{self.key}={self.value}" if self.key else ""
