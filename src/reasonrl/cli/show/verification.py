"""Show verdicts of files and answers, and the isolation that a machine gives."""

from __future__ import annotations

from reasonrl.terminal import Console
from reasonrl.verify.batch_file import VerifyReport
from reasonrl.verify.code.isolation import Machine
from reasonrl.verify.explain import Explanation

_SHOWN_IDS = 10


def show_verification(console: Console, report: VerifyReport) -> None:
    """Print the counts of a verified file on one line, and the disputes if they were searched."""
    counts = " ".join(f"{status}={n}" for status, n in sorted(report.counts.items()))
    console.note(f"rows={report.n_rows} wall_s={report.wall_s:.1f} {counts}")
    if report.disputed is not None:
        ids = ", ".join(report.disputed[:_SHOWN_IDS]) + (
            ", ..." if len(report.disputed) > _SHOWN_IDS else ""
        )
        console.note(f"disputed={len(report.disputed)} {ids}".rstrip())


def show_machine(console: Console, machine: Machine) -> None:
    """Print the isolation that a machine gives, a line for each part."""
    console.note(f"isolation  {machine.level}")
    for name, state in machine.parts.items():
        console.note(f"  {name:<11}{state}")


def show_explanation(console: Console, explanation: Explanation) -> None:
    """Print an explanation, a line for each of its rungs."""
    width = max(len(rung.name) for rung in explanation.rungs)
    for rung in explanation.rungs:
        console.note(f"{rung.name:<{width}}  {rung.text}")
