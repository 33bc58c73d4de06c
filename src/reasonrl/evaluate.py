"""avg@k with an interval, during training and before and after it.

The same rollouts and the same judge as in training; only the problems, the seeds and the sampling
differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

from reasonrl.algo.stats import Estimate, mean_over_problems
from reasonrl.engines.protocols import Progress, RolloutEngine
from reasonrl.rollout import EncodedProblem, Judge, Tokenizer, check_failures, collect
from reasonrl.types import Group, Sampling


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteResult:
    """Hold avg@k of one suite and what is needed to understand it.

    `accuracy_finished` is the share of right answers among completions that ended by themselves.
    `failed` counts samples that the verifier could not judge; they are left out of the means.
    """

    suite: str
    step: int
    accuracy: Estimate
    accuracy_finished: float | None
    truncated_share: float
    mean_tokens: float
    n_problems: int
    k: int
    temperature: float
    max_new_tokens: int
    failed: int
    by_problem: dict[str, float]


def by_suite(results: Sequence[SuiteResult]) -> dict[str, list[SuiteResult]]:
    """Return each suite's evaluations in order, suites in the order of their first one."""
    found: dict[str, list[SuiteResult]] = {}
    for result in results:
        found.setdefault(result.suite, []).append(result)
    return found


def evaluate_suite(
    name: str,
    engine: RolloutEngine,
    tokenizer: Tokenizer,
    judge: Judge,
    encoded: Sequence[EncodedProblem],
    sampling: Sampling,
    *,
    run_seed: int,
    step: int,
    max_failed_share: float,
    progress: Progress | None = None,
) -> SuiteResult:
    """Sample k completions for each problem and return avg@k, the interval clustered by problem.

    The seeds do not depend on the step: two checkpoints of a run draw the same random numbers, so
    their difference is less noisy than two independent evaluations.
    """
    groups = collect(
        engine,
        tokenizer,
        judge,
        encoded,
        sampling,
        seed_parts=(run_seed, "evaluate", name),
        progress=progress,
    )
    check_failures(groups, max_share=max_failed_share)
    return _result(name, step, sampling, groups)


def _result(name: str, step: int, sampling: Sampling, groups: Sequence[Group]) -> SuiteResult:
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    finished = [
        reward
        for rollout in rollouts
        if not rollout.completion.is_truncated and (reward := rollout.verdict.reward) is not None
    ]
    by_problem = {
        group.problem.id: fsum(group.rewards) / len(group.rewards)
        for group in groups
        if group.rewards
    }
    return SuiteResult(
        suite=name,
        step=step,
        accuracy=mean_over_problems(list(by_problem.values())),
        accuracy_finished=fsum(finished) / len(finished) if finished else None,
        truncated_share=sum(r.completion.is_truncated for r in rollouts) / len(rollouts),
        mean_tokens=sum(len(r.completion.tokens) for r in rollouts) / len(rollouts),
        n_problems=len(by_problem),
        k=sampling.group_size,
        temperature=sampling.temperature,
        max_new_tokens=sampling.max_new_tokens,
        failed=sum(rollout.verdict.is_failed for rollout in rollouts),
        by_problem=by_problem,
    )


def describe(result: SuiteResult) -> str:
    """Return one line about an evaluation."""
    low, high = result.accuracy.ci95
    return (
        f"eval step={result.step} suite={result.suite} avg@{result.k}={result.accuracy.value:.3f} "
        f"ci95=[{low:.3f}, {high:.3f}] problems={result.n_problems} "
        f"truncated={result.truncated_share:.3f} tokens={result.mean_tokens:.1f}"
    )
