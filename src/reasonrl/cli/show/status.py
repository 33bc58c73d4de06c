"""Show the state of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from rich.table import Table
from rich.text import Text

from reasonrl.report.drawing.scale import duration_text
from reasonrl.run.status import RunStatus
from reasonrl.terminal import Console, plain_text

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


def show_statuses(console: Console, states: Mapping[Path, RunStatus]) -> None:
    """Print a table of several runs, a row each."""
    table = Table("run", "phase", "step", "stage", "left", "checkpoint", "what is wrong")
    for run, status in states.items():
        left = "-" if status.left_s is None else duration_text(status.left_s)
        cells = (
            str(run), status.phase, f"{status.step}/{status.total}", status.stage, left,
            status.checkpoint, "; ".join(status.warnings) or "-",
        )  # fmt: skip
        table.add_row(*(Text(plain_text(cell)) for cell in cells))
    console.print(table)


def as_json(run: Path, status: RunStatus) -> str:
    """Return the state of a run as one line of JSON; `run` is its directory."""
    return json.dumps({"run": str(run), **asdict(status)})


def _processes(status: RunStatus) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("process", "state", "log", "its last line"):
        table.add_column(title)
    for process in status.processes:
        facts = " ".join(f"{key}={value}" for key, value in process.facts.items())
        age = "-" if process.log_age_s is None else f"{duration_text(process.log_age_s)} ago"
        table.add_row(process.name, facts or "-", age, process.last_line[:_LINE])
    return table
