"""The doctor beside a run: each step's findings as lines, and an end where a run is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reasonrl.diagnosis.doctor import found_now
from reasonrl.diagnosis.facts import Facts
from reasonrl.launch.own import Callback
from reasonrl.recipe import Recipe
from reasonrl.types import Row

_QUIET = 10
"""Steps without a rule's finding after which it is told again."""


def watch(
    recipe: Recipe,
    rows: Sequence[Row],
    read: Callable[[], Facts],
    note: Callable[[str], None],
) -> Callback:
    """Return a function that is called with each step's metrics and tells what the rules find.

    `rows` are the steps before. A finding is told once, and again after some steps without it.
    """
    seen_rows, last_seen = list(rows), dict[str, int]()

    def tell(metrics: Row) -> None:
        seen_rows.append(metrics)
        now = len(seen_rows)
        for finding in found_now(recipe, seen_rows, read()):
            seen = last_seen.get(finding.rule)
            if seen is None or now - seen > _QUIET:
                note(f"doctor: {finding.sentence}")
            last_seen[finding.rule] = now

    return tell
