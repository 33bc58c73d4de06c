"""What rows ask about: the model, an engine that learns, and rollouts that the engine sampled."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reasonrl.engines.local import LocalEngine
from reasonrl.engines.weights import Compute
from reasonrl.gpu.choice import TINY
from reasonrl.gpu.row import CheckSetting, Device, Figure
from reasonrl.launch.actors import Workload
from reasonrl.launch.one_process import local_engine
from reasonrl.models.hf import as_directory, load_model
from reasonrl.models.random import build_tiny
from reasonrl.recipe import InProcessVllm, LocalEngineConfig, OptimizerConfig
from reasonrl.types import Logprobs

_CONTEXT = 512

# vLLM computes heads of 32 and more on a CPU.
_HEAD_SIZE = 32


def directory_of(setting: CheckSetting, work: Path) -> str:
    """Return a directory with the model of a check; tiny is drawn and saved once for all rows."""
    return tiny_directory(work) if setting.model == TINY else as_directory(setting.model)


def tiny_directory(work: Path) -> str:
    """Return a directory with tiny, with heads that vLLM computes on any device."""
    directory = work.parent / TINY
    if not (directory / "config.json").exists():
        model, tokenizer = build_tiny(head_size=_HEAD_SIZE)
        tokenizer.save_pretrained(directory)
        model.save_pretrained(directory)
    return str(directory)


def engine_settings(setting: CheckSetting, compute: Compute) -> LocalEngineConfig:
    """Return the engine of one process on the device of a check."""
    return LocalEngineConfig(device=setting.device, compute=compute, max_rows=64)


def learner_of(directory: str, setting: CheckSetting, compute: Compute) -> LocalEngine:
    """Return a learner on the device of a check."""
    model = load_model(directory, device=setting.device)
    return local_engine(model, engine_settings(setting, compute), OptimizerConfig())


def vllm_beside(
    setting: CheckSetting, directory: str, compute: Compute
) -> tuple[LocalEngineConfig, Workload]:
    """Return an engine with vLLM in the learner's process, and what it must serve."""
    engine = LocalEngineConfig(
        device=setting.device, compute=compute, max_rows=64, rollout=InProcessVllm()
    )
    workload = Workload(
        model=directory, seed=0, optimizer=OptimizerConfig(), context_tokens=_CONTEXT
    )
    return engine, workload


RATE = 1e-6
"""The report's learning rate: in bfloat16 one update at this rate hides behind rounding."""


ROUNDING_NATS: dict[tuple[Device, Compute], float] = {
    ("cpu", "float32"): 2e-5,
    ("cuda", "float32"): 1e-4,
    ("cpu", "bfloat16"): 0.05,
    ("cuda", "bfloat16"): 0.05,
}
"""The largest mean distance of two computations of a log-probability that rounding explains.

SmolLM2-135M is 8e-6 from transformers in float32 on a CPU. The kernels of a GPU add up in other
orders, so its bound is larger; products rounded to TF32 would be above 1e-3."""


def distances(
    what: str, left_N: Logprobs, right_N: Logprobs, *, mean: float, most: float | None = None
) -> tuple[Figure, Figure]:
    """Return the mean and the largest distance of two computations, with their bounds in nats."""
    gaps_N = np.abs(left_N.astype(np.float64) - right_N)
    return (
        Figure(name=f"{what}, mean", value=float(gaps_N.mean()), unit="nats", high=mean),
        Figure(name=f"{what}, largest", value=float(gaps_N.max()), unit="nats", high=most),
    )
