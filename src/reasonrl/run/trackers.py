"""Send numbers to wandb, tensorboard or trackio, where those are installed. Optional throughout.

The run directory holds everything; a tracker only shows the numbers elsewhere. Each adapter imports
its package when opened. Where data goes, and whether it leaves the machine, is decided as each
package does it, by its own environment variables (WANDB_MODE, WANDB_PROJECT, TRACKIO_SPACE_ID...).
Called by `launch`.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol, cast

from reasonrl.algo.select import SelectedGroup
from reasonrl.errors import ConfigError
from reasonrl.evaluation.score import SuiteResult
from reasonrl.run.layout import TRACKER_ID
from reasonrl.run.record import RunRecorder
from reasonrl.types import Row

TrackerName = Literal["wandb", "tensorboard", "trackio"]

_PROJECT = "reasonrl"


class Tracker(Protocol):
    """Take numbers of rising steps; a step may come twice, with other names."""

    def log(self, step: int, numbers: Mapping[str, float]) -> None: ...
    def close(self) -> None: ...


def require_package(name: TrackerName) -> None:
    """Raise ConfigError when a tracker's package is not installed; imports nothing."""
    if find_spec(name) is None:
        raise ConfigError(
            f"the {name} package is not installed",
            where=f'trackers = ["{name}"]',
            expected="a tracker whose package is there",
            remedy=f'pip install "reasonrl[{name}]", or leave it out',
        )


def open_tracker(
    name: TrackerName,
    *,
    run_name: str,
    directory: Path,
    config: Mapping[str, object],
    after_step: int = 0,
) -> Tracker:
    """Open a tracker for a run directory, or go on with the one that the directory had before.

    `after_step` is the step that the run goes on from. Numbers of later steps, which an interrupted
    run left behind, are dropped by tensorboard; wandb and trackio keep them beside the new ones.
    `run_name` is shown by wandb, `config` by wandb and trackio.
    The directory must exist. Raises ConfigError when the package is not installed.
    """
    require_package(name)
    match name:
        case "wandb":
            return _WandbTracker(run_name, directory, config)
        case "tensorboard":
            return _TensorboardTracker(directory, after_step)
        case "trackio":
            return _TrackioTracker(directory, config)


def step_numbers(metrics: Row) -> dict[str, float]:
    """Return what a tracker can draw of a metrics row: numbers, and flags as 0 or 1."""
    return {
        key: float(value)
        for key, value in metrics.items()
        if value is not None and not isinstance(value, str) and key != "step"
    }


def evaluation_numbers(result: SuiteResult) -> dict[str, float]:
    """Return what a tracker can draw of an evaluation, named `eval/SUITE/...`."""
    low, high = result.accuracy.ci95
    numbers = {
        "accuracy": result.accuracy.value,
        "accuracy_low": low,
        "accuracy_high": high,
        "accuracy_finished": result.accuracy_finished,
        "pass_at_k": result.pass_at[result.k].value if result.k in result.pass_at else None,
        "consensus": result.consensus.value if result.consensus else None,
        "truncated_share": result.truncated_share,
        "mean_tokens": result.mean_tokens,
        "failed": result.failed,
    }
    return {
        f"eval/{result.suite}/{key}": float(value)
        for key, value in numbers.items()
        if value is not None
    }


class TrackedRecorder:
    """Record a run in its files and tell the trackers what was recorded."""

    def __init__(self, files: RunRecorder, trackers: Sequence[Tracker]) -> None:
        self._files, self._trackers = files, trackers

    def rollouts(self, step: int, stage: str, selected: Sequence[SelectedGroup]) -> None:
        self._files.rollouts(step, stage, selected)

    def step(self, metrics: Row) -> None:
        self._files.step(metrics)
        for tracker in self._trackers:
            tracker.log(cast(int, metrics["step"]), step_numbers(metrics))

    def evaluation(self, result: SuiteResult) -> None:
        self._files.evaluation(result)
        for tracker in self._trackers:
            tracker.log(result.step, evaluation_numbers(result))

    def evaluations(self) -> list[SuiteResult]:
        return self._files.evaluations()


class _WandbTracker:
    """Log against an axis of our own: wandb's counter refuses a step that came before."""

    def __init__(self, run_name: str, directory: Path, config: Mapping[str, object]) -> None:
        import wandb

        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", _PROJECT),
            id=_tracker_id(directory),
            name=run_name,
            dir=str(directory),
            config=dict(config),
            resume="allow",
        )
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        self._run.log({**numbers, "step": step})

    def close(self) -> None:
        self._run.finish()


class _TensorboardTracker:
    """Write event files below the run directory; a new one starts by dropping what it does over."""

    def __init__(self, directory: Path, after_step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._event, self._summary = Event, Summary
        self._writer = EventFileWriter(str(directory / "tensorboard"))
        start = SessionLog(status=SessionLog.START)
        self._writer.add_event(Event(wall_time=time.time(), step=after_step + 1, session_log=start))

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        values = [
            self._summary.Value(tag=tag, simple_value=value) for tag, value in numbers.items()
        ]
        event = self._event(wall_time=time.time(), step=step, summary=self._summary(value=values))
        self._writer.add_event(event)

    def close(self) -> None:
        self._writer.close()


class _TrackioTracker:
    """Log under a name that stays with the run directory: trackio finds a run by its name."""

    def __init__(self, directory: Path, config: Mapping[str, object]) -> None:
        import trackio

        self._run = trackio.init(
            project=_PROJECT, name=_tracker_id(directory), config=dict(config), resume="allow"
        )

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        self._run.log(dict(numbers), step=step)

    def close(self) -> None:
        self._run.finish()


def _tracker_id(directory: Path) -> str:
    """Return the directory's name with a random end, drawn once and kept in the directory.

    The name alone would let a new run in a directory of the same name go on with an old one.
    """
    path = directory / TRACKER_ID
    if not path.exists():
        name = re.sub(r"[^A-Za-z0-9_.-]", "-", directory.resolve().name)[:48]
        path.write_text(f"{name}-{secrets.token_hex(4)}\n", encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()
