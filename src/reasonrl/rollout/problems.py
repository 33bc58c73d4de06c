"""Problems with the token ids of their prompts, encoded once, and the limits they must keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reasonrl.errors import ConfigError, DataError
from reasonrl.types import ChatPrompt, Message, Problem, StopReason, Tokens, VerifyItem


class Tokenizer(Protocol):
    """Turn chat turns into token ids, and token ids into text."""

    def encode_chat(self, messages: Sequence[Message]) -> ChatPrompt: ...
    def decode(self, tokens: Tokens) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncodedProblem:
    """A problem with the token ids of its prompt, which may begin the thought of the answer."""

    problem: Problem
    tokens: Tokens
    opens_thought: bool = False


def item_of(encoded: EncodedProblem, text: str, stop: StopReason) -> VerifyItem:
    """Return a response as the verifier takes it, with what its prompt says about it."""
    return VerifyItem(
        task=encoded.problem.task,
        response=text,
        stop_reason=stop,
        opens_thought=encoded.opens_thought,
    )


def encode_problems(
    problems: Sequence[Problem], tokenizer: Tokenizer, *, system_prompt: str | None
) -> list[EncodedProblem]:
    """Apply the chat template to each problem, once for the whole run."""
    encoded = []
    for problem in problems:
        prompt = tokenizer.encode_chat(turns_of(problem, system_prompt))
        encoded.append(
            EncodedProblem(
                problem=problem, tokens=prompt.tokens, opens_thought=prompt.opens_thought
            )
        )
    return encoded


def turns_of(problem: Problem, system_prompt: str | None) -> tuple[Message, ...]:
    """Return the chat turns of a problem's prompt."""
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
    """Return the problems whose prompt is within the limit, as the released code does at load.

    Raises DataError when no problem is left, ConfigError when a kept prompt and a full completion
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
