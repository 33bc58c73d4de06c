"""What a run's directory says about the run: alive or not, how far, and when it will be done.

Reads files only, so it works from any machine that sees them, and while the run goes on. Written by
`launch.heartbeat`, the recorder and the checkpoints; shown by `reasonrl status`.
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

from reasonrl.algo.collapse import COLLAPSED, is_collapsed, is_falling
from reasonrl.recipe import LocalEngineConfig, Recipe
from reasonrl.run.config import read_config
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
from reasonrl.run.record import RunRecorder

_DEAD_AFTER = 6  # beats
_SLOW, _SLOW_S = 3.0, 60.0  # times the usual step, and seconds more
_WINDOW = 20  # steps that say what is usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """Hold one process of a run: what the driver knows of it, and the end of its log."""

    name: str
    facts: Mapping[str, Any]
    log_age_s: float | None
    last_line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """Hold the state of a run. `phase` is running, silent, stopped or finished.

    Seconds are ages, or what is left (`left_s`); None where there is nothing to tell.
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
    warnings: Sequence[str]


def read_status(directory: Path) -> RunStatus:
    """Read a run's state; CheckpointError when there is no run."""
    recipe = read_config(directory)
    recorder = RunRecorder(directory)
    rows = recorder.metrics()
    beat = _read_json(directory / HEARTBEAT)
    phase = _phase(directory, beat)
    times = [one for row in rows[-_WINDOW:] if isinstance(one := row.get("time/step_s"), float)]
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
        warnings=_warnings(recipe, rows, phase, step_s, since),
    )


def _phase(directory: Path, beat: Mapping[str, Any]) -> str:
    if (directory / SUMMARY).exists():
        return "finished"
    if not beat or beat.get("ended"):
        return "stopped"
    is_gone = beat["host"] == socket.gethostname() and not psutil.pid_exists(int(beat["pid"]))
    is_late = time.time() - float(beat["time"]) > _DEAD_AFTER * BEAT_S
    return "silent" if is_gone or is_late else "running"


def _processes(directory: Path, beat: Mapping[str, Any]) -> list[Process]:
    facts = {one["name"]: one for one in beat.get("processes", ())}
    logs = {path.stem: path for path in (directory / LOGS).glob("*.log")}
    return [
        Process(
            name=name,
            facts={key: value for key, value in facts.get(name, {}).items() if key != "name"},
            log_age_s=_age(logs[name]) if name in logs else None,
            last_line=_last_line(logs[name]) if name in logs else "",
        )
        for name in sorted(facts or logs)  # logs also remain of processes that are gone
    ]


def _events(directory: Path) -> list[str]:
    path = directory / EVENTS
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [f"{line['time']}  {line['event']}" for line in lines]


def _warnings(
    recipe: Recipe,
    rows: Sequence[Mapping[str, Any]],
    phase: str,
    step_s: float | None,
    since_s: float | None,
) -> list[str]:
    """Say in words what a person should look at."""
    found = []
    if phase == "silent":
        found.append(
            "the driver is gone, or gave no sign of life for "
            f"{_DEAD_AFTER * BEAT_S:.0f} s: it died, or its disk hangs; "
            "`reasonrl resume` goes on from the checkpoint"
        )
    if phase == "running" and step_s and since_s and since_s > _SLOW * step_s + _SLOW_S:
        found.append(
            f"the last step ended {since_s:.0f} s ago, a usual one takes {step_s:.0f} s: an "
            "evaluation, or a process that hangs"
        )
    if rows:
        last = rows[-1]
        if (share := last.get("rollout/truncated_share") or 0.0) > 0.9:
            found.append(f"{share:.0%} of the last step's rollouts were truncated")
        if last.get("rollout/failed"):
            found.append(f"{last['rollout/failed']} verifications failed in the last step")
        if not any(row.get("groups/kept") for row in rows[-3:]):
            found.append("no group had a signal in the last steps: nothing is learned")
        if phase == "running":
            found += _entropy_warnings(rows)
    if isinstance(recipe.engine, LocalEngineConfig) and phase == "running" and not rows:
        found.append("no step has ended yet")
    return found


def _entropy_warnings(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    entropies = [float(one) for row in rows if (one := row.get("entropy/nats")) is not None]
    if is_collapsed(entropies):
        return [f"entropy is under {COLLAPSED:.0%} of its start: little is explored"]
    if is_falling(entropies):
        return [
            f"entropy falls towards {COLLAPSED:.0%} of its start: see entropy.mode, fewer updates "
            "a step, a higher clip"
        ]
    return []


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _age(path: Path) -> float:
    return max(0.0, time.time() - path.stat().st_mtime)


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
