"""The second world: which of some values do operators take to a target? It is found by trying.

Nobody shows how to go back from the target. The teacher takes a value, applies the operators, looks
whether the result is the target, and tries the next value if not. It sometimes loses its place,
takes a wrong result for the target or the target for a wrong result, and gives up with a guess
after some tries. What can be learned is to go on, to try each value once, to look closely and to
begin with likely values; knowing more facts helps less than in the world of chains.

A try of a trace is the value, then each operator with its result, then `yes` or `no`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from reasonrl.lab.facts import OPERATORS, Draws, FactSpec, FactTable, draw_facts
from reasonrl.lab.world import BOX, CLOSE, END_BOX, FILLERS, boxed, distinct, fillers

GIVES, OF, YES, NO, ENOUGH = "gives", "of", "yes", "no", "enough"

_FEWEST = 4  # values to choose from
_LONGEST_EASY, _MOST_EASY = 2, 5  # operators, and values to choose from


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeker:
    """The rates of the teacher's habits; a trace's own restlessness, 0 to 2, multiplies them."""

    filler: float = 0.25  # before each try, and after each filler
    enough: float = 0.1  # after each try that failed: it gives up
    lost: float = 0.1  # at each try: any of the values, tried or not, in place of the next
    blind: float = 0.06  # at each look: the wrong word


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpec:
    """The definition of a world of searches: up to `longest` operators and `most` values."""

    kind: Literal["search"] = "search"
    facts: FactSpec = field(default_factory=lambda: FactSpec(values=10, operators=4, seed=1))
    longest: int = 3
    most: int = 8
    seeker: Seeker = field(default_factory=Seeker)

    def make(self) -> SearchWorld:
        return SearchWorld(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A problem: operators, the value that they must lead to, and the values to choose from."""

    operators: tuple[int, ...]
    target: int
    choices: tuple[int, ...]


class SearchWorld:
    """Searches; each has one right answer, because operators permute the values."""

    def __init__(self, spec: SearchSpec) -> None:
        self.spec = spec
        self.facts: FactTable = draw_facts(spec.facts)
        self.n_answers = spec.facts.values

    def words(self) -> tuple[str, ...]:
        talk = (CLOSE, BOX, END_BOX, *FILLERS, GIVES, OF, YES, NO, ENOUGH)
        values = (str(value) for value in range(self.n_answers))
        return (*talk, *values, *OPERATORS[: self.spec.facts.operators])

    def draw(self, *seed: int | str, is_easy: bool = False) -> Iterator[Search]:
        draws = Draws("searches", self.spec.facts.seed, *seed)
        longest, most = self.spec.longest, self.spec.most
        if is_easy:
            longest, most = min(longest, _LONGEST_EASY), min(most, _MOST_EASY)
        return distinct(self._any(draws, longest, most))

    def _any(self, draws: Draws, longest: int, most: int) -> Iterator[Search]:
        facts = self.spec.facts
        while True:
            n = 1 + draws.below(longest)
            operators = tuple(draws.below(facts.operators) for _ in range(n))
            n_choices = _FEWEST + draws.below(most - _FEWEST + 1)
            choices = tuple(draws.order(facts.values)[:n_choices])
            right = choices[draws.below(n_choices)]
            yield Search(
                operators=operators, target=self.facts.apply(operators, right), choices=choices
            )

    def ask(self, question: Search) -> str:
        """Return the operators, the target and the values to choose from."""
        operators = (OPERATORS[operator] for operator in question.operators)
        choices = (str(value) for value in question.choices)
        return " ".join((*operators, GIVES, str(question.target), OF, *choices))

    def answer(self, question: Search) -> int:
        ends = [self.facts.apply(question.operators, value) for value in question.choices]
        return question.choices[ends.index(question.target)]

    def trace(self, question: Search, draws: Draws) -> str:
        seeker = self.spec.seeker
        talk = draws.between(0.0, 2.0)
        left = list(question.choices)
        spoken: list[str] = []
        while True:
            if not left or (spoken and draws.share() < seeker.enough * talk):
                value = question.choices[draws.below(len(question.choices))]
                spoken.append(ENOUGH)
                break
            value = left.pop(0)
            if draws.share() < seeker.lost * talk:
                value = question.choices[draws.below(len(question.choices))]
            spoken += fillers(seeker.filler * talk, draws)
            words, is_found = self._try(question, value, draws, talk)
            spoken += words
            if is_found:
                break
        return " ".join((*spoken, *boxed(value)))

    def _try(self, search: Search, value: int, draws: Draws, talk: float) -> tuple[list[str], bool]:
        """Try a value; return the words, and whether the teacher takes it for the answer."""
        spoken = [str(value)]
        for operator in search.operators:
            value = self.facts.recall(operator, value, self.facts.known, draws)
            spoken += [OPERATORS[operator], str(value)]
        is_found = value == search.target
        if draws.share() < self.spec.seeker.blind * talk:
            is_found = not is_found
        return [*spoken, YES if is_found else NO], is_found
