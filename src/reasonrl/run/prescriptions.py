"""What the rules find in a run directory, each with the command that would cure it.

Only reads files, so it works while the run trains, and after it.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reasonrl.diagnosis.doctor import examine
from reasonrl.diagnosis.facts import Evaluated, Facts, Repeats
from reasonrl.diagnosis.finding import RunFinding
from reasonrl.evaluation.score import SuiteResult
from reasonrl.run.config import read_config
from reasonrl.run.layout import (
    CHECKPOINTS,
    CONFIG,
    checkpoint_before,
    checkpoint_paths,
    rollouts_path,
    step_of,
)
from reasonrl.run.problem_sets import read_manifest
from reasonrl.run.record import RunRecorder


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
    recipe, recorder = read_config(run), RunRecorder(run)
    facts = read_facts(run, recorder.evaluations())
    return [
        Prescription(
            finding=finding, command=command_for(run, finding), rollouts=_rollouts(run, finding)
        )
        for finding in examine(recipe, recorder.metrics(), facts)
    ]


def read_facts(run: Path, evaluations: Sequence[SuiteResult]) -> Facts:
    """Return what rules may know of a run besides its metrics."""
    checkpoints = checkpoint_paths(run / CHECKPOINTS)
    return Facts(
        evaluations=[
            Evaluated(
                suite=result.suite,
                step=result.step,
                value=result.accuracy.value,
                low=result.accuracy.ci95[0],
                high=result.accuracy.ci95[1],
            )
            for result in evaluations
            if result.accuracy is not None
        ],
        repeats={
            item.use.removeprefix("stage "): Repeats(repeated=item.repeated, n=item.n)
            for item in read_manifest(run)
            if item.use.startswith("stage ")
        },
        free_bytes=shutil.disk_usage(run).free,
        checkpoint_bytes=_size(checkpoints[-1]) if checkpoints else None,
    )


def _size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


def command_for(run: Path, finding: RunFinding) -> str:
    """Return the command of a run that begins before the finding, with the setting changed.

    It is empty where no setting would cure it.
    """
    if not finding.cure:
        return ""
    before = checkpoint_before(run, finding.since_step)
    start = [] if before is None else ["--from-state", f"{run}@{step_of(before)}"]
    return shlex.join(["reasonrl", "train", str(run / CONFIG), *start, "--set", finding.cure])


def _rollouts(run: Path, finding: RunFinding) -> str:
    if finding.rollouts is None:
        return ""
    path = rollouts_path(run, finding.rollouts)
    return str(path) if path.exists() else ""
