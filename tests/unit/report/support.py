"""Results of evaluations that were never made."""

from __future__ import annotations

from collections.abc import Sequence

from reasonrl.algo.stats import Estimate
from reasonrl.evaluation.score import ProblemResult, SuiteResult


def problem(name: str, right: int, *, judged: int = 4, truncated: int = 0) -> ProblemResult:
    return ProblemResult(
        id=name,
        judged=judged,
        right=right,
        score=right / judged if judged else None,
        consensus=None,
        truncated=truncated,
        mean_tokens=7.6,
    )


def suite_result(
    score: float,
    *,
    suite: str = "heldout",
    step: int = 0,
    k: int = 4,
    truncated: float = 0.0,
    problems: Sequence[ProblemResult] = (),
    failed: int = 0,
    temperature: float = 1.0,
    statuses: dict[str, int] | None = None,
) -> SuiteResult:
    """Return a result whose interval is ten points wide."""
    estimate = Estimate(value=score, ci95=(score - 0.05, score + 0.05))
    return SuiteResult(
        suite=suite,
        step=step,
        accuracy=estimate,
        pass_at={1: estimate, k: Estimate(value=score + 0.2, ci95=(score, score + 0.3))},
        accuracy_finished=None,
        truncated_share=truncated,
        mean_tokens=13.8,
        n_problems=len(problems) or 8,
        k=k,
        temperature=temperature,
        max_new_tokens=16,
        failed=failed,
        statuses=statuses or {},
        problems=tuple(problems),
    )
