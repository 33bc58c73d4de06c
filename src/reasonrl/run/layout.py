"""The names of the files in one run directory; who reads or writes a file asks here."""

from __future__ import annotations

from pathlib import Path

CONFIG = "config.toml"
"""The recipe, resolved."""

TAKEN = ".config.toml"
"""The recipe as the run took it, by which a resume sees that config.toml was edited."""

DATA = "data.json"
"""The hashes of the run's problems."""

METRICS, EVALUATIONS, ROLLOUTS = "metrics.jsonl", "evaluations.jsonl", "rollouts"
LEARNER = "learner"
"""What the learner computed at each trained token."""

SAMPLES = "evaluations"
"""The samples of evaluations, a directory for each suite."""

RUN_FILES = (METRICS, EVALUATIONS, ROLLOUTS, LEARNER, SAMPLES)
"""What the recorder appends to, and rewinds on resume."""

CHECKPOINTS = "checkpoints"
CODE = "code"
"""Copies of the run's own files: reward functions, rubrics, a chat template."""

VOTES = "votes"
"""The scores that judges gave, which a resumed run does not ask for again."""

START = "start"
"""The weights that a branch began with, a Hugging Face directory."""

MODEL = "model"
"""The final model, a Hugging Face directory."""

ADAPTER = "adapter"
"""The final adapters of a run with `[model.lora]`, as peft reads them; also in an export."""

SUMMARY, PAGE, PICTURE, PROFILE = "summary.json", "report.html", "curves.svg", "entropy.json"
SESSIONS = "sessions.jsonl"
"""The command, the versions and the machine of each sitting."""

OVERVIEW = "index.html"
"""The page of a directory of runs, beside the runs."""

HEARTBEAT, EVENTS, LOGS = "heartbeat.json", "events.jsonl", "logs"
LOCK = ".lock"
TRACKER_ID = "tracker-id"

BEAT_S = 5.0
"""Seconds between two heartbeats of a living run."""


def is_run(directory: Path) -> bool:
    """Return whether a directory holds a run."""
    return (directory / CONFIG).is_file()


def checkpoint_paths(checkpoints: Path) -> list[Path]:
    """Return the finished checkpoints of a `checkpoints` directory, oldest first."""
    return sorted(checkpoints.glob("step-[0-9]*"))


def step_of(path: Path) -> int:
    """Return the step that a checkpoint or a file of the record is named after."""
    return int(path.stem.removeprefix("step-"))


def checkpoint_before(run: Path, step: int) -> Path | None:
    """Return a run's newest finished checkpoint before a step, None without any."""
    earlier = [path for path in checkpoint_paths(run / CHECKPOINTS) if step_of(path) < step]
    return earlier[-1] if earlier else None


def rollouts_paths(run: Path) -> list[Path]:
    """Return the files of all steps' rollouts, first step first."""
    return sorted((run / ROLLOUTS).glob("step-*.parquet"))


def learner_paths(run: Path) -> list[Path]:
    """Return the files of what the learner computed, first step first."""
    return sorted((run / LEARNER).glob("step-*.parquet"))


def record_paths(run: Path) -> list[Path]:
    """Return all files of the record that are named after a step."""
    return [*rollouts_paths(run), *learner_paths(run), *samples_paths(run)]


def learner_path(run: Path, step: int) -> Path:
    """Return the file that holds what the learner computed in a step."""
    return run / LEARNER / f"step-{step:06d}.parquet"


def samples_paths(run: Path) -> list[Path]:
    """Return the files of all evaluations' samples, by suite, first step first."""
    return sorted((run / SAMPLES).glob("*/step-*.parquet"))


def samples_path(run: Path, suite: str, step: int) -> Path:
    """Return the file that holds the samples of a suite's evaluation at a step."""
    return run / SAMPLES / suite / f"step-{step:06d}.parquet"


def rollouts_path(run: Path, step: int) -> Path:
    """Return the file that holds all rollouts of a step."""
    return run / ROLLOUTS / f"step-{step:06d}.parquet"
