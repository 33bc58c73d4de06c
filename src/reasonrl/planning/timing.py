"""The time of a step by phase, as the report splits it: rollout t_R, update t_T, other t_O.

    t_R   the slowest replica (`decode`): its share of the rollouts, and the longest sample of all
    t_T   FLOPs of the kept rollouts / (ranks * peak * flops_share) + N_SGD * update_s
    t_O   old log-probabilities, one forward pass + rollouts * judge_s + fixed_s

FLOPs of a token are 2 per parameter forward, 4 backward, and 2 more if activations are recomputed.
Causal attention adds 2 * (square of a row's length) * (query width) * layers in the same ratio.
The constants are calibrated on the report's system, which is not ours; docs/planning.md says how
accurate they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from reasonrl.planning import lengths
from reasonrl.planning.decode import DecodeCost, replica_s
from reasonrl.planning.gpus import Gpu
from reasonrl.planning.layout import EngineLayout
from reasonrl.planning.sampler import free_bytes
from reasonrl.planning.shapes import ModelShape
from reasonrl.recipe import Settings

KEPT_SHARE = 0.5
"""An assumption: the share of rollouts in groups with a signal, which alone are learned from.

The report drops the other groups and gives no number. A larger share would make `flops_share`
larger, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What a plan assumes of a run: the share of rollouts that are learned from, and the mean
    length of a response as a share of `max_new_tokens`."""

    kept_share: float = KEPT_SHARE
    mean_share: float = lengths.MEAN_SHARE


USUAL = Assumptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The constants that turn counts into seconds, fitted to the tables of the report.

    The report's system has H800 GPUs, and vLLM 0.6.3 on the GPUs of an FSDP learner; weights,
    gradients and moments are offloaded to the host in turn. For other GPUs the shares are assumed
    to be the same. `python -m benchmarks.calibrate` prints these values.

    t_R: `bandwidth_share` of the memory bandwidth is used while decoding; `step_s` and `row_s` are
    the overhead of a decoding step and of each row in it. Fitted to Table 9 (four rows), Table 8
    (three rows) and Table 7.
    t_T: `flops_share` of the peak is used; `update_s` is the overhead of an optimizer step. Fitted
    to Tables 7 and 8.
    t_O: `judge_s` is the time per rollout, mostly its verification on the driver; `fixed_s` is the
    time per step for moving weights and states. Fitted to Tables 7 and 8, whose t_O is all time
    that is not t_R or t_T.
    """

    bandwidth_share: float = 0.40
    step_s: float = 0.93e-3
    row_s: float = 0.30e-3
    flops_share: float = 0.30
    update_s: float = 2.9
    judge_s: float = 0.042
    fixed_s: float = 11.0


REPORT_SYSTEM = Calibration()

LEFT_OUT = {"t_R": 0.50, "t_T": 0.27, "t_O": 0.65}
"""The largest relative error of a measurement of the report that is predicted from all others, by
phase (`python -m benchmarks.calibrate`)."""

CALIBRATED_ROWS = 32
"""The largest number of rows that a replica runs side by side in the tables; with more rows t_R is
an extrapolation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """The seconds of one step. `longest_s` is the part of t_R that more GPUs cannot shorten.

    `rows` rollouts run side by side on a replica.
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
    layout: EngineLayout,
    stage: Settings,
    gpu: Gpu,
    *,
    is_pipelined: bool = False,
    calibration: Calibration = REPORT_SYSTEM,
    assumed: Assumptions = USUAL,
) -> StepTime:
    """Return the time of one step of a stage."""
    max_new_tokens = stage.rollout.max_new_tokens
    n_rollouts = stage.rollout.prompts_per_step * stage.rollout.group_size
    cost = decode_cost(shape, gpu, layout.tensor_parallel, calibration)
    forward, backward = update_flops(
        shape, max_new_tokens, recompute=layout.recompute, mean_share=assumed.mean_share
    )
    assert gpu.speed is not None  # as in decode_cost
    speed = layout.ranks * gpu.speed.peak_flops * calibration.flops_share
    kept = assumed.kept_share * n_rollouts
    n_updates = stage.update.minibatches * stage.update.reuse
    passes = stage.update.reuse
    slots = slots_of(shape, layout, stage, gpu, mean_share=assumed.mean_share)
    lengths_here = _slowest_replica(layout, stage, assumed.mean_share)
    return StepTime(
        rollout_s=replica_s(cost, lengths_here, slots),
        update_s=kept * passes * (forward + backward) / speed + n_updates * calibration.update_s,
        other_s=kept * forward / speed + n_rollouts * calibration.judge_s + calibration.fixed_s,
        longest_s=max(lengths_here) * cost.step_s,
        rows=min(slots, len(lengths_here)),
        is_pipelined=is_pipelined,
    )


def decode_cost(
    shape: ModelShape, gpu: Gpu, tensor_parallel: int, calibration: Calibration = REPORT_SYSTEM
) -> DecodeCost:
    """Return the cost of a decoding step on a replica with weights and cache in bfloat16."""
    assert gpu.speed is not None  # without it a plan has no time
    speed = gpu.speed.bandwidth_bytes_s * calibration.bandwidth_share * tensor_parallel
    return DecodeCost(
        step_s=calibration.step_s + 2 * shape.multiplied_parameters / speed,
        row_s=calibration.row_s,
        token_s=shape.kv_bytes() / speed,
    )


def update_flops(
    shape: ModelShape,
    max_new_tokens: int,
    *,
    recompute: bool,
    mean_share: float = lengths.MEAN_SHARE,
) -> tuple[float, float]:
    """Return the FLOPs of a mean rollout: forward, and backward including recomputation."""
    mean = lengths.mean_tokens(max_new_tokens, mean_share)
    tokens = lengths.PROMPT_TOKENS + mean
    squared = (
        lengths.PROMPT_TOKENS**2
        + 2 * lengths.PROMPT_TOKENS * mean
        + lengths.squared_tokens(max_new_tokens, mean_share)
    )
    forward = 2.0 * shape.multiplied_parameters * tokens
    forward += 2.0 * squared * shape.query_size * shape.layers
    return forward, forward * (3 if recompute else 2)


def slots_of(
    shape: ModelShape,
    layout: EngineLayout,
    stage: Settings,
    gpu: Gpu,
    *,
    mean_share: float = lengths.MEAN_SHARE,
) -> int:
    """Return the number of rollouts that a replica runs at a time, at most `max_rows`.

    The activations that this project's vLLM sets memory aside for are not taken off: the report's
    system, on which the constants were fitted, does not say what it sets aside.
    """
    token_bytes = shape.kv_bytes() / layout.tensor_parallel
    context = lengths.mean_context(stage.rollout.max_new_tokens, mean_share)
    rows = int(free_bytes(shape, layout, gpu) / (token_bytes * context))
    return max(1, min(layout.max_rows, rows))


def _slowest_replica(layout: EngineLayout, stage: Settings, mean_share: float) -> tuple[float, ...]:
    """Return the lengths on the slowest replica: its share of the rollouts, with the longest."""
    n_rollouts = stage.rollout.prompts_per_step * stage.rollout.group_size
    n_here = math.ceil(n_rollouts / layout.replicas)
    max_new_tokens = stage.rollout.max_new_tokens
    longest = lengths.response_lengths(n_rollouts, max_new_tokens, mean_share)[-1]
    return (*lengths.response_lengths(n_here, max_new_tokens, mean_share)[:-1], longest)
