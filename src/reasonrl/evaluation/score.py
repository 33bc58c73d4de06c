"""From judged samples to results with intervals: avg@k, pass@k, cons@k, lengths; and comparisons.

Pure. A sample that the verifier could not judge is left out of every mean of rewards, and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import fsum
from typing import Any

from reasonrl.algo.stats import (
    Estimate,
    consensus,
    mean_of_rewards,
    mean_over_problems,
    pass_at_k,
)
from reasonrl.errors import DataError
from reasonrl.evaluation.paired import Gain, paired_gain
from reasonrl.types import Kind, Sampling, Score, Verdict
from reasonrl.verify.consensus import number_answers


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSample:
    """One judged completion, as scoring needs it; see `Rollout` for verdict, scores and total."""

    kind: Kind
    n_tokens: int
    is_truncated: bool
    verdict: Verdict | None
    scores: Mapping[str, Score] | None = None
    total: float | None = None

    @property
    def verified(self) -> float | None:
        """Return the verifier's reward; None where it was not asked or could not judge."""
        return None if self.verdict is None else self.verdict.reward

    @property
    def is_failed(self) -> bool:
        """Return whether the sample has no reward."""
        return (self.verified if self.scores is None else self.total) is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemResult:
    """The results of one problem over its samples.

    `score` is the verifier's mean reward of the `judged` samples, None if there are none; `right`
    counts the samples with reward 1. `reward` is the mean total of the reward components, None
    without any. `consensus` is the chance that a most frequent answer is right, None
    for programs.
    """

    id: str
    judged: int
    right: int
    score: float | None
    consensus: float | None
    truncated: int
    mean_tokens: float
    reward: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteResult:
    """The results of one suite, and the settings that they depend on.

    `accuracy` is avg@k; `pass_at` holds pass@1, @2, @4, ... up to @k over the problems with enough
    judged samples; `consensus` is cons@k, None for programs and for k = 1.
    `accuracy_finished` is the mean reward of completions that ended by themselves. `statuses`
    counts the verdicts, `failed` the samples that could not be judged. `reward` is the mean total
    of the recipe's reward components and `components` the mean of each, over problems. Where none
    of them asks the verifier, `accuracy` is None.
    """

    suite: str
    step: int
    accuracy: Estimate | None
    pass_at: dict[int, Estimate] = field(default_factory=dict)
    consensus: Estimate | None = None
    accuracy_finished: float | None
    truncated_share: float
    mean_tokens: float
    n_problems: int
    k: int
    temperature: float
    max_new_tokens: int
    failed: int
    statuses: dict[str, int] = field(default_factory=dict)
    problems: tuple[ProblemResult, ...] = ()
    reward: Estimate | None = None
    components: dict[str, Estimate | None] = field(default_factory=dict)


def score_suite(
    name: str, samples: Mapping[str, Sequence[JudgedSample]], sampling: Sampling, *, step: int
) -> SuiteResult:
    """Return the result of a suite; `samples` holds the samples of each problem, by its id.

    Raises DataError when no sample at all could be judged.
    """
    problems = tuple(_problem(name, group) for name, group in samples.items())
    scores = [problem.score for problem in problems if problem.score is not None]
    rewards = [problem.reward for problem in problems if problem.reward is not None]
    if not scores and not rewards:
        raise DataError(
            "no sample could be judged",
            where=f"suite {name}",
            remedy="check the verifier, e.g. with `reasonrl sandbox check`",
        )
    flat = [sample for group in samples.values() for sample in group]
    finished = [
        sample.verified
        for sample in flat
        if not sample.is_truncated and sample.verified is not None
    ]
    votes = [problem.consensus for problem in problems if problem.score is not None]
    known_votes = [vote for vote in votes if vote is not None]
    has_votes = sampling.group_size > 1 and len(known_votes) == len(votes)
    return SuiteResult(
        suite=name,
        step=step,
        accuracy=mean_over_problems(scores) if scores else None,
        pass_at=_pass_at(problems, sampling.group_size),
        consensus=mean_over_problems(known_votes) if has_votes and known_votes else None,
        accuracy_finished=fsum(finished) / len(finished) if finished else None,
        truncated_share=sum(sample.is_truncated for sample in flat) / len(flat),
        mean_tokens=sum(sample.n_tokens for sample in flat) / len(flat),
        n_problems=len(scores or rewards),
        k=sampling.group_size,
        temperature=sampling.temperature,
        max_new_tokens=sampling.max_new_tokens,
        failed=sum(sample.is_failed for sample in flat),
        statuses=dict(
            sorted(Counter(str(one.verdict.status) for one in flat if one.verdict).items())
        ),
        problems=problems,
        reward=mean_of_rewards(rewards),
        components=_components(samples),
    )


def _problem(problem_id: str, group: Sequence[JudgedSample]) -> ProblemResult:
    rewards = [sample.verified for sample in group if sample.verified is not None]
    totals = [sample.total for sample in group if sample.total is not None]
    return ProblemResult(
        id=problem_id,
        judged=len(rewards),
        right=rewards.count(1.0),
        score=fsum(rewards) / len(rewards) if rewards else None,
        consensus=_vote(group),
        truncated=sum(sample.is_truncated for sample in group),
        mean_tokens=sum(sample.n_tokens for sample in group) / len(group),
        reward=fsum(totals) / len(totals) if totals else None,
    )


