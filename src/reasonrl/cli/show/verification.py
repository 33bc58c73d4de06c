"""Show verdicts of files and answers, and the isolation that a machine gives."""

from __future__ import annotations

from reasonrl.terminal import Console
from reasonrl.verify.batch_file import VerifyReport
from reasonrl.verify.code.isolation import Machine
from reasonrl.verify.explain import Explanation

_SHOWN_IDS = 10


def show_verification(console: Console, report: VerifyReport) -> None:
    """Print what was not read or judged, the counts on one line, and the disputes if searched."""
    for remark in report.unknown:
        console.note(f"warning: {remark}")
    for fault in report.faults:
        console.note(f"not judged: {fault}")
    counts = " ".join(f"{status}={n}" for status, n in sorted(report.counts.items()))
    errors = f"errors={report.n_faults} " if report.n_faults else ""
    kept = f"kept={report.n_kept} " if report.n_kept else ""
    console.note(f"rows={report.n_rows} wall_s={report.wall_s:.1f} {kept}{errors}{counts}".rstrip())
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
