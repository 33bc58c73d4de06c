"""From problems to verified groups: encode once, sample, judge.

Knows an engine, a tokenizer and a verifier only by what they do. Called by the trainer and by
`evaluate`; filters nothing and records nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reasonrl.engines.protocols import Progress, RolloutEngine
from reasonrl.errors import ConfigError, DataError, EngineError, VerifierError
from reasonrl.seeds import derive_seed
from reasonrl.types import (
    Completion,
    Group,
    Message,
    Problem,
    Prompt,
    Rollout,
    Sampling,
    StopReason,
    Task,
    Tokens,
    Verdict,
)


class Tokenizer(Protocol):
    """Turn chat turns into ids and ids into text."""

    def encode_chat(self, messages: Sequence[Message]) -> Tokens: ...
    def decode(self, tokens: Tokens) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Hold what a judge needs about one rollout."""

    task: Task
    text: str
    stop: StopReason


class Judge(Protocol):
    """Return a verdict for each answer, in order; one bad answer never touches another."""

    def __call__(self, answers: Sequence[Answer], /) -> list[Verdict]: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncodedProblem:
    """Hold a problem with the token ids of its prompt."""

    problem: Problem
    tokens: Tokens


def encode_problems(
    problems: Sequence[Problem], tokenizer: Tokenizer, *, system_prompt: str | None
) -> list[EncodedProblem]:
    """Apply the chat template to each problem, once for the whole run."""
    return [
        EncodedProblem(
            problem=problem, tokens=tokenizer.encode_chat(turns_of(problem, system_prompt))
        )
        for problem in problems
    ]


def turns_of(problem: Problem, system_prompt: str | None) -> tuple[Message, ...]:
    """Return the turns that a model is asked."""
    system = () if system_prompt is None else (Message(role="system", content=system_prompt),)
    return (*system, *problem.prompt)


def within_prompt_limit(
    encoded: Sequence[EncodedProblem],
    *,
    max_prompt_tokens: int,
    max_new_tokens: int,
    context: int,
    where: str,
) -> list[EncodedProblem]:
    """Drop problems whose prompt is over the limit, as the released code does at load.

    Raises DataError when none is left, ConfigError when a kept prompt and a full completion
    together exceed the model's context.
    """
    kept = [item for item in encoded if len(item.tokens) <= max_prompt_tokens]
    shortest = min(encoded, key=lambda item: len(item.tokens))
    if not kept:
        raise DataError(
            f"every prompt is longer than {max_prompt_tokens} tokens; the shortest, "
            f"{shortest.problem.id!r}, has {len(shortest.tokens)}",
            where=where,
            remedy="raise max_prompt_tokens or shorten the prompts",
        )
    check_context(kept, max_new_tokens=max_new_tokens, context=context, where=where)
    return kept


def check_context(
    encoded: Sequence[EncodedProblem], *, max_new_tokens: int, context: int, where: str
) -> None:
    """Raise ConfigError when a prompt and a full completion exceed the model's context."""
    longest = max(encoded, key=lambda item: len(item.tokens))
    if len(longest.tokens) + max_new_tokens > context:
        raise ConfigError(
            f"prompt {longest.problem.id!r} has {len(longest.tokens)} tokens; with "
            f"max_new_tokens = {max_new_tokens} that exceeds the model's context of {context}",
            where=where,
            expected=f"at most {context - len(longest.tokens)}",
            remedy="lower max_new_tokens, or leave out long prompts",
        )


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

    def count(_place: int, _index: int, _completion: Completion) -> None:
        if progress:
            progress(1)

    completions = engine.generate(prompts, sampling, on_finished=count)
    if [len(group) for group in completions] != [sampling.group_size] * len(prompts):
        raise EngineError("an engine returned incomplete groups", expected="all rollouts of each")
    label = "-".join(str(part) for part in seed_parts[1:])
    drafts = [
        (item, index, completion, tokenizer.decode(completion.tokens))
        for item, group in zip(encoded, completions, strict=True)
        for index, completion in enumerate(group)
    ]
    verdicts = judge(
        [
            Answer(task=item.problem.task, text=text, stop=completion.stop)
            for item, _, completion, text in drafts
        ]
    )
    rollouts = [
        Rollout(
            id=f"{label}/{item.problem.id}/{index}",
            index=index,
            completion=completion,
            text=text,
            verdict=verdict,
        )
        for (item, index, completion, text), verdict in zip(drafts, verdicts, strict=True)
    ]
    size = sampling.group_size
    return [
        Group(
            problem=item.problem,
            prompt=item.tokens,
            rollouts=tuple(rollouts[number * size : (number + 1) * size]),
        )
        for number, item in enumerate(encoded)
    ]


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
