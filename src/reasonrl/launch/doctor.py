"""What is wrong with a run, and the command that would cure it; and the same while it runs."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reasonrl.algo.select import SelectedGroup
from reasonrl.diagnosis.doctor import examine, found_now
from reasonrl.diagnosis.finding import RunFinding
from reasonrl.evaluation.score import SuiteResult
from reasonrl.loop.seams import Recorder
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


class WatchedRecorder:
    """A recorder that tells a person what the rules find after a step, once for each finding."""

    def __init__(
        self, inner: Recorder, recipe: Recipe, rows: Sequence[Row], note: Callable[[str], None]
    ) -> None:
        self._inner, self._recipe, self._note = inner, recipe, note
        self._rows = list(rows)
        self._last_seen: dict[str, int] = {}

    def rollouts(self, step: int, stage: str, selected: Sequence[SelectedGroup]) -> None:
        self._inner.rollouts(step, stage, selected)

    def step(self, metrics: Row) -> None:
        self._inner.step(metrics)
        self._rows.append(metrics)
        now = len(self._rows)
        for finding in found_now(self._recipe, self._rows):
            seen = self._last_seen.get(finding.rule)
            if seen is None or now - seen > _QUIET:
                self._note(f"doctor: {finding.sentence}")
            self._last_seen[finding.rule] = now

    def evaluation(self, result: SuiteResult) -> None:
        self._inner.evaluation(result)

    def evaluations(self) -> list[SuiteResult]:
        return self._inner.evaluations()
