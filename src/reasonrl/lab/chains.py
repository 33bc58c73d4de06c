"""The first world: chains of operators, and a verbose teacher that checks itself.

A problem starts from a value and applies up to eight operators, one after another. So problems
range from easy to nearly impossible, and the right step for a misconceived fact is rarely sampled.

A step of a trace is `label value operator result`. Fillers may come before it; `wait` and the step
again, more reliable than the first time, may follow it. At the end sometimes come `again` and the
whole chain again. Each trace has its own talkativeness, so lengths vary widely.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from reasonrl.lab.facts import OPERATORS, Draws, FactSpec, FactTable, draw_facts
from reasonrl.lab.world import BOX, CLOSE, END_BOX, FILLERS, boxed, distinct, fillers

LABELS = "ABCDEFGHIJKL"
"""Names of the steps of a chain."""

WAIT, AGAIN = "wait", "again"

_SHORTEST, _LONGEST_EASY = 2, 3  # steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """The rates of the teacher's habits; a trace's own talkativeness, 0 to 2, multiplies them."""

    filler: float = 0.25  # before each step, and after each filler
    wait: float = 0.25  # after each step
    again: float = 0.2  # after the chain


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSpec:
    """The definition of a world of chains."""

    kind: Literal["chains"] = "chains"
    facts: FactSpec = field(default_factory=FactSpec)
    longest: int = 8
    habits: Habits = field(default_factory=Habits)

    def make(self) -> ChainWorld:
        return ChainWorld(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A problem: a value and the operators to apply to it, in order."""

    start: int
    operators: tuple[int, ...]


class ChainWorld:
    """Chains over facts that the teacher knows well, badly or wrongly."""

    def __init__(self, spec: ChainSpec) -> None:
        self.spec = spec
        self.facts: FactTable = draw_facts(spec.facts)
        self.n_answers = spec.facts.values

    def words(self) -> tuple[str, ...]:
        talk = (CLOSE, BOX, END_BOX, *FILLERS, WAIT, AGAIN)
        values = (str(value) for value in range(self.n_answers))
        operators = OPERATORS[: self.spec.facts.operators]
        return (*talk, *values, *operators, *LABELS[: self.spec.longest])

    def draw(self, *seed: int | str, is_easy: bool = False) -> Iterator[Chain]:
        longest = _LONGEST_EASY if is_easy else self.spec.longest
        return distinct(self._any(Draws("chains", self.spec.facts.seed, *seed), longest))

    def _any(self, draws: Draws, longest: int) -> Iterator[Chain]:
        facts = self.spec.facts
        while True:
            n = _SHORTEST + draws.below(longest - _SHORTEST + 1)
            yield Chain(
                start=draws.below(facts.values),
                operators=tuple(draws.below(facts.operators) for _ in range(n)),
            )

    def ask(self, question: Chain) -> str:
        """Return the value, then each step's label and operator."""
        steps = (
            f"{label} {OPERATORS[operator]}"
            for label, operator in zip(LABELS, question.operators, strict=False)
        )
        return " ".join((str(question.start), *steps))

    def answer(self, question: Chain) -> int:
        return self.facts.apply(question.operators, question.start)

    def trace(self, question: Chain, draws: Draws) -> str:
        habits = self.spec.habits
        talk = draws.between(0.0, 2.0)
        spoken, value = self._pass(question, draws, talk)
        if draws.share() < habits.again * talk:
            second, value = self._pass(question, draws, talk)
            spoken += [AGAIN, *second]
        return " ".join((*spoken, *boxed(value)))

    def _pass(self, chain: Chain, draws: Draws, talk: float) -> tuple[list[str], int]:
        """Go through a chain once; return the words and the value at the end of the chain."""
        facts, habits = self.facts, self.spec.habits
        spoken: list[str] = []
        value = chain.start
        for label, operator in zip(LABELS, chain.operators, strict=False):
            spoken += fillers(habits.filler * talk, draws)
            result = facts.recall(operator, value, facts.known, draws)
            step = (label, str(value), OPERATORS[operator])
            spoken += [*step, str(result)]
            if draws.share() < habits.wait * talk:
                result = facts.recall(operator, value, facts.checked, draws)
                spoken += [WAIT, *step, str(result)]
            value = result
        return spoken, value
