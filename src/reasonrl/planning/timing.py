"""The time of a step by phase, as the report splits it: rollout t_R, update t_T, other t_O.

    t_R   the slowest replica (`decode`): its share of the rollouts, and the longest sample of all
    t_T   FLOPs of the kept rollouts / (ranks * peak * flops_share) + N_SGD * update_s
    t_O   old log-probabilities, one forward pass + rollouts * judge_s + fixed_s

FLOPs of a token: 2 a parameter forward, 4 backward, 2 when activations are recomputed, and in the
same ratio 2 * (square of a row) * (query width) * layers for attention, which is causal.
Calibrated on the report's system, which is not ours; docs/planning.md says how far to trust it.
Called by `plan`, `calibrated`, benchmarks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from reasonrl.planning import lengths
from reasonrl.planning.decode import DecodeCost, replica_s
from reasonrl.planning.gpus import Gpu
from reasonrl.planning.memory import stage_memory
from reasonrl.planning.shapes import ModelShape
from reasonrl.recipe import EngineConfig, Settings

KEPT_SHARE = 0.5
"""An assumption: the share of rollouts in groups with signal, which alone are learned from.

The report drops the others and gives no number. If it were larger, `flops_share` would be, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Hold what turns counts into seconds: of the report's system, fitted to its tables.

    That system: H800 GPUs, vLLM 0.6.3 on the GPUs of an FSDP learner whose weights, gradients and
    moments are offloaded to the host in turn. On other GPUs the shares are taken to hold.
    `python -m benchmarks.calibrate` prints these values.

    `bandwidth_share`, `step_s`, `row_s`: of the memory bandwidth while decoding, and the overhead
    of a step and of a row in it; on t_R of Table 9 (four rows), Table 8 (three) and Table 7.
    `flops_share`, `update_s`: of the peak, and of each optimizer step; on t_T of Tables 7 and 8.
    `judge_s`, `fixed_s`: of a rollout, mostly its verification on the driver, and of a step, for
    moving weights and states; on t_O of Tables 7 and 8, where all that is not t_R or t_T counts.
    """

    bandwidth_share: float = 0.40
    step_s: float = 0.93e-3
    row_s: float = 0.30e-3
    flops_share: float = 0.30
    update_s: float = 2.9
    judge_s: float = 0.042
    fixed_s: float = 11.0


REPORT_SYSTEM = Calibration()


CALIBRATED_ROWS = 32
"""The most rows that a replica of the tables runs side by side; beyond, t_R extrapolates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """Hold the seconds of one step. `longest_s` is the part of t_R that no GPU more can shorten.

    `rows` run side by side on a replica.
    """

    rollout_s: float
    update_s: float
    other_s: float
    longest_s: float
    rows: int
    is_pipelined: bool = False

    @property
    def total_s(self) -> float:
        learning = self.update_s + self.other_s
        if self.is_pipelined:
            return max(self.rollout_s, learning)
        return self.rollout_s + learning


def step_time(
    shape: ModelShape,
    engine: EngineConfig,
    stage: Settings,
    gpu: Gpu,
    *,
    is_pipelined: bool = False,
    calibration: Calibration = REPORT_SYSTEM,
) -> StepTime:
    """Return the time of a step of a stage."""
    limit = stage.rollout.max_new_tokens
    n_rollouts = stage.rollout.prompts_per_step * stage.rollout.group_size
    cost = decode_cost(shape, gpu, engine.rollout.tensor_parallel, calibration)
    forward, backward = update_flops(shape, limit, recompute=engine.recompute)
    speed = engine.learner.ranks * gpu.peak_flops * calibration.flops_share
    kept = KEPT_SHARE * n_rollouts
    n_updates = stage.update.minibatches * stage.update.reuse
    passes = stage.update.reuse
    slots = slots_of(shape, engine, stage, gpu)
    here = _lengths_here(engine, stage)
    return StepTime(
        rollout_s=replica_s(cost, here, slots),
        update_s=kept * passes * (forward + backward) / speed + n_updates * calibration.update_s,
        other_s=kept * forward / speed + n_rollouts * calibration.judge_s + calibration.fixed_s,
        longest_s=max(here) * cost.step_s,
        rows=min(slots, len(here)),
        is_pipelined=is_pipelined,
    )


def decode_cost(
    shape: ModelShape, gpu: Gpu, tensor_parallel: int, calibration: Calibration = REPORT_SYSTEM
) -> DecodeCost:
    """Return what a decoding step of a replica costs, weights and cache in bfloat16."""
    speed = gpu.bandwidth_bytes_s * calibration.bandwidth_share * tensor_parallel
    return DecodeCost(
        step_s=calibration.step_s + 2 * shape.multiplied_parameters / speed,
        row_s=calibration.row_s,
        token_s=shape.kv_bytes() / speed,
    )


def update_flops(shape: ModelShape, limit: int, *, recompute: bool) -> tuple[float, float]:
    """Return the FLOPs of a mean rollout: forward, and backward with what is computed again."""
    tokens = lengths.PROMPT_TOKENS + lengths.mean_tokens(limit)
    squared = (
        lengths.PROMPT_TOKENS**2
        + 2 * lengths.PROMPT_TOKENS * lengths.mean_tokens(limit)
        + lengths.squared_tokens(limit)
    )
    forward = 2.0 * shape.multiplied_parameters * tokens
    forward += 2.0 * squared * shape.query_size * shape.layers
    return forward, forward * (3 if recompute else 2)


def slots_of(shape: ModelShape, engine: EngineConfig, stage: Settings, gpu: Gpu) -> int:
    """Return how many rollouts a replica runs at once: as its cache and `max_rows` allow."""
    rows = stage_memory(shape, engine, stage, gpu).rows_mean
    return max(1, min(engine.max_rows, rows))


def _lengths_here(engine: EngineConfig, stage: Settings) -> tuple[float, ...]:
    """Return the lengths that the slowest replica samples: its share, and the longest of all."""
    n_rollouts = stage.rollout.prompts_per_step * stage.rollout.group_size
    n_here = math.ceil(n_rollouts / engine.rollout.replicas)
    limit = stage.rollout.max_new_tokens
    longest = lengths.response_lengths(n_rollouts, limit)[-1]
    return (*lengths.response_lengths(n_here, limit)[:-1], longest)
