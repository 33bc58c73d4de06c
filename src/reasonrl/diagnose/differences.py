"""What differs between a record and its repetition, in the order in which a step makes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, isnan

_SHOWN = 60
"""Characters of a value in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How far two numbers may be apart: absolute for nats, relative for all else."""

    nats: float
    relative: float


EXACT = Bounds(nats=0.0, relative=0.0)
"""The local engine on a CPU with the threads of the run: equal to the bit."""

LOOSE = Bounds(nats=0.05, relative=0.05)
"""Anywhere else: layouts, precision and the order of sums differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A recorded value that came out otherwise; `where` names the step, the file or the rollout."""

    what: str
    where: str
    recorded: object
    repeated: object

    @property
    def sentence(self) -> str:
        """Return the difference in one line."""
        return f"{self.what} of {self.where}: recorded {_short(self.recorded)}, came out " + _short(
            self.repeated
        )


@dataclass(slots=True, kw_only=True)
class Compared:
    """The values that were compared, counted by what they are, and those that differ.

    `largest` has the largest distance of numbers that need not be equal.
    """

    differences: list[Difference] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    largest: dict[str, float] = field(default_factory=dict)

    def equal(self, what: str, where: str, recorded: object, repeated: object) -> None:
        """Note two values that must be the same."""
        self._count(what)
        if recorded != repeated:
            self._add(what, where, recorded, repeated)

    def number(
        self, what: str, where: str, recorded: object, repeated: object, bounds: Bounds
    ) -> None:
        """Note two numbers that may be apart by the relative bound; other values must be equal."""
        self._count(what)
        if not (_is_number(recorded) and _is_number(repeated)):
            if recorded != repeated:
                self._add(what, where, recorded, repeated)
            return
        mine, other = float(str(recorded)), float(str(repeated))
        if isnan(mine) and isnan(other):
            return
        scale = max(abs(mine), abs(other))
        apart = abs(mine - other) / scale if scale else 0.0
        self.largest[what] = max(self.largest.get(what, 0.0), apart)
        if not isfinite(apart) or apart > bounds.relative:
            self._add(what, where, recorded, repeated)

    def numbers(
        self,
        what: str,
        where: str,
        recorded: Sequence[float],
        repeated: Sequence[float],
        nats: float,
    ) -> None:
        """Note two lists of numbers, whose members may be `nats` apart; the first worst is told."""
        self._count(what)
        if len(recorded) != len(repeated):
            self._add(f"length of {what}", where, len(recorded), len(repeated))
            return
        for place, (mine, other) in enumerate(zip(recorded, repeated, strict=True)):
            apart = abs(mine - other)
            self.largest[what] = max(self.largest.get(what, 0.0), apart)
            if not apart <= nats:
                self._add(f"{what}, token {place},", where, mine, other)
                return

    def row(
        self,
        where: str,
        recorded: Mapping[str, object],
        repeated: Mapping[str, object],
        bounds: Bounds,
    ) -> None:
        """Note all numbers of two rows by name."""
        for name in dict.fromkeys([*repeated, *recorded]):
            self.number(name, where, recorded.get(name), repeated.get(name), bounds)

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def _add(self, what: str, where: str, recorded: object, repeated: object) -> None:
        self.differences.append(
            Difference(what=what, where=where, recorded=recorded, repeated=repeated)
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
