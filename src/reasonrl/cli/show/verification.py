"""Show verdicts of files and answers, and the isolation that a machine gives."""

from __future__ import annotations

import json

from reasonrl.terminal import Console
from reasonrl.verify.batch_file import VerifyReport
from reasonrl.verify.code.check import SandboxCheck
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


def show_sandbox(console: Console, found: SandboxCheck) -> None:
    """Print the isolation of a machine: its parts, the escapes that were tried, what to change."""
    console.note(f"isolation  {found.level or 'no sandbox starts'}")
    for name, state in found.parts.items():
        console.note(f"  {name:<11}{state}")
    for attempt in found.attempts:
        outcome = "kept in" if attempt.is_kept_in else attempt.fault or "ESCAPED"
        console.note(f"  {outcome:<11}{attempt.name}")
    console.note(f"message    {found.message}")
    if found.setting:
        console.note(f"setting    {found.setting}")


def sandbox_as_json(found: SandboxCheck) -> str:
    """Return a check as one line of JSON."""
    attempts = {
        attempt.name: attempt.fault or ("kept in" if attempt.is_kept_in else "escaped")
        for attempt in found.attempts
    }
    fields = {"isolation": found.level, "full": found.is_full, "parts": dict(found.parts)}
    ends = {"attempts": attempts, "message": found.message, "setting": found.setting}
    return json.dumps(fields | ends)


def show_explanation(console: Console, explanation: Explanation) -> None:
    """Print an explanation, a line for each of its rungs."""
    width = max(len(rung.name) for rung in explanation.rungs)
    for rung in explanation.rungs:
        console.note(f"{rung.name:<{width}}  {rung.text}")
