"""What a world is: questions with answers, and a teacher who writes what it thinks about them.

Two worlds differ in kind. In `chains` the answer is reached by knowing facts, one after another; in
`search` it is found by trying values and checking each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from reasonrl.lab.facts import Draws, FactSpec
from reasonrl.types import Message, Problem

OPEN, CLOSE, BOX, END_BOX = "<think>", "</think>", "\\boxed{", "}"
"""Words of every world: what an answer begins with, the end of thought, and the box."""

FILLERS = ("hm", "so", "ok")

Question = Any
"""A question of a world, hashable; each world has its own."""


class WorldSpec(Protocol):
    """The definition of a world: a dataclass that `miniature.Spec` holds and hashes."""

    @property
    def kind(self) -> str: ...

    @property
    def facts(self) -> FactSpec: ...

    def make(self) -> World:
        """Draw the world."""
        ...


class World(Protocol):
    """A world: its words, questions, right answers, and its teacher."""

    @property
    def spec(self) -> WorldSpec: ...

    @property
    def n_answers(self) -> int:
        """Answers are the numbers from 0 to `n_answers` - 1."""
        ...

    def words(self) -> tuple[str, ...]:
        """Return every word of questions and traces, except `OPEN`."""
        ...

    def draw(self, *seed: int | str, is_easy: bool = False) -> Iterator[Question]:
        """Yield questions without end, none twice."""
        ...

    def ask(self, question: Question) -> str:
        """Return the text of a question."""
        ...

    def answer(self, question: Question) -> int:
        """Return the right answer."""
        ...

    def trace(self, question: Question, draws: Draws) -> str:
        """Return what the teacher writes after `OPEN`, right or wrong, without the end."""
        ...


def fillers(rate: float, draws: Draws) -> Iterator[str]:
    """Yield the words that a teacher says before it goes on."""
    while draws.share() < rate:
        yield FILLERS[draws.below(len(FILLERS))]


def distinct(questions: Iterator[Question]) -> Iterator[Question]:
    """Yield every question the first time that it comes."""
    seen = set()
    for question in questions:
        if question not in seen:
            seen.add(question)
            yield question


def boxed(value: int) -> tuple[str, ...]:
    """Return the words that end a trace."""
    return (CLOSE, BOX, str(value), END_BOX)


def as_problem(text: str, key: int, *, source: str) -> Problem:
    """Return a question as a problem with an answer key, right or not."""
    return Problem(
        id=f"{source}: {text}",
        prompt=(Message(role="user", content=text),),
        answer=str(key),
        source=source,
    )
