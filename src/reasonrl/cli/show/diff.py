"""Show what differs between two sides of runs, as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reasonrl.recipe.tables import short
from reasonrl.terminal import Console

if TYPE_CHECKING:
    from reasonrl.diagnose.diff import Diff


def show_diff(console: Console, found: Diff) -> None:
    """Print the verdict first, then what differs, part by part."""
    console.note(f"A: {_names(found.a)}")
    console.note(f"B: {_names(found.b)}")
    console.note(found.verdict)
    console.note(f"measured over the last third of {found.steps} common steps, A and B:")
    for one in found.measures:
        mark = " *" if one in found.shown else ""
        console.note(f"  {one.sentence}{mark}")
    for sentence in found.suites:
        console.note(f"  {sentence}")
    _show_pairs(console, "recipe", [(key, short(a), short(b)) for key, a, b in found.recipe])
    _show_pairs(console, "versions, machine and problems", found.facts)
    for run, sentences in found.findings.items():
        for sentence in sentences:
            console.note(f"doctor of {run}: {sentence}")


def _show_pairs(console: Console, title: str, pairs: Sequence[tuple[str, str, str]]) -> None:
    if not pairs:
        console.note(f"{title}: the same")
        return
    console.note(f"{title}:")
    for key, a, b in pairs:
        console.note(f"  {key}: {a} and {b}")


def _names(runs: Sequence[object]) -> str:
    return ", ".join(map(str, runs))
