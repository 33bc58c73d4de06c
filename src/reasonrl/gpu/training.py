"""The rows `quickstart-*`: a short run by `reasonrl train`, and what its own record says of it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import fsum
from pathlib import Path
from statistics import fmean, median
from typing import cast

import pyarrow.parquet as pq
import torch

from reasonrl.gpu.commands import (
    COMMAND,
    TrainingKind,
    check_ended,
    one_gpu,
    train_options,
)
from reasonrl.gpu.row import CheckSetting, Figure, RowAnswer
from reasonrl.gpu.subject import directory_of
from reasonrl.launch.engines import audit_of
from reasonrl.launch.shapes import shape_of_model
from reasonrl.planning.gpus import GIB, Gpu
from reasonrl.planning.layout import layout_of
from reasonrl.planning.memory import stage_memory
from reasonrl.planning.parts import WORKSPACE_BYTES
from reasonrl.recipe import Recipe
from reasonrl.run.config import read_config
from reasonrl.run.layout import rollouts_path
from reasonrl.run.record import RunRecorder
from reasonrl.types import Row

STEPS = 30
_FIRST, _LAST = 2, 20
"""The steps that are timed, both included: the first one also warms up."""

_ENDS = 5  # steps at the beginning and at the end whose accuracy is compared
_GAIN = 0.1
_PLAN_LOW, _PLAN_HIGH = 0.85, 1.15
_POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    """The peak of a run in bytes: of the GPU's memory, or of the main process on a CPU."""

    peak_bytes: float
    gpu: Gpu | None


def answer(setting: CheckSetting, work: Path, kind: TrainingKind) -> RowAnswer:
    """Train for 30 steps and return accuracy, speed, the sync's distance, and memory."""
    run, directory = work / "run", directory_of(setting, work)
    changes = (f'stage=[{{name = "check", steps = {STEPS}}}]', f"checkpoint.every={STEPS}")
    options = train_options(setting, kind, directory, changes)
    peak_bytes, gpu = _train(setting, [*options, "--run-dir", str(run)])
    recipe, metrics = read_config(run), RunRecorder(run).metrics()
    if gpu is None:
        peak_bytes = max(1e6 * _number(row, "memory/peak_rss_mb") for row in metrics)
    memory = _Memory(peak_bytes=peak_bytes, gpu=gpu)
    return RowAnswer(
        figures=(
            *_learning(metrics),
            *_speed(run, recipe, metrics),
            *_sync(recipe, metrics),
            *_peak(recipe, kind, memory),
        ),
        facts=(
            ("compute", recipe.engine.compute),
            ("run", str(run)),
            (
                "memory",
                "of the GPU, without what was used before" if gpu else "of the main process",
            ),
        ),
    )


def _train(setting: CheckSetting, options: Sequence[str]) -> tuple[float, Gpu | None]:
    """Run `reasonrl train`; return the most of the GPU's memory that it used, and the GPU."""
    command = [*COMMAND, "train", *options]
    if setting.device == "cpu":
        check_ended(command, subprocess.run(command, check=False).returncode)
        return 0.0, None
    free, total = torch.cuda.mem_get_info()
    before = least = free
    with subprocess.Popen(command, env=one_gpu()) as process:
        while process.poll() is None:
            least = min(least, torch.cuda.mem_get_info()[0])
            time.sleep(_POLL_S)
    check_ended(command, process.returncode)
    gpu = Gpu(name=torch.cuda.get_device_name(), nominal_gb=total / 1e9, memory_bytes=total)
    return float(before - least), gpu


def _learning(metrics: Sequence[Row]) -> Iterator[Figure]:
    accuracies = [_number(row, "accuracy/all") for row in metrics]
    first, last = fmean(accuracies[:_ENDS]), fmean(accuracies[-_ENDS:])
    yield Figure(name=f"accuracy, first {_ENDS} steps", value=first)
    yield Figure(name=f"accuracy, last {_ENDS} steps", value=last)
    yield Figure(name="gain in accuracy", value=last - first, low=_GAIN)


def _speed(run: Path, recipe: Recipe, metrics: Sequence[Row]) -> Iterator[Figure]:
    timed = [row for row in metrics if _FIRST <= _number(row, "step") <= _LAST]
    seconds = [_number(row, "time/step_s") for row in timed]
    tokens = sum(_tokens(run, range(_FIRST, _LAST + 1)))
    yield Figure(name="a step, median", value=median(seconds), unit="s")
    speed = tokens / (fsum(seconds) * recipe.engine.gpus)
    on_cpu = recipe.engine.device == "cpu"
    yield Figure(name="speed", value=speed, unit="tokens/s" if on_cpu else "tokens/s a GPU")


def _tokens(run: Path, steps: Sequence[int]) -> Iterator[int]:
    """Yield the tokens of each rollout of some steps: its prompt's, and those sampled."""
    for step in steps:
        table = pq.read_table(rollouts_path(run, step), columns=["prompt_tokens", "tokens"])
        for row in table.to_pylist():
            yield len(row["prompt_tokens"]) + len(row["tokens"])


def _sync(recipe: Recipe, metrics: Sequence[Row]) -> Iterator[Figure]:
    """Yield the largest distance after a sync; nothing where one module samples and learns."""
    gaps = [
        _number(row, "sync/gap_nats") for row in metrics if row.get("sync/gap_nats") is not None
    ]
    audit = audit_of(recipe.engine)
    if gaps:
        yield Figure(
            name="largest distance after a sync",
            value=max(gaps),
            unit="nats",
            high=audit.bound_nats,
        )


def _peak(recipe: Recipe, kind: TrainingKind, memory: _Memory) -> Iterator[Figure]:
    """Yield the peak of memory, and beside it the plan.

    The plan holds a margin that is not measured, so it must not be less than the peak, and its
    components alone must not be far above the peak.
    """
    yield Figure(name="peak memory", value=memory.peak_bytes / GIB, unit="GiB")
    if memory.gpu is None and kind != "local":
        # On a CPU the plan does not count vLLM, and a cluster's main process holds no engine.
        return
    planned = stage_memory(
        shape_of_model(recipe.model.name), layout_of(recipe), recipe.stage[0], memory.gpu
    ).peak_bytes
    bare = planned - (WORKSPACE_BYTES if memory.gpu else 0.0)
    high, low = (_PLAN_HIGH, _PLAN_LOW) if memory.gpu else (None, None)
    yield Figure(name="planned memory", value=planned / GIB, unit="GiB")
    yield Figure(name="peak / plan", value=memory.peak_bytes / planned, high=high)
    yield Figure(name="peak / plan without its margin", value=memory.peak_bytes / bare, low=low)


def _number(row: Row, key: str) -> float:
    return float(cast(float, row[key]))
