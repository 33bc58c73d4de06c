"""From encoded problems to judged groups: sample, decode, and judge beside the sampling.

Knows engine, tokenizer and judge only by their protocols. Filters nothing and records nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from reasonrl.engines.protocols import Finished, Progress, RolloutEngine
from reasonrl.errors import EngineError, NotFiniteError
from reasonrl.rollout.beside import JudgedBeside
from reasonrl.rollout.judge import (
    Drafts,
    Judge,
    Judgement,
    RewardFunction,
    begin_rewards,
    judgements_of,
)
from reasonrl.rollout.problems import EncodedProblem, Tokenizer, item_of
from reasonrl.seeds import derive_seed
from reasonrl.types import (
    Completion,
    Group,
    Prompt,
    Rollout,
    Sampling,
    Verdict,
    VerifyItem,
)
from reasonrl.verify.extract import answer_part, last_box

Key: TypeAlias = tuple[int, int]
"""A problem's number, and the index of a rollout in its group."""


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
    responses = _Responses(encoded, tokenizer)
    with JudgedBeside[Key](judge) as beside:

        def ended(number: int, index: int, completion: Completion) -> None:
            item = responses.item(number, index, completion)
            beside.begin((number, index), item)
            if rewards is not None and rewards.is_early:
                draft = Drafts(
                    encoded=encoded[number], items=[item], n_tokens=[len(completion.tokens)]
                )
                begin_rewards(rewards, draft, max_new_tokens=sampling.max_new_tokens)
            if progress:
                progress(1)

        completions = _sample(engine, prompts, sampling, ended)
        drafts = [responses.drafts(number, group) for number, group in enumerate(completions)]
        verdicts = _finish(beside, drafts)
    judged = judgements_of(drafts, verdicts, rewards, max_new_tokens=sampling.max_new_tokens)
    label = "-".join(str(part) for part in seed_parts[1:])
    return [_group(label, *parts) for parts in zip(drafts, completions, judged, strict=True)]


def _finish(beside: JudgedBeside[Key], drafts: Sequence[Drafts]) -> list[list[Verdict | None]]:
    """Return the verdict of each response to each problem."""
    found = beside.finish(
        {
            (number, index): item
            for number, draft in enumerate(drafts)
            for index, item in enumerate(draft.items)
        }
    )
    return [
        [found[number, index] for index in range(len(draft.items))]
        for number, draft in enumerate(drafts)
    ]


class _Responses:
    """The responses to some problems as text, each decoded once."""

    def __init__(self, encoded: Sequence[EncodedProblem], tokenizer: Tokenizer) -> None:
        self._encoded, self._tokenizer = encoded, tokenizer
        self._items: dict[Key, VerifyItem] = {}

    def item(self, number: int, index: int, completion: Completion) -> VerifyItem:
        """Return a response of a problem."""
        if (item := self._items.get((number, index))) is None:
            text = self._tokenizer.decode(completion.tokens)
            item = item_of(self._encoded[number], text, completion.stop)
            self._items[number, index] = item
        return item

    def drafts(self, number: int, group: Sequence[Completion]) -> Drafts:
        """Return all responses to a problem; an engine need not have announced them."""
        return Drafts(
            encoded=self._encoded[number],
            items=[self.item(number, index, one) for index, one in enumerate(group)],
            n_tokens=[len(one.tokens) for one in group],
        )


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
    ended: Finished,
) -> list[list[Completion]]:
    """Return whole groups of completions; `ended` is called with each as it ends."""
    completions = engine.generate(prompts, sampling, on_finished=ended)
    if [len(group) for group in completions] != [sampling.group_size] * len(prompts):
        raise EngineError(
            "an engine returned incomplete groups",
            expected=f"{sampling.group_size} rollouts of each prompt",
        )
    if not all(np.isfinite(one.logprobs).all() for group in completions for one in group):
        raise NotFiniteError("a sampler's log-probabilities are not finite numbers")
    return completions
