"""From encoded problems to judged groups: sample, decode, judge.

Knows engine, tokenizer and judge only by their protocols. Filters nothing and records nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from reasonrl.engines.protocols import Progress, RolloutEngine
from reasonrl.errors import EngineError, NotFiniteError
from reasonrl.rollout.judge import (
    Drafts,
    Judge,
    Judgement,
    RewardFunction,
    begin_rewards,
    drafts_of,
    judge_drafts,
)
from reasonrl.rollout.problems import EncodedProblem, Tokenizer
from reasonrl.seeds import derive_seed
from reasonrl.types import (
    Completion,
    Group,
    Prompt,
    Rollout,
    Sampling,
    VerifyItem,
)
from reasonrl.verify.extract import answer_part, last_box


def collect(
    engine: RolloutEngine,
    tokenizer: Tokenizer,
    judge: Judge | None,
    encoded: Sequence[EncodedProblem],
    sampling: Sampling,
    *,
    seed_parts: tuple[int | str, ...],
    rewards: RewardFunction | None = None,
    progress: Progress | None = None,
) -> list[Group]:
    """Sample and judge one group for each problem, in order.

    `judge` is None where no component of the reward asks the verifier; `rewards` is None where the
    verdict is the whole reward.

    A rollout's randomness comes from `seed_parts` and its problem's id, so it does not depend on
    which other problems share the batch.
    """
    prompts = [
        Prompt(tokens=item.tokens, seed=derive_seed(*seed_parts, item.problem.id))
        for item in encoded
    ]

    def ended(number: int, completion: Completion) -> None:
        if progress:
            progress(1)
        if rewards is not None and rewards.is_early:
            draft = drafts_of(encoded[number], [(completion.tokens, completion.stop)], tokenizer)
            begin_rewards(rewards, draft, max_new_tokens=sampling.max_new_tokens)

    completions = _sample(engine, prompts, sampling, ended)
    drafts = [
        drafts_of(item, [(one.tokens, one.stop) for one in group], tokenizer)
        for item, group in zip(encoded, completions, strict=True)
    ]
    judged = judge_drafts(drafts, judge, rewards, max_new_tokens=sampling.max_new_tokens)
    label = "-".join(str(part) for part in seed_parts[1:])
    return [_group(label, *parts) for parts in zip(drafts, completions, judged, strict=True)]


def _group(
    label: str,
    drafts: Drafts,
    completions: Sequence[Completion],
    judgements: Sequence[Judgement],
) -> Group:
    """Return the rollouts of one problem; their ids begin with the label."""
    problem = drafts.encoded.problem
    parts = zip(drafts.items, completions, judgements, strict=True)
    return Group(
        problem=problem,
        prompt=drafts.encoded.tokens,
        rollouts=tuple(
            _rollout(f"{label}/{problem.id}/{index}", index, *part)
            for index, part in enumerate(parts)
        ),
    )


def _rollout(
    name: str, index: int, item: VerifyItem, completion: Completion, judgement: Judgement
) -> Rollout:
    answer = answer_part(item.response, opens_thought=item.opens_thought)
    return Rollout(
        id=name,
        index=index,
        completion=completion,
        text=item.response,
        thought_is_open=answer is None,
        runs_on=completion.is_truncated and answer is not None and last_box(answer) is not None,
        verdict=judgement.verdict,
        scores=judgement.scores,
        total=judgement.total,
    )


def _sample(
    engine: RolloutEngine,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    ended: Callable[[int, Completion], None],
) -> list[list[Completion]]:
    """Return whole groups of completions; `ended` is called with each as it ends."""

    def on_finished(number: int, _index: int, completion: Completion) -> None:
        ended(number, completion)

    completions = engine.generate(prompts, sampling, on_finished=on_finished)
    if [len(group) for group in completions] != [sampling.group_size] * len(prompts):
        raise EngineError(
            "an engine returned incomplete groups",
            expected=f"{sampling.group_size} rollouts of each prompt",
        )
    if not all(np.isfinite(one.logprobs).all() for group in completions for one in group):
        raise NotFiniteError("a sampler's log-probabilities are not finite numbers")
    return completions
