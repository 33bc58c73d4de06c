"""The row `resume`: a run that is killed after its first checkpoint and resumed ends the same."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from math import sqrt
from pathlib import Path

import torch

from reasonrl.errors import EngineError
from reasonrl.gpu.commands import COMMAND, check_ended, train_options
from reasonrl.gpu.row import CheckSetting, Figure, RowAnswer
from reasonrl.gpu.subject import directory_of
from reasonrl.models.hf import load_model
from reasonrl.run.layout import CHECKPOINTS, MODEL, SUMMARY, checkpoint_paths
from reasonrl.run.record import RunRecorder
from reasonrl.types import Row

_STEPS, _EVERY = 8, 2
_TIMED = ("time/", "memory/")
_POLL_S = 0.005

_GPU_DISTANCE = 1e-3
"""The bound on a GPU, where the order of sums changes from run to run: distance by norm."""


def answer(setting: CheckSetting, work: Path) -> RowAnswer:
    """Train, train again with a kill and a resume, and compare the two runs' ends."""
    directory = directory_of(setting, work)
    changes = (
        f'stage=[{{name = "check", steps = {_STEPS}}}]',
        f"checkpoint.every={_EVERY}",
        "engine.threads=1",
    )
    options = train_options(setting, "local", directory, changes)
    whole, resumed = work / "whole", work / "resumed"
    _run("train", *options, "--run-dir", str(whole))
    _kill_after_a_checkpoint(["train", *options, "--run-dir", str(resumed)], resumed)
    _run("resume", str(resumed))
    differing = _differing(RunRecorder(whole).metrics(), RunRecorder(resumed).metrics())
    apart, moved = _distances(directory, whole / MODEL, resumed / MODEL)
    is_exact = setting.device == "cpu"
    most = 0.0 if is_exact else None
    return RowAnswer(
        figures=(
            Figure(name="steps with other metrics", value=len(differing), high=most),
            Figure(
                name="distance of the weights / their norm",
                value=apart,
                high=0.0 if is_exact else _GPU_DISTANCE,
            ),
            Figure(name="distance of the weights / what was learned", value=moved),
        ),
        facts=(("steps", str(_STEPS)), ("other metrics at step", _shown(differing))),
    )


def _run(*arguments: str) -> None:
    command = [*COMMAND, *arguments]
    check_ended(command, subprocess.run(command, check=False).returncode)


def _kill_after_a_checkpoint(arguments: Sequence[str], run: Path) -> None:
    """Start a run and kill it and its workers once it has a checkpoint and a step after it."""
    with subprocess.Popen([*COMMAND, *arguments], start_new_session=True) as process:
        while not _is_past_a_checkpoint(run):
            if process.poll() is not None:
                raise EngineError(
                    "the run ended before it could be killed",
                    where=str(run),
                    expected="a run that takes some milliseconds a step",
                    remedy="read what it printed above",
                )
            time.sleep(_POLL_S)
        os.killpg(process.pid, signal.SIGKILL)
    if (run / SUMMARY).exists():
        raise EngineError(
            "the run was finished when it was killed", where=str(run), remedy="ask the row again"
        )


def _is_past_a_checkpoint(run: Path) -> bool:
    return bool(checkpoint_paths(run / CHECKPOINTS)) and len(RunRecorder(run).metrics()) > _EVERY


def _differing(left: Sequence[Row], right: Sequence[Row]) -> list[int]:
    """Return the steps whose metrics differ, times and memory aside."""
    steps = range(max(len(left), len(right)))
    return [
        step + 1
        for step in steps
        if step >= min(len(left), len(right)) or _lasting(left[step]) != _lasting(right[step])
    ]


def _lasting(row: Row) -> Row:
    return {key: value for key, value in row.items() if not key.startswith(_TIMED)}


def _shown(steps: Sequence[int]) -> str:
    return ", ".join(map(str, steps)) or "none"


def _distances(start: str, whole: Path, resumed: Path) -> tuple[float, float]:
    """Return the distance of two models by their norm, and by the distance from the start."""
    first, one, other = (_tensors(name) for name in (start, str(whole), str(resumed)))
    apart, norm, learned = (
        sqrt(sum(float(value.double().square().sum()) for value in values))
        for values in (
            [one[name] - other[name] for name in one],
            list(one.values()),
            [one[name] - first[name] for name in one],
        )
    )
    return apart / norm, apart / learned


def _tensors(name: str) -> Mapping[str, torch.Tensor]:
    return load_model(name).module.state_dict()
