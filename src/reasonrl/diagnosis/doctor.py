"""What is wrong with a run, and since when: the rules asked after every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reasonrl.diagnosis.causes import with_causes
from reasonrl.diagnosis.facts import NO_FACTS, Facts
from reasonrl.diagnosis.finding import RunFinding
from reasonrl.diagnosis.history import Columns, History
from reasonrl.diagnosis.rules import RULES
from reasonrl.diagnosis.suspects import suspects
from reasonrl.recipe import Recipe
from reasonrl.types import Row


def found_now(recipe: Recipe, rows: Sequence[Row], facts: Facts = NO_FACTS) -> list[RunFinding]:
    """Return what the rules find after the last of these steps."""
    if not rows:
        return []
    return _ask(History(recipe=recipe, columns=Columns(rows), n=len(rows), facts=facts))


def examine(recipe: Recipe, rows: Sequence[Row], facts: Facts = NO_FACTS) -> list[RunFinding]:
    """Return each rule's first finding over a run, as a live run would have said it.

    The order is that of the steps that show them.
    """
    first: dict[str, RunFinding] = {}
    columns = Columns(rows)
    for n in range(1, len(rows) + 1):
        known = facts.until(int(str(rows[n - 1]["step"])))
        for finding in _ask(History(recipe=recipe, columns=columns, n=n, facts=known)):
            first.setdefault(finding.rule, finding)
    return sorted(first.values(), key=lambda finding: finding.since_step)


def _ask(history: History) -> list[RunFinding]:
    found = [one for rule in RULES if (one := rule(history)) is not None]
    if not found:
        return []
    now = history.step(-1)
    return [replace(one, found_step=now) for one in with_causes(found, suspects(history))]
