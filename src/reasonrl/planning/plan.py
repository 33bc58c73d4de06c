"""A plan: what every stage of a recipe needs in memory, time and GPU-hours, on its engine block.

Evaluations, checkpoints and failures come on top. Called by the command line and tests.
"""

from __future__ import annotations

from dataclasses import dataclass

from reasonrl.planning.fitting import differences, largest_token_budget, remedy
from reasonrl.planning.gpus import Gpu
from reasonrl.planning.memory import StageMemory, longest_row, stage_memory
from reasonrl.planning.shapes import ModelShape
from reasonrl.planning.timing import StepTime, step_time
from reasonrl.recipe import EngineConfig, Recipe, Stage

GPU_HOUR_USD = 2.0
"""An assumption, not an offer: prices differ by a factor of three between providers."""

_HOUR_S = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """Hold the plan of one stage. `time` is None where the formulas say nothing about it.

    `token_budget` is the largest that fits, None without a GPU or where none does.
    """

    name: str
    first_step: int
    last_step: int
    prompts: int
    group_size: int
    updates: int
    limit: int
    memory: StageMemory
    token_budget: int | None
    time: StepTime | None
    gpus: int

    @property
    def steps(self) -> int:
        return self.last_step - self.first_step

    @property
    def rollouts(self) -> int:
        return self.prompts * self.group_size

    @property
    def hours(self) -> float:
        return 0.0 if self.time is None else self.steps * self.time.total_s / _HOUR_S

    @property
    def gpu_hours(self) -> float:
        return self.hours * self.gpus


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Hold the plan of a recipe. `remedy` says what would make it fit, `untimed` why no time."""

    name: str
    model: str
    shape: ModelShape
    gpu: Gpu | None
    engine: EngineConfig
    gpu_hour_usd: float
    is_price_assumed: bool
    stages: tuple[StagePlan, ...]
    remedy: str
    untimed: str

    @property
    def fits(self) -> bool:
        return all(stage.memory.fits for stage in self.stages)

    @property
    def hours(self) -> float:
        return sum(stage.hours for stage in self.stages)

    @property
    def gpu_hours(self) -> float:
        return sum(stage.gpu_hours for stage in self.stages)

    @property
    def usd(self) -> float:
        return self.gpu_hours * self.gpu_hour_usd


def plan(recipe: Recipe, shape: ModelShape, gpu: Gpu, *, gpu_hour_usd: float | None = None) -> Plan:
    """Return the plan of a recipe; an engine on a CPU leaves `gpu` out of it."""
    engine = recipe.engine
    on = None if engine.device == "cpu" else gpu
    untimed = _untimed(engine)
    is_pipelined = recipe.pipeline is not None and engine.placement == "separate"
    stages: list[StagePlan] = []
    for stage in recipe.stage:
        first = stages[-1].last_step if stages else 0
        time = None
        if not untimed:
            time = step_time(shape, engine, stage, gpu, is_pipelined=is_pipelined)
        stages.append(_stage_plan(shape, engine, stage, on, first, time))
    fits = all(stage.memory.fits for stage in stages)
    return Plan(
        name=recipe.name,
        model=recipe.model.name,
        shape=shape,
        gpu=on,
        engine=engine,
        gpu_hour_usd=GPU_HOUR_USD if gpu_hour_usd is None else gpu_hour_usd,
        is_price_assumed=gpu_hour_usd is None,
        stages=tuple(stages),
        remedy="" if fits or on is None else _remedy(shape, recipe, on),
        untimed=untimed,
    )


def _stage_plan(
    shape: ModelShape,
    engine: EngineConfig,
    stage: Stage,
    gpu: Gpu | None,
    first: int,
    time: StepTime | None,
) -> StagePlan:
    budget = largest_token_budget(shape, engine, stage, gpu) if gpu else None
    return StagePlan(
        name=stage.name,
        first_step=first,
        last_step=first + stage.steps,
        prompts=stage.rollout.prompts_per_step,
        group_size=stage.rollout.group_size,
        updates=stage.update.minibatches * stage.update.reuse,
        limit=stage.rollout.max_new_tokens,
        memory=stage_memory(shape, engine, stage, gpu),
        token_budget=budget,
        time=time,
        gpus=engine.gpus,
    )


def _untimed(engine: EngineConfig) -> str:
    """Say why the formulas of time do not hold for an engine, or nothing if they do."""
    if engine.device == "cpu":
        return "no time: the formulas are calibrated on GPUs; run a few steps and read time/step_s"
    if engine.type == "local":
        return "no time: the formulas are calibrated on replicas and ranks of a cluster"
    if engine.compute != "bfloat16":
        return 'no time: the formulas are calibrated with engine.compute = "bfloat16"'
    return ""


def _remedy(shape: ModelShape, recipe: Recipe, gpu: Gpu) -> str:
    """Say which changes make all stages fit, found by trying them."""
    found = remedy(shape, recipe.engine, recipe.stage, gpu)
    if found is None:
        longest = max(longest_row(recipe.engine, stage) for stage in recipe.stage)
        return (
            f"nothing tried fits on {gpu.name}: rows of {longest:,} tokens need GPUs with more "
            "memory or a shorter rollout.max_new_tokens"
        )
    changes = " ".join(f"--set {change}" for change in differences(recipe.engine, found))
    return f"fits on {found.gpus} x {gpu.name} with {changes}"
