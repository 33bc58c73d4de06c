"""The teacher's traces: verbose reasoning that checks itself and is often wrong.

A step is `label value operator result`. Fillers may come before it; `wait` and the step again, more
reliable than the first time, may follow it. At the end sometimes come `again` and the whole chain
again. Each trace has its own talkativeness, so lengths vary widely.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reasonrl.lab.world import LABELS, OPERATORS, Chain, Draws, Table, World, WorldSpec

OPEN, CLOSE, BOX, END_BOX = "<think>", "</think>", "\\boxed{", "}"
WAIT, AGAIN = "wait", "again"
FILLERS = ("hm", "so", "ok")
_DOMINANT = 0.8  # share of the mistakes about a fact that are its usual mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """The rates of the teacher's habits; a trace's own talkativeness, 0 to 2, multiplies them."""

    filler: float = 0.25  # before each step, and after each filler
    wait: float = 0.25  # after each step
    again: float = 0.2  # after the chain


def vocabulary(spec: WorldSpec) -> tuple[str, ...]:
    """Return every word of questions and answers, except `OPEN`."""
    talk = (CLOSE, BOX, END_BOX, *FILLERS, WAIT, AGAIN)
    values = (str(value) for value in range(spec.values))
    return (*talk, *values, *OPERATORS[: spec.operators], *LABELS[: spec.longest])


def write_trace(world: World, chain: Chain, habits: Habits, draws: Draws) -> str:
    """Return the text after `<think>`, without the end of sequence."""
    talk = draws.between(0.0, 2.0)
    spoken, value = _pass(world, chain, habits, draws, talk)
    if draws.share() < habits.again * talk:
        second, value = _pass(world, chain, habits, draws, talk)
        spoken += [AGAIN, *second]
    return " ".join((*spoken, CLOSE, BOX, str(value), END_BOX))


def _pass(
    world: World, chain: Chain, habits: Habits, draws: Draws, talk: float
) -> tuple[list[str], int]:
    """Go through a chain once; return the words and the value at the end of the chain."""
    spoken: list[str] = []
    value = chain.start
    for label, operator in zip(LABELS, chain.operators, strict=False):
        spoken += _fillers(habits.filler * talk, draws)
        result = _recall(world, operator, value, world.known, draws)
        step = (label, str(value), OPERATORS[operator])
        spoken += [*step, str(result)]
        if draws.share() < habits.wait * talk:
            result = _recall(world, operator, value, world.checked, draws)
            spoken += [WAIT, *step, str(result)]
        value = result
    return spoken, value


def _fillers(rate: float, draws: Draws) -> Iterator[str]:
    while draws.share() < rate:
        yield FILLERS[draws.below(len(FILLERS))]


def _recall(world: World, operator: int, value: int, reliability: Table, draws: Draws) -> int:
    """Return the result that the teacher remembers for a fact, this time."""
    if draws.share() < reliability[operator, value]:
        return int(world.results[operator, value])
    if draws.share() < _DOMINANT:
        return int(world.mistakes[operator, value])
    return draws.below(world.spec.values)
