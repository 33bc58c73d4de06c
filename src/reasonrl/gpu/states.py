"""The row `training-state`: 8-bit moments, moments on the host, split weights, adapters, 4 bits.

Each way takes the same three updates as AdamW in float32 does. On a GPU the memory that it keeps is
held against the plan, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from reasonrl.engines.local import LocalEngine
from reasonrl.engines.process import free_blocks
from reasonrl.engines.protocols import TokenValue, TrainBatch
from reasonrl.engines.trial import SAMPLING, UPDATE, batch_of, prompts_of
from reasonrl.engines.weights import Compute
from reasonrl.gpu.choice import TINY
from reasonrl.gpu.commands import compute_of
from reasonrl.gpu.row import CheckSetting, Figure, RowAnswer
from reasonrl.gpu.subject import (
    directory_of,
    engine_settings,
    learner_of,
)
from reasonrl.launch.actors import adapted
from reasonrl.launch.one_process import local_engine
from reasonrl.launch.shapes import shape_of_loaded
from reasonrl.models.hf import load_model, outline_model
from reasonrl.planning.layout import layout_of
from reasonrl.planning.parts import state_parts
from reasonrl.recipe import LoraConfig, OptimizerConfig, Recipe
from reasonrl.recipe.named import recipe_path
from reasonrl.recipe.toml import load_recipe

_UPDATES, _RATE = 3, 1e-4
_SAME, _CLOSE, _CODED = 0.05, 0.1, 0.3
"""Bounds of the distance between two ways after three updates, as a share of the way that AdamW
went: equal arithmetic (a GPU adds up in no fixed order), another rounding, and 8-bit moments."""

_PLAN_LOW, _PLAN_HIGH = 0.85, 1.15


_ADAMW = OptimizerConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """A way to keep the state, and how far it may be from AdamW in float32, if it is the same."""

    name: str
    optimizer: OptimizerConfig = _ADAMW
    lora: LoraConfig | None = None
    bound: float | None = None

    @property
    def is_packed(self) -> bool:
        return self.lora is not None and self.lora.is_packed


def _ways(compute: Compute) -> Iterator[_Way]:
    yield _Way(name="AdamW, float32", bound=_SAME)
    yield _Way(name="moments on the host", optimizer=OptimizerConfig(offload=True), bound=_SAME)
    coded = OptimizerConfig(type="adamw-8bit")
    yield _Way(name="8-bit moments", optimizer=coded, bound=_CODED)
    if compute == "bfloat16":
        split = OptimizerConfig(parameters="bfloat16")
        yield _Way(name="weights in two halves", optimizer=split, bound=_CLOSE)
    yield _Way(name="adapters", lora=LoraConfig())
    yield _Way(name="adapters, 4 bits", lora=LoraConfig(frozen="4bit"))


def answer(setting: CheckSetting, work: Path) -> RowAnswer:
    """Return each way's distance from AdamW in float32, and its bytes beside the plan's."""
    compute, directory = compute_of(setting), directory_of(setting, work)
    first = learner_of(directory, setting, compute)
    prompts = prompts_of(first.model)
    batch = batch_of(prompts, first.generate(prompts, SAMPLING))
    start = _weights(first)
    far = _weights(_updated(first, batch)) - start
    del first
    figures: list[Figure] = []
    for way in _ways(compute):
        free_blocks(setting.device)
        before = _allocated(setting)
        engine = _engine(way, setting, directory, compute)
        start = _weights(engine)
        moved = _weights(_updated(engine, batch)) - start
        # The plan counts the copies of layers in bfloat16, which the next pass makes.
        engine.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)
        free_blocks(setting.device)
        kept = _allocated(setting) - before
        figures.append(_distance(way, moved, far))
        # Of a tiny model torch's own workspaces would be the most.
        if setting.device != "cpu" and setting.model != TINY:
            figures.append(_memory(way, setting, directory, compute, kept))
        del engine
    return RowAnswer(figures=tuple(figures), facts=(("compute", compute),))


def _engine(way: _Way, setting: CheckSetting, directory: str, compute: Compute) -> LocalEngine:
    model = adapted(load_model(directory, device=setting.device), way.lora, seed=1)
    settings = engine_settings(setting, compute)
    return local_engine(model, settings, way.optimizer, packs=way.is_packed)


def _updated(engine: LocalEngine, batch: TrainBatch) -> LocalEngine:
    for _ in range(_UPDATES):
        engine.update(batch, UPDATE, learning_rate=_RATE)
    return engine


def _weights(engine: LocalEngine) -> Tensor:
    """Return all weights in one row, on the host."""
    return torch.cat([value.float().cpu().ravel() for _, value in engine.weights().tensors.items()])


def _distance(way: _Way, moved: Tensor, far: Tensor) -> Figure:
    """Return how far a way ended from AdamW's end; of adapters, how far they went."""
    if way.bound is not None:
        distance = float((moved - far).norm() / far.norm())
        return Figure(name=f"{way.name}: distance from AdamW", value=distance, high=way.bound)
    share = float(moved.norm() / far.norm())
    return Figure(name=f"{way.name}: their way / AdamW's", value=share, low=1e-3)


def _memory(
    way: _Way, setting: CheckSetting, directory: str, compute: Compute, kept: int
) -> Figure:
    """Return the memory of the GPU that a way keeps, as a share of the plan's."""
    recipe: Recipe = load_recipe(recipe_path("quickstart"))
    recipe = recipe.model_copy(
        update={
            "model": recipe.model.model_copy(update={"lora": way.lora}),
            "engine": engine_settings(setting, compute),
            "optimizer": way.optimizer,
        }
    )
    layout = replace(layout_of(recipe), keeps_reference=False)
    shape = shape_of_loaded(outline_model(directory))
    planned = sum(size for _, size in state_parts(shape, layout))
    return Figure(
        name=f"{way.name}: memory / plan", value=kept / planned, low=_PLAN_LOW, high=_PLAN_HIGH
    )


def _allocated(setting: CheckSetting) -> int:
    return 0 if setting.device == "cpu" else torch.cuda.memory_allocated()
