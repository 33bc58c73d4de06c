"""Tables 7 to 9 of the report, and the numbers that the formulas predict for them.

Table 7: Skywork-OR1-32B, 1,000 steps on 256 H800, tensor parallel 2: 760 steps of its first stage
(16K, 256 x 16) and 240 steps of its second stage (24K, 160 x 32). Table 8: the 7B baseline, 64 x 16
at 16K, 1,000 steps on 32 H800 with 1, 2 and 4 updates per step. Table 9: t_R of 1,024 rollouts on
32 to 256 GPUs, assumed to be of the same baseline. The report gives neither the memory share nor
the maximum number of rows: 0.8 is from the released scripts, 256 is vLLM's default.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reasonrl.planning.gpus import GPUS
from reasonrl.planning.layout import EngineLayout
from reasonrl.planning.published import SHAPES
from reasonrl.planning.timing import REPORT_SYSTEM, Calibration, StepTime, step_time
from reasonrl.recipe import (
    DataConfig,
    FunctionsSource,
    RolloutConfig,
    Settings,
    UpdateConfig,
)

H800 = GPUS["H800"]
STEPS = 1_000
_HOUR_S = 3_600.0

TABLE_7 = {"rollout": 223.0, "update": 27.0, "other": 59.0, "total": 309.0}
"""Hours of 1,000 steps."""

TABLE_8 = {
    1: {"rollout": 90.0, "update": 8.0, "other": 18.0, "total": 116.0},
    2: {"rollout": 87.0, "update": 10.0, "other": 17.0, "total": 114.0},
    4: {"rollout": 90.0, "update": 12.0, "other": 16.0, "total": 118.0},
}
"""Hours of 1,000 steps, by N_SGD."""

TABLE_9 = {32: 375.0, 64: 270.0, 128: 225.0, 256: 205.0}
"""Seconds, by GPUs."""

_SHARES = {
    "table 7": {"rollout": 0.721, "update": 0.087},
    "table 8, N_SGD 1": {"rollout": 0.776, "update": 0.069},
    "table 8, N_SGD 2": {"rollout": 0.763, "update": 0.087},
    "table 8, N_SGD 4": {"rollout": 0.763, "update": 0.102},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportNumber:
    """One number of the report and its prediction."""

    table: str
    quantity: str
    report: float
    predicted: float

    @property
    def error(self) -> float:
        """The relative error of the prediction."""
        return self.predicted / self.report - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A step that the report timed: model, layout and stage."""

    model: str
    layout: EngineLayout
    stage: Settings

    def time(self, calibration: Calibration) -> StepTime:
        shape = SHAPES[self.model]
        return step_time(shape, self.layout, self.stage, H800, calibration=calibration)


def baseline(gpus: int, updates: int = 1) -> Setup:
    """Return the 7B baseline of Tables 8 and 9."""
    return Setup(
        model="deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",
        layout=colocated(gpus, 1),
        stage=stage_of(prompts=64, group=16, max_new_tokens=16_384, updates=updates),
    )


def table_7() -> tuple[tuple[float, Setup], ...]:
    """Return the two stages of Table 7, each with its share of the steps."""
    stages = (
        (0.76, stage_of(prompts=256, group=16, max_new_tokens=16_384)),
        (0.24, stage_of(prompts=160, group=32, max_new_tokens=24_576)),
    )
    return tuple(
        (
            share,
            Setup(
                model="deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
                layout=colocated(256, 2),
                stage=stage,
            ),
        )
        for share, stage in stages
    )


def reproduce_tables(calibration: Calibration = REPORT_SYSTEM) -> tuple[ReportNumber, ...]:
    """Return every number of Tables 7, 8 and 9 with its prediction."""
    numbers: list[ReportNumber] = []
    times = [(share, setup.time(calibration)) for share, setup in table_7()]
    mean = {phase: sum(s * _phases(t)[phase] for s, t in times) for phase in TABLE_7}
    numbers.extend(_hours_and_shares("table 7", TABLE_7, mean))
    for updates, report in TABLE_8.items():
        phases = _phases(baseline(32, updates).time(calibration))
        numbers.extend(_hours_and_shares(f"table 8, N_SGD {updates}", report, phases))
    for gpus, seconds in TABLE_9.items():
        numbers.append(
            ReportNumber(
                table="table 9",
                quantity=f"t_R on {gpus}, s",
                report=seconds,
                predicted=baseline(gpus).time(calibration).rollout_s,
            )
        )
    return tuple(numbers)


def _hours_and_shares(
    table: str, report: dict[str, float], seconds: dict[str, float]
) -> Iterator[ReportNumber]:
    for phase, hours in report.items():
        predicted = seconds[phase] * STEPS / _HOUR_S
        yield ReportNumber(table=table, quantity=f"{phase}, h", report=hours, predicted=predicted)
    for phase, share in _SHARES[table].items():
        quantity, predicted = f"{phase}, share", seconds[phase] / seconds["total"]
        yield ReportNumber(table=table, quantity=quantity, report=share, predicted=predicted)


def _phases(time: StepTime) -> dict[str, float]:
    return {
        "rollout": time.rollout_s,
        "update": time.update_s,
        "other": time.other_s,
        "total": time.total_s,
    }


def colocated(gpus: int, tensor_parallel: int) -> EngineLayout:
    """Return the report's layout: sampler and learner take turns on all GPUs."""
    return EngineLayout(
        is_one_process=False,
        is_on_cpu=False,
        is_bfloat16=True,
        recompute=True,
        token_budget=4_096,  # the formulas of time do not depend on it
        max_rows=256,
        ranks=gpus,
        replicas=gpus // tensor_parallel,
        tensor_parallel=tensor_parallel,
        memory_share=0.8,
        shares_gpus=True,
        samples_with_vllm=True,
    )


def stage_of(*, prompts: int, group: int, max_new_tokens: int, updates: int = 1) -> Settings:
    """Return the settings of a step that the formulas of time depend on."""
    return Settings(
        data=DataConfig(sources=(FunctionsSource(type="functions"),)),
        rollout=RolloutConfig(
            prompts_per_step=prompts, group_size=group, max_new_tokens=max_new_tokens
        ),
        update=UpdateConfig(minibatches=updates),
    )
