"""Send a run's numbers to wandb, tensorboard or trackio, if the recipe asks for it.

The run directory holds everything; a tracker only shows the numbers elsewhere. Each adapter imports
its package when it is opened. The package's own environment variables decide where data goes and
whether it leaves the machine (WANDB_MODE, WANDB_PROJECT, TRACKIO_SPACE_ID, ...).
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, cast

from reasonrl.algo.select import SelectedGroup
from reasonrl.algo.stats import Estimate
from reasonrl.errors import ConfigError
from reasonrl.evaluation.sample_file import SampleRow
from reasonrl.evaluation.score import SuiteResult
from reasonrl.run.layout import TRACKER_ID
from reasonrl.run.record import RunRecorder
from reasonrl.types import Row

if TYPE_CHECKING:
    from reasonrl.engines.protocols import TokenRecord

TrackerName = Literal["wandb", "tensorboard", "trackio"]

_PROJECT = "reasonrl"


class Tracker(Protocol):
    """Take the numbers of rising steps; a step may come twice, with other names."""

    def log(self, step: int, numbers: Mapping[str, float]) -> None: ...
    def close(self) -> None: ...


def require_ready(name: TrackerName) -> None:
    """Raise ConfigError when a tracker's package is not installed, or wandb would ask for a key."""
    if find_spec(name) is None:
        raise ConfigError(
            f"the {name} package is not installed",
            where=f'trackers = ["{name}"]',
            expected="a tracker whose package is there",
            remedy=f'run `pip install "reasonrl[{name}]"`, or take it out of trackers',
        )
    if name == "wandb" and not _has_wandb_key():
        raise ConfigError(
            "wandb has no key and would send the numbers nowhere",
            where='trackers = ["wandb"]',
            expected="WANDB_API_KEY, or a key from `wandb login`",
            remedy="set it, or set WANDB_MODE=offline to keep the numbers on this machine",
        )


def _has_wandb_key() -> bool:
    """Return whether wandb will find a key, or needs none; imports nothing of it."""
    if os.environ.get("WANDB_MODE", "online") not in ("online", "shared", "run"):
        return True
    files = [Path(os.environ.get("NETRC", "~/.netrc")), Path("~/_netrc")]
    found = any(
        path.expanduser().is_file() and "wandb" in path.expanduser().read_text(errors="replace")
        for path in files
    )
    return found or bool(
        os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE")
    )


def open_tracker(
    name: TrackerName,
    *,
    run_name: str,
    directory: Path,
    config: Mapping[str, object],
    after_step: int = 0,
) -> Tracker:
    """Open a run directory's tracker; a resumed run continues its old tracker.

    `after_step` is the step that the run continues from. An interrupted run may have sent numbers
    of later steps: tensorboard drops them, wandb and trackio keep them beside the new numbers.
    wandb shows `run_name`; wandb and trackio show `config`. The directory must exist. Raises
    ConfigError when the package is not installed.
    """
    require_ready(name)
    try:
        match name:
            case "wandb":
                return _WandbTracker(run_name, directory, config)
            case "tensorboard":
                return _TensorboardTracker(directory, after_step)
            case "trackio":
                return _TrackioTracker(directory, config)
    except Exception as error:
        first_line = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"{name} cannot start: {type(error).__name__}: {first_line}",
            where=f'trackers = ["{name}"]',
            remedy=f"mend its settings and `reasonrl resume {directory}`, or leave it out: "
            f"`reasonrl resume {directory} --set trackers=[]`",
        ) from error


def step_numbers(metrics: Row) -> dict[str, float]:
    """Return the numbers of a metrics row for a tracker; flags become 0 or 1."""
    return {
        key: float(value)
        for key, value in metrics.items()
        if value is not None and not isinstance(value, str) and key != "step"
    }


def evaluation_numbers(result: SuiteResult) -> dict[str, float]:
    """Return the numbers of an evaluation for a tracker, named `eval/SUITE/...`."""
    numbers = {
        **_estimate("accuracy", result.accuracy),
        **_estimate("reward", result.reward),
        **{f"reward/{name}": mean.value for name, mean in result.components.items() if mean},
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


def _estimate(name: str, estimate: Estimate | None) -> dict[str, float]:
    if estimate is None:
        return {}
    low, high = estimate.ci95
    return {name: estimate.value, f"{name}_low": low, f"{name}_high": high}


class TrackedRecorder:
    """A recorder that writes the run's files and sends the same numbers to trackers."""

    def __init__(self, files: RunRecorder, trackers: Sequence[Tracker]) -> None:
        self._files, self._trackers = files, trackers

    def rollouts(self, step: int, stage: str, selected: Sequence[SelectedGroup]) -> None:
        self._files.rollouts(step, stage, selected)

    def tokens(self, step: int, record: TokenRecord) -> None:
        self._files.tokens(step, record)

    def step(self, metrics: Row) -> None:
        self._files.step(metrics)
        for tracker in self._trackers:
            tracker.log(cast(int, metrics["step"]), step_numbers(metrics))

    def samples(self, suite: str, step: int, rows: Sequence[SampleRow]) -> None:
        self._files.samples(suite, step, rows)

    def evaluation(self, result: SuiteResult) -> None:
        self._files.evaluation(result)
        for tracker in self._trackers:
            tracker.log(result.step, evaluation_numbers(result))

    def evaluations(self) -> list[SuiteResult]:
        return self._files.evaluations()


class _WandbTracker:
    """Log against our own step axis: wandb's counter refuses a step that came before."""

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
    """Write event files below the run directory; a new file first drops the steps it repeats."""

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
    """Log under a name that the run directory keeps: trackio finds a run by its name."""

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

    With the name alone, a new run in a directory of the same name would continue an old tracker.
    """
    path = directory / TRACKER_ID
    if not path.exists():
        name = re.sub(r"[^A-Za-z0-9_.-]", "-", directory.resolve().name)[:48]
        path.write_text(f"{name}-{secrets.token_hex(4)}\n", encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()
