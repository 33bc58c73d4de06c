"""Show a data set: the funnel as a table, a problem, dropped rows beside similar problems."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table

from reasonrl.algo.stats import share_of
from reasonrl.report.drawing.scale import shorten
from reasonrl.terminal import Console

if TYPE_CHECKING:
    from reasonrl.curation.lookup import Fate, Seen
    from reasonrl.curation.store import StepCounts
    from reasonrl.launch.check_keys import KeyReport

_LONGEST = 200  # characters of a problem in a list
_SHOWN_PROMPT = 400  # characters
_SHOWN_KEY = 80  # characters of a key in a list


def show_funnel(console: Console, steps: Sequence[StepCounts]) -> None:
    """Show how many rows every step kept, and why it dropped the others."""
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
    """List dropped rows, each with its reason and the problem that it resembles."""
    for seen in rows:
        candidate, fault = seen.row.candidate, seen.row.fault
        alike = "" if fault.similarity is None else f"{fault.similarity:.2f} "
        why = f"{seen.step}: {fault.reason} {alike}{fault.detail}".rstrip()
        console.note(f"{candidate.uid}  {why} [{candidate.origin}]")
        console.note(f"    {_line(candidate.problem)}  ->  {_line(candidate.answer, 60)}")
        if seen.other is not None:
            other = seen.other
            console.note(f"  = {_line(other.problem)}  ->  {_line(other.answer, 60)}")
            console.note(f"    ({other.uid})")
    console.note("1 row" if len(rows) == 1 else f"{len(rows)} rows")


def show_keys(console: Console, report: KeyReport, *, as_json: bool) -> None:
    """Show some rows as they would train, list the refused ones, then count.

    As JSON, print one object for each refused row.
    """
    if as_json:
        for row in report.refused:
            print(json.dumps(asdict(row), ensure_ascii=False))
        return
    for example in report.examples:
        tokens = "" if example.tokens is None else f", {example.tokens:,} tokens"
        console.note(f"{example.where} ({example.id}{tokens}):")
        console.note(f"  {_line(example.prompt, _SHOWN_PROMPT)}")
        console.note(f"  answer: {_line(example.answer, _SHOWN_KEY)}")
    for row in report.refused:
        answer = f" {_line(row.answer, _SHOWN_KEY)!r}" if row.answer else ""
        console.note(f"{row.where}{f' ({row.id})' if row.id else ''}:{answer} {row.reason}")
    console.note(f"{report.n_rows:,} rows, {len(report.refused):,} refused")
    if lengths := report.lengths:
        middle, high = lengths[len(lengths) // 2], lengths[int(len(lengths) * 0.99)]
        console.note(
            f"prompts have {lengths[0]:,} to {lengths[-1]:,} tokens; half have at most {middle:,}, "
            f"99 % at most {high:,}; the longest prompt has {lengths[-1]:,} tokens"
        )


def show_fate(console: Console, fate: Fate) -> None:
    """Show one problem in full, whether it was kept, and its duplicates."""
    row = fate.candidate
    console.note(f"{row.uid}  {row.kind} of {row.source}, {row.origin}\n\n{row.problem}\n")
    console.note(f"answer: {row.answer[:2_000]}")
    for name, (right, judged) in json.loads(_rollouts(fate) or "{}").items():
        low, high = share_of(right, judged).ci95
        console.note(f"{name}: {right} of {judged} right [{low:.2f}, {high:.2f}]")
    if row.solution:
        console.note(f"solution: {row.solution[:2_000]}")
    console.note("\nkept" if fate.end is None else "\ndropped:")
    if fate.end is not None:
        show_dropped(console, [fate.end])
    if fate.cluster:
        console.note("\ndropped as its duplicates:")
        show_dropped(console, fate.cluster)


def _rollouts(fate: Fate) -> str:
    """Return what was measured of a problem: it is on the row that was kept or dropped last."""
    last = fate.candidate if fate.end is None else fate.end.row.candidate
    return last.rollouts


def _line(text: str, most: int = _LONGEST) -> str:
    return shorten(" ".join(text.split()), most)
