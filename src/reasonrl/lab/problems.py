"""The miniature's problems: drawn, tried 16 times each, and kept as ordinary problem files.

Four files: training problems, with the difficulty that was measured on the miniature itself;
held-out problems; easy problems, with short chains; and noisy problems, whose answer keys were
spoiled after their difficulty was measured.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from reasonrl.atomic import write_atomic
from reasonrl.engines.local import LocalEngine
from reasonrl.lab.facts import Draws
from reasonrl.lab.world import World, as_problem
from reasonrl.launch.judges import judge_with, make_verifier
from reasonrl.recipe import VerifyConfig
from reasonrl.rollout.collect import collect
from reasonrl.rollout.problems import encode_problems
from reasonrl.types import Group, Problem, Sampling

TRAIN, EASY, NOISY, HELDOUT = "train.jsonl", "easy.jsonl", "noisy.jsonl", "heldout.jsonl"
ATTEMPTS = 16
"""Attempts at each problem, as in the report's measure of difficulty (section 6.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The number of problems of each file."""

    train: int = 1024
    easy: int = 512
    noisy: int = 256
    heldout: int = 512


def draw_problems(world: World, sizes: Sizes) -> dict[str, list[Problem]]:
    """Draw the problems of all files. No question is in two files."""
    questions = world.draw("problems")
    taken: set[Hashable] = set()

    def problems_of(drawn: Iterable[Hashable], source: str) -> list[Problem]:
        return [as_problem(world.ask(one), world.answer(one), source=source) for one in drawn]

    def take(n: int, source: str) -> list[Problem]:
        drawn = list(islice(questions, n))
        taken.update(drawn)
        return problems_of(drawn, source)

    files = {TRAIN: take(sizes.train, "train"), HELDOUT: take(sizes.heldout, "heldout")}
    files[NOISY] = take(sizes.noisy, "noisy")
    untaken = (one for one in world.draw("easy", is_easy=True) if one not in taken)
    files[EASY] = problems_of(islice(untaken, sizes.easy), "easy")
    return files


def spoil(problems: Sequence[Problem], world: World) -> list[Problem]:
    """Replace every answer key by a wrong key; a measured difficulty stays as it was."""
    draws = Draws("keys", world.spec.facts.seed)
    spoiled = []
    for problem in problems:
        wrong = (int(problem.answer) + 1 + draws.below(world.n_answers - 1)) % world.n_answers
        spoiled.append(replace(problem, answer=str(wrong)))
    return spoiled


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
    """Return the number of right answers of a group."""
    return sum(reward == 1.0 for reward in group.rewards)


def with_difficulty(group: Group, model: str) -> Problem:
    """Return the problem of a group with its difficulty for a model: the failures of 16."""
    return replace(group.problem, difficulty={model: ATTEMPTS - right_of(group)})


def write_problems(path: Path, problems: Sequence[Problem]) -> None:
    """Write problems as a file source reads them."""
    rows = (
        {
            "id": problem.id,
            "prompt": problem.prompt[0].content,
            "answer": problem.answer,
            "source": problem.source,
            "difficulty": dict(problem.difficulty) or None,
        }
        for problem in problems
    )
    write_atomic(path, "".join(json.dumps(row) + "\n" for row in rows))
