"""The best step of a run by one suite, and whether it is better than the last."""

from __future__ import annotations

from collections.abc import Sequence

from reasonrl.evaluation.score import SuiteResult, compare_suites, describe_gain


def best_result(evaluations: Sequence[SuiteResult], suite: str) -> SuiteResult | None:
    """Return the first evaluation with the highest score on a suite: avg@k, else the mean reward.

    None without an evaluation of it; the start of the run, step 0, counts too.
    """
    scored = [one for one in evaluations if one.suite == suite and score_of(one) is not None]
    return max(scored, key=lambda one: (score_of(one), -one.step), default=None)


def best_step(evaluations: Sequence[SuiteResult], suite: str) -> int | None:
    """Return the step of the best evaluation."""
    best = best_result(evaluations, suite)
    return None if best is None else best.step


def describe_best(evaluations: Sequence[SuiteResult], suite: str) -> dict[str, object] | None:
    """Return the best step with its score, and in words whether it beats the last step."""
    best = best_result(evaluations, suite)
    if best is None:
        return None
    last = [one for one in evaluations if one.suite == suite][-1]
    verdict = "it is the last step"
    if best is not last and best.accuracy is not None and last.accuracy is not None:
        verdict = f"against the last step: {describe_gain(compare_suites(last, best))}"
    return {"suite": suite, "step": best.step, "score": score_of(best), "verdict": verdict}


def score_of(result: SuiteResult) -> float | None:
    """Return avg@k, or the mean reward where no verifier judges."""
    estimate = result.accuracy or result.reward
    return None if estimate is None else estimate.value
