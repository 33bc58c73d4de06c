"""The status of a run, from its files: alive or not, how far, and when it will be done.

Only reads files, so it works on any machine that sees them, while the run trains.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from reasonrl.diagnosis.doctor import found_now
from reasonrl.recipe import LocalEngineConfig, Recipe
from reasonrl.run.config import read_config, runs_in
from reasonrl.run.layout import (
    BEAT_S,
    CHECKPOINTS,
    EVENTS,
    HEARTBEAT,
    LOGS,
    METRICS,
    SUMMARY,
    checkpoint_paths,
)
from reasonrl.run.prescriptions import read_facts
from reasonrl.run.record import RunRecorder
from reasonrl.types import Row

_DEAD_AFTER = 6
"""Missing heartbeats after which a run counts as silent."""

_SLOW, _SLOW_S = 3.0, 60.0
"""A step is slow when it takes this many times the usual time, and this many seconds more."""

_WINDOW = 20
"""Steps that the usual time is taken from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process of a run: the facts that the driver reports, and the end of its log."""

    name: str
    facts: Mapping[str, Any]
    log_age_s: float | None
    last_line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """The status of a run. `phase` is running, silent, stopped or finished.

    Seconds are ages, and `left_s` the time left; None where the files do not say. `troubles` are
    about processes, `findings` what the doctor's rules find in the last step.
    """

    name: str
    phase: str
    where: str
    step: int
    total: int
    stage: str
    step_s: float | None
    left_s: float | None
    since_step_s: float | None
    checkpoint: str
    processes: Sequence[Process]
    events: Sequence[str]
    troubles: Sequence[str]
    findings: Sequence[str]

    @property
    def warnings(self) -> list[str]:
        """Return sentences about what a person should look at."""
        return [*self.troubles, *self.findings]


def read_status(directory: Path) -> RunStatus:
    """Read a run's state; CheckpointError when there is no run."""
    recipe = read_config(directory)
    recorder = RunRecorder(directory)
    rows = recorder.metrics()
    facts = read_facts(directory, recorder.evaluations())
    beat = _read_json(directory / HEARTBEAT)
    phase = _phase(directory, beat)
    times = [
        seconds for row in rows[-_WINDOW:] if isinstance(seconds := row.get("time/step_s"), float)
    ]
    step_s = sum(times) / len(times) if times else None
    total = sum(stage.steps for stage in recipe.stage)
    since = _age(directory / METRICS) if rows else None
    checkpoints = checkpoint_paths(directory / CHECKPOINTS)
    return RunStatus(
        name=recipe.name,
        phase=phase,
        where=f"pid {beat['pid']} on {beat['host']}" if beat else "",
        step=len(rows),
        total=total,
        stage=str(rows[-1]["stage"]) if rows else recipe.stage[0].name,
        step_s=step_s,
        left_s=None if step_s is None or phase != "running" else step_s * (total - len(rows)),
        since_step_s=since,
        checkpoint=checkpoints[-1].name if checkpoints else "none yet",
        processes=_processes(directory, beat),
        events=_events(directory),
        troubles=_troubles(recipe, rows, phase, step_s, since),
        # After a run the same is said as while it ran.
        findings=[one.sentence for one in found_now(recipe, rows, facts)],
    )


def read_statuses(paths: Sequence[Path]) -> dict[Path, RunStatus]:
    """Read the states of runs by their directories; a directory of runs stands for all of them.

    Raises CheckpointError for a path that is no run and holds none.
    """
    return {run: read_status(run) for path in paths for run in runs_in(path)}


def _phase(directory: Path, beat: Mapping[str, Any]) -> str:
    if (directory / SUMMARY).exists():
        return "finished"
    if not beat or beat.get("ended"):
        return "stopped"
    is_gone = beat["host"] == socket.gethostname() and not psutil.pid_exists(int(beat["pid"]))
    is_late = time.time() - float(beat["time"]) > _DEAD_AFTER * BEAT_S
    return "silent" if is_gone or is_late else "running"


def _processes(directory: Path, beat: Mapping[str, Any]) -> list[Process]:
    facts = {process["name"]: process for process in beat.get("processes", ())}
    logs = {path.stem: path for path in (directory / LOGS).glob("*.log")}
    return [
        Process(
            name=name,
            facts={key: value for key, value in facts.get(name, {}).items() if key != "name"},
            log_age_s=_age(logs[name]) if name in logs else None,
            last_line=_last_line(logs[name]) if name in logs else "",
        )
        # Without a heartbeat, the logs of processes that have ended are all there is.
        for name in sorted(facts or logs)
    ]


def _events(directory: Path) -> list[str]:
    path = directory / EVENTS
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [f"{line['time']}  {line['event']}" for line in lines]


def _troubles(
    recipe: Recipe,
    rows: Sequence[Row],
    phase: str,
    step_s: float | None,
    since_s: float | None,
) -> list[str]:
    """Return sentences about processes that seem to hang or to have died."""
    warnings = []
    if phase == "silent":
        warnings.append(
            f"no heartbeat for {_DEAD_AFTER * BEAT_S:.0f} s: the driver died, or its disk hangs; "
            "continue from the checkpoint with `reasonrl resume`"
        )
    if phase == "running" and step_s and since_s and since_s > _SLOW * step_s + _SLOW_S:
        warnings.append(
            f"the last step ended {since_s:.0f} s ago, and a step usually takes {step_s:.0f} s: "
            "an evaluation is running, or a process hangs"
        )
    if isinstance(recipe.engine, LocalEngineConfig) and phase == "running" and not rows:
        warnings.append("no step has ended yet")
    return warnings


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document


def _age(path: Path) -> float:
    return max(0.0, time.time() - path.stat().st_mtime)


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
