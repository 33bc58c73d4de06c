"""What is wrong with a run, and the command that would cure it; and the same while it runs."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reasonrl.diagnosis.doctor import examine, found_now
from reasonrl.diagnosis.finding import RunFinding
from reasonrl.launch.own import Callback
from reasonrl.recipe import Recipe
from reasonrl.run.config import read_config
from reasonrl.run.layout import CHECKPOINTS, CONFIG, checkpoint_paths, rollouts_path, step_of
from reasonrl.run.record import RunRecorder
from reasonrl.types import Row

_QUIET = 10
"""Steps without a rule's finding after which it is told again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prescription:
    """A finding, the command that goes on without it, and the file whose rollouts show it.

    `command` is empty where no setting would cure it, `rollouts` where none show it.
    """

    finding: RunFinding
    command: str
    rollouts: str


def examine_run(run: Path) -> list[Prescription]:
    """Return what the rules find in a run; CheckpointError when there is no run."""
    recipe = read_config(run)
    findings = examine(recipe, RunRecorder(run).metrics())
    return [
        Prescription(
            finding=finding, command=_command(run, finding), rollouts=_rollouts(run, finding)
        )
        for finding in findings
    ]


def _command(run: Path, finding: RunFinding) -> str:
    """Return the command of a run that begins before the finding, with the setting changed."""
    if not finding.cure:
        return ""
    steps = [step_of(path) for path in checkpoint_paths(run / CHECKPOINTS)]
    before = max((step for step in steps if step < finding.since_step), default=None)
    start = [] if before is None else ["--from-state", f"{run}@{before}"]
    return shlex.join(["reasonrl", "train", str(run / CONFIG), *start, "--set", finding.cure])


def _rollouts(run: Path, finding: RunFinding) -> str:
    if finding.rollouts is None:
        return ""
    path = rollouts_path(run, finding.rollouts)
    return str(path) if path.exists() else ""


def watch(recipe: Recipe, rows: Sequence[Row], note: Callable[[str], None]) -> Callback:
    """Return a function that is called with each step's metrics and tells what the rules find.

    `rows` are the steps before. A finding is told once, and again after some steps without it.
    """
    seen_rows, last_seen = list(rows), dict[str, int]()

    def tell(metrics: Row) -> None:
        seen_rows.append(metrics)
        now = len(seen_rows)
        for finding in found_now(recipe, seen_rows):
            seen = last_seen.get(finding.rule)
            if seen is None or now - seen > _QUIET:
                note(f"doctor: {finding.sentence}")
            last_seen[finding.rule] = now

    return tell