def _components(samples: Mapping[str, Sequence[JudgedSample]]) -> dict[str, Estimate | None]:
    """Return the mean of each reward component, clustered by problem."""
    first = next(iter(samples.values()))[0].scores
    means: dict[str, Estimate | None] = {}
    for name in first or ():
        groups = [
            [score.value for one in group if one.scores and (score := one.scores[name])]
            for group in samples.values()
        ]
        known = [[value for value in group if value is not None] for group in groups]
        means[name] = mean_of_rewards([fsum(group) / len(group) for group in known if group])
    return means


def _vote(group: Sequence[JudgedSample]) -> float | None:
    """Return the consensus of a problem's samples; all right answers count as one answer."""
    verdicts = [sample.verdict for sample in group if sample.verdict is not None]
    if any(sample.kind is Kind.CODE for sample in group) or not verdicts:
        return None
    judged = [verdict for verdict in verdicts if not verdict.is_failed]
    is_right = [verdict.reward == 1.0 for verdict in judged]
    numbers = number_answers(
        [
            "" if right else verdict.extracted
            for right, verdict in zip(is_right, judged, strict=True)
        ]
    )
    answers = [-1 if right else number for right, number in zip(is_right, numbers, strict=True)]
    return consensus(answers, frozenset({-1}))


def _pass_at(problems: Sequence[ProblemResult], k: int) -> dict[int, Estimate]:
    powers = [2**power for power in range(k.bit_length()) if 2**power < k]
    estimates = {}
    for draws in (*powers, k):
        chances = [pass_at_k(p.judged, p.right, draws) for p in problems if p.judged >= draws]
        if chances:
            estimates[draws] = mean_over_problems(chances)
    return estimates


def compare_suites(before: SuiteResult, after: SuiteResult) -> Gain:
    """Return the paired gain in avg@k from one model to another on the same problems.

    A problem without a judged sample on either side is left out. Raises DataError when the two
    evaluations have different problems.
    """
    old = {problem.id: problem.score for problem in before.problems}
    new = {problem.id: problem.score for problem in after.problems}
    if old.keys() != new.keys():
        raise DataError(
            f"{len(old.keys() ^ new.keys())} problems are in only one of the evaluations",
            where=f"suite {before.suite}",
            expected="the same problems on both sides",
        )
    pairs = [
        (score, new[name])
        for name, score in old.items()
        if score is not None and new[name] is not None
    ]
    if not pairs:
        raise DataError("no problem was judged on both sides", where=f"suite {before.suite}")
    return paired_gain([a for a, _ in pairs], [b for _, b in pairs if b is not None])


def describe(result: SuiteResult) -> str:
    """Return one line about an evaluation."""
    more = ""
    if result.accuracy is not None:
        low, high = result.accuracy.ci95
        more += f" avg@{result.k}={result.accuracy.value:.3f} ci95=[{low:.3f}, {high:.3f}]"
    if result.reward is not None:
        low, high = result.reward.ci95
        more += f" reward={result.reward.value:.3f} ci95=[{low:.3f}, {high:.3f}]"
    if result.k > 1 and result.k in result.pass_at:
        more += f" pass@{result.k}={result.pass_at[result.k].value:.3f}"
    if result.consensus is not None:
        more += f" cons@{result.k}={result.consensus.value:.3f}"
    if result.failed:
        more += f" failed={result.failed}"
    return (
        f"eval step={result.step} suite={result.suite}{more} problems={result.n_problems} "
        f"truncated={result.truncated_share:.3f} tokens={result.mean_tokens:.1f}"
    )


def shown(estimate: Estimate | None) -> str:
    """Return a share in points of 100, with its 95 % interval."""
    if estimate is None:
        return "-"
    low, high = estimate.ci95
    return f"{100 * estimate.value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def as_line(result: SuiteResult) -> dict[str, Any]:
    """Return a result as plain values; what no reward component made is left out."""
    values = asdict(result)
    if not result.components:
        del values["reward"], values["components"]
        for problem in values["problems"]:
            del problem["reward"]
    return values


def describe_statuses(result: SuiteResult) -> str:
    """Return the verdicts with their counts, most frequent first."""
    counts = sorted(result.statuses.items(), key=lambda item: -item[1])
    return ", ".join(f"{status} {count}" for status, count in counts)


def describe_gain(gain: Gain) -> str:
    """Return a plain verdict in points of 100: what was gained, or that no difference is shown."""
    points, low, high = (100 * value for value in (gain.value, *gain.ci95))
    if not gain.is_shown:
        return f"no difference shown: {points:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}"
    if points > 0:
        return f"gain {points:.1f} points, 95 % interval {low:.1f} to {high:.1f}"
    return f"loss {-points:.1f} points, 95 % interval {-high:.1f} to {-low:.1f}"


def by_suite(results: Sequence[SuiteResult]) -> dict[str, list[SuiteResult]]:
    """Return each suite's evaluations in order, suites in the order of their first evaluation."""
    suites: dict[str, list[SuiteResult]] = {}
    for result in results:
        suites.setdefault(result.suite, []).append(result)
    return suites
