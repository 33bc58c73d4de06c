"""The miniature's world: operators on sixteen values, chains of operators, a teacher's knowledge.

A problem starts from a value and applies up to eight operators, one after another; each (operator,
value) pair is a fact that must be known. The teacher knows most facts well and some facts badly;
about the rest it is nearly always wrong in the same way. So problems range from easy to nearly
impossible, and the right step for a misconceived fact is rarely sampled. Pure: a spec in, numbers
out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reasonrl.seeds import derive_seed
from reasonrl.types import Message, Problem

LABELS = "ABCDEFGHIJKL"
"""Names of the steps of a chain."""

OPERATORS = "fghkmpqr"
"""Names of the operators."""

_MISCONCEIVED = 0.04  # reliability below which a fact is misconceived

Table = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSpec:
    """The size of the world, and how well the teacher knows it. Shares are of all facts."""

    values: int = 16
    operators: int = 8
    longest: int = 8
    misconceptions: float = 0.15  # right in 0.5 to 4 % of the tries
    unsure: float = 0.2  # right in 30 to 85 %
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """The facts, [operator, value], and the share of tries in which the teacher gets each right.

    `known` is the share at the first look, `checked` at a second look, which mends 45 % of the
    errors of the first; about a misconception the second look is three times as often right as the
    first. `mistakes` are the usual wrong results.
    """

    spec: WorldSpec
    results: npt.NDArray[np.int64]
    mistakes: npt.NDArray[np.int64]
    known: Table
    checked: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A problem: a value and the operators to apply to it, in order."""

    start: int
    operators: tuple[int, ...]


class Draws:
    """A source of random numbers that depend on the seed alone.

    They are made of raw bits, which no version of NumPy changes.
    """

    def __init__(self, *seed: int | str) -> None:
        self._bits = np.random.Philox(derive_seed(*seed))

    def share(self) -> float:
        """Return a number in [0, 1)."""
        return int(self._bits.random_raw()) / 2.0**64

    def below(self, n: int) -> int:
        """Return a number from 0 to n - 1."""
        return int(self.share() * n)

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.share()

    def order(self, n: int) -> list[int]:
        """Return 0 to n - 1 in random order."""
        numbers: list[int] = np.argsort(self._bits.random_raw(n), kind="stable").tolist()
        return numbers


def make_world(spec: WorldSpec) -> World:
    """Draw the facts, and how well the teacher knows each."""
    draws = Draws("world", spec.seed)
    shape = (spec.operators, spec.values)
    results = np.array([draws.order(spec.values) for _ in range(spec.operators)])
    known = np.array([_knowledge(draws, spec) for _ in range(results.size)]).reshape(shape)
    shifts = np.array([1 + draws.below(spec.values - 1) for _ in range(results.size)])
    return World(
        spec=spec,
        results=results,
        mistakes=(results + shifts.reshape(shape)) % spec.values,
        known=known,
        checked=np.where(known < _MISCONCEIVED, 3 * known, 1 - 0.55 * (1 - known)),
    )


def _knowledge(draws: Draws, spec: WorldSpec) -> float:
    kind = draws.share()
    if kind < spec.misconceptions:
        return draws.between(0.005, _MISCONCEIVED)
    if kind < spec.misconceptions + spec.unsure:
        return draws.between(0.3, 0.85)
    return draws.between(0.93, 0.995)


def draw_chains(
    spec: WorldSpec, *seed: int | str, shortest: int = 2, longest: int | None = None
) -> Iterator[Chain]:
    """Yield problems without end, no problem twice."""
    draws, seen = Draws("chains", spec.seed, *seed), set[Chain]()
    longest = longest or spec.longest
    while True:
        n = shortest + draws.below(longest - shortest + 1)
        chain = Chain(
            start=draws.below(spec.values),
            operators=tuple(draws.below(spec.operators) for _ in range(n)),
        )
        if chain not in seen:
            seen.add(chain)
            yield chain


def answer(world: World, chain: Chain) -> int:
    """Return the value at the end of a chain."""
    value = chain.start
    for operator in chain.operators:
        value = int(world.results[operator, value])
    return value


def question(chain: Chain) -> str:
    """Return the prompt of a problem: the value, then each step's label and operator."""
    steps = (
        f"{label} {OPERATORS[operator]}"
        for label, operator in zip(LABELS, chain.operators, strict=False)
    )
    return " ".join((str(chain.start), *steps))


def as_problem(chain: Chain, key: int, *, source: str) -> Problem:
    """Return a chain as a problem with an answer key, right or not."""
    text = question(chain)
    return Problem(
        id=f"{source}: {text}",
        prompt=(Message(role="user", content=text),),
        answer=str(key),
        source=source,
    )
