"""Facts that a world is made of: operators on a few values, and how well a teacher knows each.

Each (operator, value) pair is a fact that must be known. The teacher knows most facts well and some
facts badly; about the rest it is nearly always wrong in the same way. Pure: a spec in, numbers out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reasonrl.seeds import derive_seed

OPERATORS = "fghkmpqr"
"""Names of the operators."""

_MISCONCEIVED = 0.04  # reliability below which a fact is misconceived
_DOMINANT = 0.8  # share of the mistakes about a fact that are its usual mistake

Table = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSpec:
    """The number of facts, and how well the teacher knows them. Shares are of all facts."""

    values: int = 16
    operators: int = 8
    misconceptions: float = 0.15  # right in 0.5 to 4 % of the tries
    unsure: float = 0.2  # right in 30 to 85 %
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FactTable:
    """The facts, [operator, value], and the share of tries in which the teacher gets each right.

    Each operator permutes the values. `known` is the share at the first look, `checked` at a second
    look, which mends 45 % of the errors of the first; about a misconception the second look is
    three times as often right as the first. `mistakes` are the usual wrong results.
    """

    results: npt.NDArray[np.int64]
    mistakes: npt.NDArray[np.int64]
    known: Table
    checked: Table

    def apply(self, operators: tuple[int, ...], value: int) -> int:
        """Return the value at the end of a chain of operators."""
        for operator in operators:
            value = int(self.results[operator, value])
        return value

    def recall(self, operator: int, value: int, reliability: Table, draws: Draws) -> int:
        """Return the result that the teacher remembers for a fact, this time."""
        if draws.share() < reliability[operator, value]:
            return int(self.results[operator, value])
        if draws.share() < _DOMINANT:
            return int(self.mistakes[operator, value])
        return draws.below(self.results.shape[1])


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


def draw_facts(spec: FactSpec) -> FactTable:
    """Draw the facts, and how well the teacher knows each."""
    draws = Draws("world", spec.seed)
    shape = (spec.operators, spec.values)
    results = np.array([draws.order(spec.values) for _ in range(spec.operators)])
    known = np.array([_knowledge(draws, spec) for _ in range(results.size)]).reshape(shape)
    shifts = np.array([1 + draws.below(spec.values - 1) for _ in range(results.size)])
    return FactTable(
        results=results,
        mistakes=(results + shifts.reshape(shape)) % spec.values,
        known=known,
        checked=np.where(known < _MISCONCEIVED, 3 * known, 1 - 0.55 * (1 - known)),
    )


def _knowledge(draws: Draws, spec: FactSpec) -> float:
    kind = draws.share()
    if kind < spec.misconceptions:
        return draws.between(0.005, _MISCONCEIVED)
    if kind < spec.misconceptions + spec.unsure:
        return draws.between(0.3, 0.85)
    return draws.between(0.93, 0.995)
