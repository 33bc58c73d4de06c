"""Groups without a model: a fake engine's completions with rewards of the test's choice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reasonrl.algo.choices import TruncationRule
from reasonrl.algo.select import SelectedGroup, select_group
from reasonrl.data.sources import arithmetic_problems
from reasonrl.engines.fake import FakeEngine
from reasonrl.rollout.collect import collect
from reasonrl.rollout.problems import EncodedProblem
from reasonrl.types import ChatPrompt, Group, Sampling, Status, Verdict


class Letters:
    """A tokenizer of single characters."""

    def encode_chat(self, messages):
        text = "".join(message.content for message in messages)
        return ChatPrompt(tokens=np.array([ord(letter) for letter in text], dtype=np.int32))

    def decode(self, tokens) -> str:
        return "".join(chr(97 + token) for token in tokens)


def problems(n: int) -> list[EncodedProblem]:
    """The first n sums, encoded."""
    sums = arithmetic_problems(operators=["add"], max_operand=9, heldout=5)[:n]
    return [EncodedProblem(problem=p, tokens=Letters().encode_chat(p.prompt).tokens) for p in sums]


def groups_of(
    engine: FakeEngine, reward: Callable[[int], float | None], *, n: int = 3, size: int = 4
) -> list[Group]:
    """Sample groups; `reward` gives the reward of each rollout, counted over all of them."""

    def judge(items):
        return [
            Verdict(
                reward=reward(number),
                status=Status.TIMEOUT if reward(number) is None else Status.CORRECT,
            )
            for number, _ in enumerate(items)
        ]

    sampling = Sampling(max_new_tokens=6, group_size=size)
    return collect(engine, Letters(), judge, problems(n), sampling, seed_parts=(1, "train", 1, 0))


def kept_of(engine: FakeEngine, **options) -> list[SelectedGroup]:
    groups = groups_of(engine, lambda number: float(number % 2), **options)
    return [select_group(group, TruncationRule.NONE) for group in groups]
