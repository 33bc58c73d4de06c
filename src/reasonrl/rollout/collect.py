"""From encoded problems to judged groups: sample, decode, judge.

Knows engine, tokenizer and judge only by their protocols. Filters nothing and records nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from reasonrl.engines.protocols import Progress, RolloutEngine
from reasonrl.errors import EngineError, NotFiniteError, VerifierError
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


class Judge(Protocol):
    """Return a verdict for each answer, in order; a bad answer never affects another answer."""

    def __call__(self, items: Sequence[VerifyItem], /) -> list[Verdict]: ...


def collect(
    engine: RolloutEngine,
    tokenizer: Tokenizer,
    judge: Judge,
    encoded: Sequence[EncodedProblem],
    sampling: Sampling,
    *,
    seed_parts: tuple[int | str, ...],
    progress: Progress | None = None,
) -> list[Group]:
    """Sample and judge one group for each problem, in order.

    A rollout's randomness comes from `seed_parts` and its problem's id, so it does not depend on
    which other problems share the batch.
    """
    prompts = [
        Prompt(tokens=item.tokens, seed=derive_seed(*seed_parts, item.problem.id))
        for item in encoded
    ]

    completions = _sample(engine, prompts, sampling, progress)
    texts = [[tokenizer.decode(item.tokens) for item in group] for group in completions]
    verdicts = judge(
        [
            item_of(item, text, completion.stop, tokenizer)
            for item, group, decoded in zip(encoded, completions, texts, strict=True)
            for completion, text in zip(group, decoded, strict=True)
        ]
    )
    label = "-".join(str(part) for part in seed_parts[1:])
    size = sampling.group_size
    return [
        Group(
            problem=item.problem,
            prompt=item.tokens,
            rollouts=tuple(
                Rollout(
                    id=f"{label}/{item.problem.id}/{index}",
                    index=index,
                    completion=completions[number][index],
                    text=texts[number][index],
                    verdict=verdicts[number * size + index],
                )
                for index in range(size)
            ),
        )
        for number, item in enumerate(encoded)
    ]


def _sample(
    engine: RolloutEngine,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    progress: Progress | None,
) -> list[list[Completion]]:
    """Return whole groups of completions, and count each completion as it ends."""

    def count(_prompt: int, _index: int, _completion: Completion) -> None:
        if progress:
            progress(1)

    completions = engine.generate(prompts, sampling, on_finished=count)
    if [len(group) for group in completions] != [sampling.group_size] * len(prompts):
        raise EngineError(
            "an engine returned incomplete groups",
            expected=f"{sampling.group_size} rollouts of each prompt",
        )
    if not all(np.isfinite(one.logprobs).all() for group in completions for one in group):
        raise NotFiniteError("a sampler's log-probabilities are not finite numbers")
    return completions


def check_failures(
    verdicts: Sequence[Verdict], *, max_share: float, what: str, where: str, remedy: str
) -> None:
    """Raise VerifierError when more than a share of the verdicts are failures of the verifier.

    Failures are masked, so a broken verifier would otherwise train on ever fewer rollouts.
    """
    failed = [verdict for verdict in verdicts if verdict.is_failed]
    if len(failed) > max_share * len(verdicts):
        raise VerifierError(
            f"{len(failed)} of {len(verdicts)} {what}; "
            f"the first: {failed[0].status} {failed[0].reason}",
            where=where,
            expected=f"at most {max_share:.0%} (verify.max_failed_share)",
            remedy=remedy,
        )
