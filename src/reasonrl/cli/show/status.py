"""Show the state of a run."""

from __future__ import annotations

from rich.table import Table

from reasonrl.report.drawing.scale import duration_text
from reasonrl.run.status import RunStatus
from reasonrl.terminal import Console

_EVENTS = 5
_LINE = 60  # characters of a log's last line


def show_status(console: Console, status: RunStatus) -> None:
    """Print a run's state: a line, its processes, their events, and warnings."""
    where = f" ({status.where})" if status.phase in ("running", "silent") else ""
    console.note(
        f"{status.name}: {status.phase}{where}, step {status.step}/{status.total}, "
        f"stage {status.stage}, checkpoint {status.checkpoint}"
    )
    if status.step_s is not None:
        left = (
            "" if status.left_s is None else f", {duration_text(status.left_s)} left at this pace"
        )
        console.note(f"a step takes {duration_text(status.step_s)}{left}")
    if status.processes:
        console.print(_processes(status))
    for event in status.events[-_EVENTS:]:
        console.note(event)
    for warning in status.warnings:
        console.note(f"warning: {warning}")


def _processes(status: RunStatus) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("process", "state", "log", "its last line"):
        table.add_column(title)
    for process in status.processes:
        facts = " ".join(f"{key}={value}" for key, value in process.facts.items())
        age = "-" if process.log_age_s is None else f"{duration_text(process.log_age_s)} ago"
        table.add_row(process.name, facts or "-", age, process.last_line[:_LINE])
    return table
