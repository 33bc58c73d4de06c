"""From findings and failures of workers to verdicts: what has a reward, and what is masked."""

from __future__ import annotations

from dataclasses import dataclass

from reasonrl.types import FAILED_STATUSES, Status, Verdict
from reasonrl.verify.finding import Finding
from reasonrl.verify.pool import Failure
from reasonrl.verify.questions import Question

_SHOWN_CHARS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """The verdict on a response without an answer, which holds only if its key can be read."""

    verdict: Verdict
    key: Question

    def verdict_with(self, known: Finding | Failure) -> Verdict:
        """Return the verdict; masked where algebra does not know the key equal to itself."""
        if isinstance(known, Finding) and known.status is Status.CORRECT:
            return self.verdict
        reason = "no reader knows this key"
        return verdict_of(Finding(status=Status.GOLD_UNPARSABLE, reason=reason), "")


def verdict_of(outcome: Finding | Failure, extracted: str, *, wall_s: float = 0.0) -> Verdict:
    """Return a verdict; only a finding that could be judged has a reward."""
    shown = extracted[:_SHOWN_CHARS]
    if isinstance(outcome, Failure):
        return Verdict(
            reward=None,
            status=outcome.status,
            reason=outcome.reason,
            extracted=shown,
            wall_s=outcome.wall_s,
        )
    failed = outcome.status in FAILED_STATUSES
    return Verdict(
        reward=None if failed else float(outcome.status is Status.CORRECT),
        status=outcome.status,
        reason=outcome.reason,
        extracted=shown,
        canonical_gold=outcome.canonical_gold,
        canonical_answer=outcome.canonical_answer,
        wall_s=wall_s + outcome.wall_s,
        cpu_s=outcome.cpu_s,
    )
