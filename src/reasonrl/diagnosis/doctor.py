"""What is wrong with a run, and since when: the rules asked after every step."""

from __future__ import annotations

from collections.abc import Sequence

from reasonrl.diagnosis.finding import RunFinding
from reasonrl.diagnosis.history import History
from reasonrl.diagnosis.rules import RULES
from reasonrl.recipe import Recipe
from reasonrl.types import Row


def found_now(recipe: Recipe, rows: Sequence[Row]) -> list[RunFinding]:
    """Return what the rules find after the last of these steps."""
    if not rows:
        return []
    history = History(recipe=recipe, rows=rows)
    return [finding for rule in RULES if (finding := rule(history)) is not None]


def examine(recipe: Recipe, rows: Sequence[Row]) -> list[RunFinding]:
    """Return each rule's first finding over a run, as a live run would have said it.

    The order is that of the steps that show them.
    """
    first: dict[str, RunFinding] = {}
    for n in range(1, len(rows) + 1):
        for finding in found_now(recipe, rows[:n]):
            first.setdefault(finding.rule, finding)
    return sorted(first.values(), key=lambda finding: finding.since_step)
