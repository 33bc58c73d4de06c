"""Memory of a GPU by component: a rank that learns, a replica that samples, or both in turns.

The formulas say what this project's engines keep. Where lengths vary they are upper bounds: the
fullest microbatch, the longest row. CUDA contexts, communication buffers and fragments have no
formula; `WORKSPACE_BYTES` is a margin for them. Two measured steps on a CPU are within a tenth
(SmolLM2-135M, 3,110 and 3,870 MB in benchmarks/RESULTS.md); no GPU has confirmed the numbers yet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from reasonrl.planning.gpus import GIB, Gpu
from reasonrl.planning.layout import EngineLayout
from reasonrl.planning.lengths import PROMPT_TOKENS, mean_context
from reasonrl.planning.shapes import ModelShape
from reasonrl.recipe import Settings

STATE_BYTES = 16
"""Bytes per parameter while learning: weight, gradient and two moments in float32."""

WORKSPACE_BYTES = 4 * GIB
"""A margin for a process's CUDA context, communication buffers and fragments. Not measured."""

IDLE_BYTES = 2 * GIB
"""Memory that a process keeps on a shared GPU during the other process's turn. Not measured."""

LIBRARIES_BYTES = 454 * 2.0**20
"""Memory of the interpreter and its libraries, measured on a CPU (benchmarks/RESULTS.md)."""

GPUS_PER_NODE = 8

HEAD_TOKENS = 256
"""Tokens whose logits exist at the same time: `algo.head.CHUNK_TOKENS`, without importing torch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """The bytes of one role on one GPU, by component."""

    parts: tuple[tuple[str, float], ...]

    @property
    def total_bytes(self) -> float:
        return sum(size for _, size in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMemory:
    """The memory that a stage needs on each GPU, and on a node's host if GPUs are shared.

    `rows_full` rollouts of full length, or `rows_mean` rollouts of mean length, fit in a replica's
    cache at the same time. `gpu_bytes` is the memory of a GPU, None without GPUs.
    """

    learner: MemoryEstimate
    rollout: MemoryEstimate
    peak_bytes: float
    gpu_bytes: float | None
    host_bytes: float
    rows_full: int
    rows_mean: int

    @property
    def fits(self) -> bool:
        return self.gpu_bytes is None or (self.peak_bytes <= self.gpu_bytes and self.rows_full > 0)


def stage_memory(
    shape: ModelShape, layout: EngineLayout, stage: Settings, gpu: Gpu | None
) -> StageMemory:
    """Return the memory that a stage needs. Without a GPU a role is one process on a CPU."""
    learner = learner_memory(shape, layout, stage)
    if layout.is_one_process or gpu is None:
        return _without_replicas(shape, layout, stage, learner, gpu)
    free = cache_bytes(shape, layout, gpu)
    token_bytes = shape.kv_bytes() / layout.tensor_parallel
    rollout = MemoryEstimate(
        parts=(
            ("weights", replica_weights(shape, layout)),
            ("workspace", WORKSPACE_BYTES),
            ("key-value cache", max(0.0, free)),
        )
    )
    idle = IDLE_BYTES if layout.shares_gpus else 0
    kept = _state_bytes(shape, layout) + replica_weights(shape, layout)
    return StageMemory(
        learner=learner,
        rollout=rollout,
        peak_bytes=max(learner.total_bytes, rollout.total_bytes) + idle,
        gpu_bytes=gpu.memory_bytes,
        host_bytes=GPUS_PER_NODE * kept if layout.shares_gpus else 0.0,
        rows_full=max(0, int(free / (token_bytes * context_tokens(layout, stage)))),
        rows_mean=max(0, int(free / (token_bytes * mean_context(stage.rollout.max_new_tokens)))),
    )


def context_tokens(layout: EngineLayout, stage: Settings) -> int:
    """Return the tokens of the longest prompt and the longest completion together.

    In one process the prompt has at most the mean length: how long the real prompts are is known
    only when the data are read.
    """
    prompt = stage.rollout.max_prompt_tokens
    if layout.is_one_process:
        prompt = min(prompt, PROMPT_TOKENS)
    return prompt + stage.rollout.max_new_tokens


def microbatch_tokens(layout: EngineLayout, stage: Settings) -> int:
    """Return the tokens of the fullest microbatch on one rank.

    A microbatch holds whole rows, so it may exceed the budget.
    """
    row = math.ceil(context_tokens(layout, stage) / layout.sequence_parallel)
    return max(layout.token_budget, row)


def replica_weights(shape: ModelShape, layout: EngineLayout) -> float:
    """Return the bytes of a replica's weights on one of its GPUs."""
    element = 2 if layout.samples_with_vllm else 4
    return element * shape.parameters / layout.tensor_parallel


