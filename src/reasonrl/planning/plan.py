"""The plan of a recipe: memory, time and GPU-hours of every stage, on the recipe's engine block.

Evaluations, checkpoints and failures are not included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reasonrl.errors import ConfigError
from reasonrl.planning.fitting import differences, largest_rows, largest_token_budget, remedy
from reasonrl.planning.gpus import GIB, Gpu, check_compute
from reasonrl.planning.layout import EngineLayout, layout_of
from reasonrl.planning.memory import StageMemory, stage_memory
from reasonrl.planning.parts import WORKSPACE_BYTES, context_tokens, state_parts
from reasonrl.planning.shapes import ModelShape
from reasonrl.planning.timing import StepTime, step_time
from reasonrl.recipe import Recipe, Stage

GPU_HOUR_USD = 2.0
"""An assumption: prices differ by a factor of three between providers."""

_HOUR_S = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """The plan of one stage. `time` is None where the formulas of time do not apply.

    `token_budget` is the largest budget that fits the learner, `max_rows` the most rows that fit
    the sampler of one process. Both are None without a GPU or if nothing fits.
    """

    name: str
    first_step: int
    last_step: int
    prompts: int
    group_size: int
    updates: int
    max_new_tokens: int
    memory: StageMemory
    token_budget: int | None
    max_rows: int | None
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
    """The plan of a recipe.

    `fitting` is a layout on which all stages fit, None if no tried layout is; `changes` are its
    differences as values of `--set`, and `remedy` is the sentence about them, empty where the
    stages fit already. `untimed` is the reason why there is no time, and may be empty.
    """

    name: str
    model: str
    shape: ModelShape
    gpu: Gpu | None
    layout: EngineLayout
    gpu_hour_usd: float
    is_price_assumed: bool
    stages: tuple[StagePlan, ...]
    fitting: EngineLayout | None
    remedy: str
    untimed: str

    @property
    def fits(self) -> bool:
        return all(stage.memory.fits for stage in self.stages)

    @property
    def changes(self) -> list[str]:
        return differences(self.layout, self.fitting) if self.fitting else []

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
    """Return the plan of a recipe. For an engine on a CPU `gpu` is not used.

    Raises ConfigError if the recipe computes in bfloat16 and the GPU cannot, and for the plain
    backend, whose padded rows have no formulas.
    """
    if recipe.model.backend == "transformers":
        raise ConfigError(
            "no plan for padded rows",
            where='model.backend = "transformers"',
            expected="the native backend, whose formulas these are",
            remedy="`reasonrl model check` says what the training state takes",
        )
    if recipe.engine.compute == "auto" and not gpu.has_bfloat16:
        recipe = recipe.model_copy(update={"engine": recipe.engine.computing_in("float32")})
    layout = layout_of(recipe)
    used_gpu = None if layout.is_on_cpu else gpu
    if used_gpu is not None:
        check_compute(used_gpu, recipe.engine.precision)
    untimed = _untimed(layout, gpu)
    is_pipelined = recipe.ahead is not None and not layout.shares_gpus
    stages: list[StagePlan] = []
    for stage in recipe.stage:
        first = stages[-1].last_step if stages else 0
        time = None
        if not untimed:
            time = step_time(shape, layout, stage, gpu, is_pipelined=is_pipelined)
        stages.append(_stage_plan(shape, layout, stage, used_gpu, first, time))
    fitting: EngineLayout | None = layout
    advice = ""
    if used_gpu is not None and not all(stage.memory.fits for stage in stages):
        fitting = remedy(shape, layout, recipe.stage, used_gpu)
        advice = _advice(shape, layout, recipe.stage, used_gpu, fitting)
    return Plan(
        name=recipe.name,
        model=recipe.model.name,
        shape=shape,
        gpu=used_gpu,
        layout=layout,
        gpu_hour_usd=GPU_HOUR_USD if gpu_hour_usd is None else gpu_hour_usd,
        is_price_assumed=gpu_hour_usd is None,
        stages=tuple(stages),
        fitting=fitting,
        remedy=advice,
        untimed=untimed,
    )


def _stage_plan(
    shape: ModelShape,
    layout: EngineLayout,
    stage: Stage,
    gpu: Gpu | None,
    first: int,
    time: StepTime | None,
) -> StagePlan:
    budget = largest_token_budget(shape, layout, stage, gpu) if gpu else None
    rows = largest_rows(shape, layout, stage, gpu) if gpu and layout.samples_with_learner else None
    return StagePlan(
        name=stage.name,
        first_step=first,
        last_step=first + stage.steps,
        prompts=stage.rollout.prompts_per_step,
        group_size=stage.rollout.group_size,
        updates=stage.update.minibatches * stage.update.reuse,
        max_new_tokens=stage.rollout.max_new_tokens,
        memory=stage_memory(shape, layout, stage, gpu),
        token_budget=budget,
        max_rows=rows,
        time=time,
        gpus=layout.gpus,
    )


def _untimed(layout: EngineLayout, gpu: Gpu) -> str:
    """Return why the formulas of time do not hold for a layout on a GPU; empty if they do."""
    if layout.is_on_cpu:
        return "no time: the formulas are calibrated on GPUs; run a few steps and read time/step_s"
    if layout.is_one_process:
        return "no time: the formulas are calibrated on replicas and ranks of a cluster"
    if not layout.is_bfloat16:
        return 'no time: the formulas are calibrated with engine.compute = "bfloat16"'
    if gpu.speed is None:
        return "no time: only the memory of this GPU is known; name a similar one with --gpu, too"
    return ""


def _advice(
    shape: ModelShape,
    layout: EngineLayout,
    stages: Sequence[Stage],
    gpu: Gpu,
    fitting: EngineLayout | None,
) -> str:
    """Return the changes with which all stages fit, as options, or what is too large."""
    if fitting is not None:
        options = " ".join(f"--set {change}" for change in differences(layout, fitting))
        return f"fits on {gpu.label(fitting.gpus)} with {options}"
    state = sum(size for _, size in state_parts(shape, layout))
    if layout.is_one_process and state + WORKSPACE_BYTES > gpu.memory_bytes:
        return (
            f"what learning keeps from step to step takes {state / GIB:.1f} GiB: choose a smaller "
            "model or a GPU with more memory"
        )
    longest = max(context_tokens(layout, stage) for stage in stages)
    return (
        f"nothing tried fits on {gpu.label()}: rows of {longest:,} tokens need GPUs with more "
        "memory or a smaller rollout.max_new_tokens"
    )
