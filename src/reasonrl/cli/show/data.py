"""What a person sees of a data set: the funnel as a table, a problem, rows beside what they are
like."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from reasonrl.algo.stats import share_of
from reasonrl.terminal import Console

if TYPE_CHECKING:
    from reasonrl.curation.lookup import Fate, Seen
    from reasonrl.curation.store import StepCounts

_LINE = 200  # characters of a problem in a list


def show_funnel(console: Console, steps: Sequence[StepCounts]) -> None:
    """Show what every step kept and why it dropped the rest."""
    table = Table("step", "kept", "dropped", "why")
    for counts in steps:
        table.add_row(
            counts.name,
            f"{counts.n_kept:,}",
            f"{counts.n_dropped:,}",
            " | ".join(part for part in (counts.why(), counts.noted()) if part),
        )
    console.print(table)


def show_dropped(console: Console, rows: Sequence[Seen]) -> None:
    """List dropped rows, each with its reason and the problem that it is like."""
    for one in rows:
        candidate, fault = one.row.candidate, one.row.fault
        alike = "" if fault.similarity is None else f"{fault.similarity:.2f} "
        why = f"{one.step}: {fault.reason} {alike}{fault.detail}".rstrip()
        console.note(f"{candidate.uid}  {why} [{candidate.origin}]")
        console.note(f"    {_short(candidate.problem)}  ->  {_short(candidate.answer, 60)}")
        if one.other is not None:
            console.note(f"  = {_short(one.other.problem)}  ->  {_short(one.other.answer, 60)}")
            console.note(f"    ({one.other.uid})")
    console.note("1 row" if len(rows) == 1 else f"{len(rows)} rows")


def show_fate(console: Console, fate: Fate) -> None:
    """Show one problem whole, what became of it, and its cluster."""
    one = fate.candidate
    console.note(f"{one.uid}  {one.kind} of {one.source}, {one.origin}\n\n{one.problem}\n")
    console.note(f"answer: {one.answer[:2_000]}")
    for name, (right, judged) in json.loads(_rollouts(fate) or "{}").items():
        low, high = share_of(right, judged).ci95
        console.note(f"{name}: {right} of {judged} right [{low:.2f}, {high:.2f}]")
    if one.solution:
        console.note(f"solution: {one.solution[:2_000]}")
    console.note("\nkept" if fate.end is None else "\ndropped:")
    if fate.end is not None:
        show_dropped(console, [fate.end])
    if fate.cluster:
        console.note("\ndropped for its sake:")
        show_dropped(console, fate.cluster)


def _rollouts(fate: Fate) -> str:
    """Return what was measured of a problem: on the row that was kept or dropped last."""
    last = fate.candidate if fate.end is None else fate.end.row.candidate
    return last.rollouts


def _short(text: str, most: int = _LINE) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}\u2026"
