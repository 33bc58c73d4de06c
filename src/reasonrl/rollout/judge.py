"""From finished responses to judgements: the verifier's verdicts, then the reward components.

Training and evaluation judge alike through this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from reasonrl.errors import VerifierError
from reasonrl.reward.record import ProblemRecord, RolloutRecord, split_thought
from reasonrl.reward.scoring import Groups, Rewarded
from reasonrl.rollout.problems import EncodedProblem, Tokenizer, item_of
from reasonrl.types import Score, StopReason, Tokens, Verdict, VerifyItem


class Judge(Protocol):
    """Return a verdict for each answer, in order; a bad answer never affects another answer."""

    def __call__(self, items: Sequence[VerifyItem], /) -> list[Verdict]: ...


class RewardFunction(Protocol):
    """Return scores and total of each rollout of each group; `counted` are those that it needs.

    With `is_early` it wants to hear of each rollout as it ends, by `begin`.
    """

    @property
    def counted(self) -> Sequence[str]: ...
    @property
    def is_early(self) -> bool: ...
    def begin(self, record: RolloutRecord, /) -> None: ...
    def __call__(self, groups: Groups, /) -> list[list[Rewarded]]: ...


class Scored(Protocol):
    """Whatever carries a verdict and scores."""

    @property
    def verdict(self) -> Verdict | None: ...
    @property
    def scores(self) -> Mapping[str, Score] | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafts:
    """The finished responses to one problem, with their lengths in tokens."""

    encoded: EncodedProblem
    items: Sequence[VerifyItem]
    n_tokens: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is known of a response: its verdict, its scores by component, and their total."""

    verdict: Verdict | None
    scores: Mapping[str, Score] | None = None
    total: float | None = None


def drafts_of(
    encoded: EncodedProblem,
    completions: Sequence[tuple[Tokens, StopReason]],
    tokenizer: Tokenizer,
) -> Drafts:
    """Return the responses to a problem as text, from their tokens and stop reasons."""
    return Drafts(
        encoded=encoded,
        items=[item_of(encoded, tokenizer.decode(tokens), stop) for tokens, stop in completions],
        n_tokens=[len(tokens) for tokens, _ in completions],
    )


def begin_rewards(rewards: RewardFunction, drafts: Drafts, *, max_new_tokens: int) -> None:
    """Tell components of responses that have ended, so that slow ones work beside the sampling."""
    for record in _records(drafts, [None] * len(drafts.items), max_new_tokens):
        rewards.begin(record)


def judgements_of(
    drafts: Sequence[Drafts],
    verdicts: Sequence[Sequence[Verdict | None]],
    rewards: RewardFunction | None,
    *,
    max_new_tokens: int,
) -> list[list[Judgement]]:
    """Return a judgement of each response to each problem, in order."""
    if rewards is None:
        return [[Judgement(verdict=verdict) for verdict in group] for group in verdicts]
    rewarded = reward_drafts(drafts, verdicts, rewards, max_new_tokens=max_new_tokens)
    return [
        [
            Judgement(verdict=verdict, scores=one.scores, total=one.total)
            for verdict, one in zip(group, own, strict=True)
        ]
        for group, own in zip(verdicts, rewarded, strict=True)
    ]


def reward_drafts(
    drafts: Sequence[Drafts],
    verdicts: Sequence[Sequence[Verdict | None]],
    rewards: RewardFunction,
    *,
    max_new_tokens: int,
) -> list[list[Rewarded]]:
    """Return scores and total of each response to each problem, in order."""
    return rewards(
        [
            _records(draft, group, max_new_tokens)
            for draft, group in zip(drafts, verdicts, strict=True)
        ]
    )


def _records(
    draft: Drafts, verdicts: Sequence[Verdict | None], max_new_tokens: int
) -> list[RolloutRecord]:
    """Return the records of a problem's responses."""
    problem = draft.encoded.problem
    shown = ProblemRecord(
        id=problem.id,
        kind=str(problem.kind),
        answer=problem.answer,
        source=problem.source,
        difficulty=problem.difficulty,
        extra=problem.extra,
    )
    records = []
    for item, n_tokens, verdict in zip(draft.items, draft.n_tokens, verdicts, strict=True):
        thought, answer = split_thought(item.response, opens_thought=item.opens_thought)
        records.append(
            RolloutRecord(
                problem=shown,
                prompt=problem.prompt,
                response=item.response,
                thought=thought,
                answer=answer,
                tokens=n_tokens,
                max_new_tokens=max_new_tokens,
                stop=str(item.stop_reason or StopReason.STOP),
                opens_thought=item.opens_thought,
                verdict=verdict,
            )
        )
    return records


def failures_of(rollouts: Sequence[Scored], rewards: RewardFunction | None) -> dict[str, list[str]]:
    """Return, for the verifier or each component that counts, why rollouts have no value."""
    if rewards is None:
        verdicts = [rollout.verdict for rollout in rollouts]
        reasons = [f"{one.status} {one.reason}" for one in verdicts if one and one.is_failed]
        return {"the verifier": reasons}
    return {
        f"reward {name}": [
            scores[name].note
            for scores in (rollout.scores or {} for rollout in rollouts)
            if name in scores and scores[name].value is None
        ]
        for name in rewards.counted
    }


def check_failures(
    failures: Mapping[str, Sequence[str]],
    *,
    n: int,
    max_share: float,
    what: str,
    where: str,
    remedy: str,
) -> None:
    """Raise VerifierError when the verifier or a component failed on more than a share of n.

    Failures are masked, so a broken judge would otherwise train on ever fewer rollouts.
    """
    for name, reasons in failures.items():
        if len(reasons) > max_share * n:
            raise VerifierError(
                f"{len(reasons)} of {n} {what} by {name}; the first: {reasons[0]}",
                where=where,
                expected=f"at most {max_share:.0%} (verify.max_failed_share)",
                remedy=remedy,
            )


def check_step(
    rollouts: Sequence[Scored], rewards: RewardFunction | None, *, max_share: float
) -> None:
    """Raise VerifierError when more than a share of a training step's rollouts has no value."""
    check_failures(
        failures_of(rollouts, rewards),
        n=len(rollouts),
        max_share=max_share,
        what="rollouts of one step could not be judged",
        where="verify.max_failed_share",
        remedy="read the newest file in the run's rollouts/, mend the cause (of a reward function: "
        "its copy in the run's code/), then rerun `reasonrl resume`",
    )