def cache_bytes(shape: ModelShape, layout: EngineLayout, gpu: Gpu) -> float:
    """Return the bytes of one GPU that a replica has for keys and values; may be negative."""
    taken = layout.memory_share * gpu.memory_bytes
    return taken - replica_weights(shape, layout) - WORKSPACE_BYTES


def learner_memory(shape: ModelShape, layout: EngineLayout, stage: Settings) -> MemoryEstimate:
    """Return the memory of one rank at its peak, in the backward pass of a microbatch."""
    tokens = microbatch_tokens(layout, stage)
    element = layout.element_bytes
    is_sharded = not layout.is_one_process
    saved = 4 * shape.hidden + 3 * shape.query_size + 3 * shape.kv_size + 4 * shape.intermediate
    # FSDP runs the layers of transformers, whose norms keep float32 copies.
    if is_sharded:
        saved += 6 * shape.hidden + shape.query_size
    # The gradients of activations on their way through one layer.
    passing = 2 * shape.hidden + 3 * shape.intermediate
    kept = shape.hidden if layout.recompute else saved
    at_once = passing + (saved if layout.recompute else 0)
    layer = shape.layer_parameters * (2 * element + element + 4)
    reference = 4 * shape.parameters / layout.ranks if stage.update.kl_coefficient else 0.0
    parts = (
        ("weights, gradients, moments", _state_bytes(shape, layout)),
        ("reference policy", reference),
        ("gathered embedding and head", 8.0 * shape.root_parameters if is_sharded else 0.0),
        ("gathered layers", float(layer) if is_sharded else 0.0),
        ("kept for the backward pass", float(tokens * shape.layers * kept * element)),
        ("one layer, backward", float(tokens * at_once * element)),
        ("last hidden states", float(tokens * shape.hidden * 4 * 2)),
        ("logits", float(min(tokens, HEAD_TOKENS) * shape.vocabulary * 4 * 2)),
        _process(layout),
    )
    return MemoryEstimate(parts=tuple(part for part in parts if part[1]))


def _process(layout: EngineLayout) -> tuple[str, float]:
    if layout.is_on_cpu:
        return "libraries", LIBRARIES_BYTES
    return "workspace", WORKSPACE_BYTES


def _state_bytes(shape: ModelShape, layout: EngineLayout) -> float:
    return STATE_BYTES * shape.parameters / layout.ranks


def _without_replicas(
    shape: ModelShape,
    layout: EngineLayout,
    stage: Settings,
    learner: MemoryEstimate,
    gpu: Gpu | None,
) -> StageMemory:
    """Return the memory of a process that samples with the weights it learns on.

    On a cluster of CPUs it is the memory of a process that learns and of one that samples.
    """
    element = layout.element_bytes
    rows = min(layout.max_rows, stage.rollout.prompts_per_step * stage.rollout.group_size)
    cached_tokens = rows * context_tokens(layout, stage)
    weights = ("weights, gradients, moments", _state_bytes(shape, layout))
    if not layout.is_one_process:
        weights = ("weights", replica_weights(shape, layout))
    rollout = MemoryEstimate(
        parts=(
            weights,
            ("key-value cache", float(cached_tokens * shape.kv_bytes(element))),
            ("logits", float(rows * shape.vocabulary * 4)),
            _process(layout),
        )
    )
    return StageMemory(
        learner=learner,
        rollout=rollout,
        peak_bytes=max(learner.total_bytes, rollout.total_bytes),
        gpu_bytes=gpu.memory_bytes if gpu else None,
        host_bytes=0.0,
        rows_full=rows,
        rows_mean=rows,
    )
