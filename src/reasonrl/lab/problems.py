"""The miniature's problems: drawn, tried 16 times each, and kept as files like anybody's.

Four files: problems to train on, with the difficulty that the miniature itself was measured to
have; held-out ones; easy ones, with short chains; and noisy ones, whose answer keys were spoiled
after their difficulty was measured.
Called by `miniature`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from reasonrl.atomic import write_atomic
from reasonrl.engines.local import LocalEngine
from reasonrl.lab.world import Chain, Draws, World, WorldSpec, answer, as_problem, draw_chains
from reasonrl.launch.judges import judge_with, make_verifier
from reasonrl.recipe import VerifyConfig
from reasonrl.rollout.collect import collect
from reasonrl.rollout.problems import encode_problems
from reasonrl.types import Group, Problem, Sampling

TRAIN, EASY, NOISY, HELDOUT = "train.jsonl", "easy.jsonl", "noisy.jsonl", "heldout.jsonl"
ATTEMPTS = 16
"""Of each problem, as the report's difficulty counts them (section 6.3)."""

_EASY_STEPS = 3  # the longest chain of the easy problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Say how many problems each file has."""

    train: int = 1024
    easy: int = 512
    noisy: int = 256
    heldout: int = 128


def draw_problems(spec: WorldSpec, world: World, sizes: Sizes) -> dict[str, list[Problem]]:
    """Draw the problems of all files. No chain is in two of them."""
    chains = draw_chains(spec, "problems")
    taken: set[Chain] = set()

    def take(n: int, source: str) -> list[Problem]:
        some = list(islice(chains, n))
        taken.update(some)
        return [as_problem(one, answer(world, one), source=source) for one in some]

    found = {TRAIN: take(sizes.train, "train"), HELDOUT: take(sizes.heldout, "heldout")}
    found[NOISY] = take(sizes.noisy, "noisy")
    short = (one for one in draw_chains(spec, "easy", longest=_EASY_STEPS) if one not in taken)
    found[EASY] = [
        as_problem(one, answer(world, one), source="easy") for one in islice(short, sizes.easy)
    ]
    return found


def spoil(problems: Sequence[Problem], spec: WorldSpec) -> list[Problem]:
    """Exchange every answer key for a wrong one; a measured difficulty stays as it was."""
    wrong = Draws("keys", spec.seed)
    keys = ((int(one.answer) + 1 + wrong.below(spec.values - 1)) % spec.values for one in problems)
    return [replace(one, answer=str(key)) for one, key in zip(problems, keys, strict=True)]


def attempt(
    engine: LocalEngine, problems: Sequence[Problem], *, limit: int, seed: int
) -> list[Group]:
    """Try each problem 16 times."""
    tokenizer = engine.model.tokenizer
    with make_verifier(VerifyConfig()) as verifier:
        return collect(
            engine,
            tokenizer,
            judge_with(verifier),
            encode_problems(problems, tokenizer, system_prompt=None),
            Sampling(max_new_tokens=limit, group_size=ATTEMPTS),
            seed_parts=(seed, "difficulty"),
        )


def right_of(group: Group) -> int:
    """Return how many of a group's answers are right."""
    return sum(reward == 1.0 for reward in group.rewards)


def with_difficulty(group: Group, model: str) -> Problem:
    """Return a problem with what a model made of it: its failures of 16."""
    return replace(group.problem, difficulty={model: ATTEMPTS - right_of(group)})


def write_problems(path: Path, problems: Sequence[Problem]) -> None:
    """Write problems as a file source reads them."""
    rows = (
        {
            "id": one.id,
            "prompt": one.prompt[0].content,
            "answer": one.answer,
            "source": one.source,
            "difficulty": dict(one.difficulty) or None,
        }
        for one in problems
    )
    write_atomic(path, "".join(json.dumps(row) + "\n" for row in rows))
