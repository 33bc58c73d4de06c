"""Sample k completions of every problem, judge them, and score the model.

Training and `reasonrl eval` share this function. Samples and verdicts go through a journal, so that
a stopped evaluation continues sample by sample. Engine and judge are those of training; only
problems, seeds and sampling differ.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from reasonrl.engines.protocols import RolloutEngine
from reasonrl.evaluation.score import JudgedSample, SuiteResult, score_suite
from reasonrl.reward.scoring import Rewarded
from reasonrl.rollout.beside import JudgedBeside
from reasonrl.rollout.judge import (
    Judge,
    RewardFunction,
    check_failures,
    drafts_of,
    failures_of,
    reward_drafts,
)
from reasonrl.rollout.problems import EncodedProblem, Tokenizer, item_of
from reasonrl.seeds import derive_seed
from reasonrl.types import (
    Completion,
    Phase,
    Prompt,
    Sampling,
    StopReason,
    Tokens,
    Verdict,
    VerifyItem,
)

Key: TypeAlias = tuple[str, int]
"""A problem's id, and the index of a sample among its k."""

_JUDGED_AT_ONCE = 64
"""Samples between two writes of verdicts."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draft:
    """A completion that awaits its verdict; `logprob` is the sum over its tokens."""

    tokens: Tokens
    logprob: float
    stop: StopReason


class Journal(Protocol):
    """Keep drafts and verdicts as they come, and return those of an earlier session too."""

    def drafts(self) -> Mapping[Key, Draft]: ...
    def verdicts(self) -> Mapping[Key, Verdict]: ...
    def add_draft(self, key: Key, draft: Draft) -> None: ...
    def add_verdicts(self, verdicts: Mapping[Key, Verdict]) -> None: ...
    def rewards(self) -> dict[Key, Rewarded]:
        """Return what the reward components gave, which is kept in memory only."""
        ...


class MemoryJournal:
    """A journal that ends with the process: for evaluations during training."""

    def __init__(self) -> None:
        self._drafts: dict[Key, Draft] = {}
        self._verdicts: dict[Key, Verdict] = {}
        self._rewards: dict[Key, Rewarded] = {}

    def drafts(self) -> Mapping[Key, Draft]:
        return self._drafts

    def verdicts(self) -> Mapping[Key, Verdict]:
        return self._verdicts

    def add_draft(self, key: Key, draft: Draft) -> None:
        self._drafts[key] = draft

    def add_verdicts(self, verdicts: Mapping[Key, Verdict]) -> None:
        self._verdicts.update(verdicts)

    def rewards(self) -> dict[Key, Rewarded]:
        return self._rewards


def evaluate_suite(
    name: str,
    engine: RolloutEngine,
    tokenizer: Tokenizer,
    judge: Judge | None,
    encoded: Sequence[EncodedProblem],
    sampling: Sampling,
    *,
    run_seed: int,
    step: int,
    max_failed_share: float,
    phase: Phase,
    rewards: RewardFunction | None = None,
    journal: Journal | None = None,
) -> SuiteResult:
    """Return the result of k = `sampling.group_size` samples of each problem.

    `rewards` are the recipe's components, started; `judge` is None where none of them asks the
    verifier.

    The seeds do not depend on the step or the model: two checkpoints draw the same random numbers,
    so their difference is less noisy than that of two independent evaluations. Raises VerifierError
    when more than a share of the samples could not be judged.
    """
    journal = journal or MemoryJournal()
    sample_and_judge(
        name, engine, tokenizer, judge, encoded, sampling, journal, run_seed=run_seed, phase=phase
    )
    if rewards is not None:
        with phase(f"reward {name}", len(encoded)) as progress:
            _reward(encoded, tokenizer, rewards, journal, sampling)
            progress(len(encoded))
    samples = collect_samples(encoded, sampling.group_size, journal)
    flat = [sample for group in samples.values() for sample in group]
    check_failures(
        failures_of(flat, rewards),
        n=len(flat),
        max_share=max_failed_share,
        what="samples could not be judged",
        where=f"suite {name}",
        remedy="mend the cause that the reason names, then rerun the command",
    )
    return score_suite(name, samples, sampling, step=step)


def sample_and_judge(
    name: str,
    engine: RolloutEngine,
    tokenizer: Tokenizer,
    judge: Judge | None,
    encoded: Sequence[EncodedProblem],
    sampling: Sampling,
    journal: Journal,
    *,
    run_seed: int,
    phase: Phase,
) -> None:
    """Bring a journal to k = `sampling.group_size` judged samples of each problem."""
    known = {item.problem.id: item for item in encoded}
    responses: dict[Key, VerifyItem] = {}
    with JudgedBeside[Key](judge, at_once=_JUDGED_AT_ONCE, note=journal.add_verdicts) as beside:

        def begin(key: Key, draft: Draft) -> None:
            if judge is not None:
                text = tokenizer.decode(draft.tokens)
                responses[key] = item_of(known[key[0]], text, draft.stop)
                beside.begin(key, responses[key])

        for key in _unjudged(known, journal):
            begin(key, journal.drafts()[key])
        _sample_missing(name, engine, encoded, sampling, journal, begin, run_seed, phase)
        if responses:
            _finish(name, beside, responses, len(journal.drafts()), phase)


def collect_samples(
    encoded: Sequence[EncodedProblem], k: int, journal: Journal
) -> dict[str, list[JudgedSample]]:
    """Return the judged samples of each problem, in order."""
    return {
        item.problem.id: [_judged_sample(item, index, journal) for index in range(k)]
        for item in encoded
    }


def _judged_sample(item: EncodedProblem, index: int, journal: Journal) -> JudgedSample:
    key = item.problem.id, index
    draft, rewarded = journal.drafts()[key], journal.rewards().get(key)
    return JudgedSample(
        kind=item.problem.kind,
        n_tokens=len(draft.tokens),
        is_truncated=draft.stop is StopReason.LENGTH,
        verdict=journal.verdicts().get(key),
        scores=None if rewarded is None else rewarded.scores,
        total=None if rewarded is None else rewarded.total,
    )


def _reward(
    encoded: Sequence[EncodedProblem],
    tokenizer: Tokenizer,
    rewards: RewardFunction,
    journal: Journal,
    sampling: Sampling,
) -> None:
    """Give every sample its scores; a component may compare the samples of a problem."""
    drafts, verdicts = journal.drafts(), journal.verdicts()
    keys = [[(item.problem.id, n) for n in range(sampling.group_size)] for item in encoded]
    groups = [
        drafts_of(item, [(drafts[key].tokens, drafts[key].stop) for key in own], tokenizer)
        for item, own in zip(encoded, keys, strict=True)
    ]
    known = [[verdicts.get(key) for key in own] for own in keys]
    found = reward_drafts(groups, known, rewards, max_new_tokens=sampling.max_new_tokens)
    for own, group in zip(keys, found, strict=True):
        journal.rewards().update(zip(own, group, strict=True))


def _unjudged(known: Container[str], journal: Journal) -> list[Key]:
    """Return the drafts without a verdict, and those whose verification failed before.

    A journal may hold drafts of other problems; they are left alone.
    """
    verdicts = journal.verdicts()
    return [
        key
        for key in journal.drafts()
        if key[0] in known and (key not in verdicts or verdicts[key].is_failed)
    ]


def _finish(
    name: str,
    beside: JudgedBeside[Key],
    responses: Mapping[Key, VerifyItem],
    total: int,
    phase: Phase,
) -> None:
    """Wait for the verdicts that are still missing."""
    keys = list(responses)
    with phase(f"judge {name}", total) as progress:
        progress(total - len(keys))
        for first in range(0, len(keys), _JUDGED_AT_ONCE):
            part = keys[first : first + _JUDGED_AT_ONCE]
            beside.finish({key: responses[key] for key in part})
            progress(len(part))


def _sample_missing(
    name: str,
    engine: RolloutEngine,
    encoded: Sequence[EncodedProblem],
    sampling: Sampling,
    journal: Journal,
    begin: Callable[[Key, Draft], None],
    run_seed: int,
    phase: Phase,
) -> None:
    """Sample what the journal lacks; keep each completion as it ends, and begin to judge it."""
    known = journal.drafts().keys()
    missing = [
        tuple(n for n in range(sampling.group_size) if (item.problem.id, n) not in known)
        for item in encoded
    ]
    if not any(missing):
        return
    prompts = [
        Prompt(
            tokens=item.tokens,
            seed=derive_seed(run_seed, "evaluate", name, item.problem.id),
            indices=indices,
        )
        for item, indices in zip(encoded, missing, strict=True)
    ]
    total = len(encoded) * sampling.group_size
    with phase(name, total) as progress:
        progress(total - sum(map(len, missing)))

        def note(prompt: int, index: int, completion: Completion) -> None:
            key = encoded[prompt].problem.id, index
            draft = Draft(
                tokens=completion.tokens,
                logprob=float(completion.logprobs.sum(dtype="float64")),
                stop=completion.stop,
            )
            journal.add_draft(key, draft)
            begin(key, draft)
            progress(1)

        engine.generate(prompts, sampling, on_finished=note)
