"""The commands of runs that rows start: a recipe, and how it is set for a device and an engine."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch

from reasonrl.engines.weights import Compute
from reasonrl.errors import EngineError
from reasonrl.gpu.choice import TINY, recipe_of
from reasonrl.gpu.row import CheckSetting

TrainingKind: TypeAlias = Literal["local", "vllm", "ray-shared"]
"""Who samples: the learner itself, vLLM in its process, or vLLM in a replica of a Ray cluster."""

COMMAND = (sys.executable, "-m", "reasonrl")
_DEVICES = "CUDA_VISIBLE_DEVICES"

_ENGINES: dict[TrainingKind, tuple[str, ...]] = {
    "local": (),
    "vllm": ("engine.rollout.type=vllm",),
    "ray-shared": (
        "engine.type=ray",
        "engine.placement=shared",
        "engine.rollout.type=vllm",
        "engine.learner.ranks=1",
    ),
}


_TINY = (
    'data.sources=[{type="arithmetic", operators=["add"], max_operand=2, heldout=1}]',
    "rollout.prompts_per_step=8",
    "rollout.group_size=32",
    "update.learning_rate=5e-3",
)
"""Tiny as it is drawn for this check, with larger heads, gains 0.19 to 0.26 in 30 steps with these
settings, and 0.05 to 0.10 with its recipe's (3 seeds each, on a CPU)."""


def compute_of(setting: CheckSetting) -> Compute:
    """Return the type that runs compute in: bfloat16 on a GPU that has units for it."""
    if setting.device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return "bfloat16"
    return "float32"


def train_options(
    setting: CheckSetting, kind: TrainingKind, directory: str, overrides: Sequence[str]
) -> list[str]:
    """Return the arguments of `reasonrl train`: the recipe, one stage, no evaluations."""
    settings = (
        f"model.name={directory}",
        f"engine.device={setting.device}",
        f"engine.compute={compute_of(setting)}",
        "suite=[]",
        *(_TINY if setting.model == TINY else ()),
        *_ENGINES[kind],
        *overrides,
    )
    return [recipe_of(setting.model), *(f"--set={one}" for one in settings)]


def one_gpu() -> dict[str, str]:
    """Return the environment of a run that sees the first GPU only, whose memory is measured."""
    first = os.environ.get(_DEVICES, "0").partition(",")[0]
    return {**os.environ, _DEVICES: first} if torch.cuda.is_available() else {**os.environ}


def check_ended(command: Sequence[str], code: int) -> None:
    """Raise EngineError when a command ended badly; the row's log has what it printed."""
    if code:
        raise EngineError(
            f"`reasonrl {command[len(COMMAND)]}` ended with exit code {code}",
            expected="a run that ends well",
            remedy="read above what it printed, and mend that",
        )
