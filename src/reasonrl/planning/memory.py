"""Memory of a GPU by component: a rank that learns, a replica that samples, or both in turns.

Formulas of what this project's engines keep, upper bounds where lengths vary: the fullest
microbatch, the longest row. What no formula gives (contexts, communication buffers, fragments) is a
margin, `WORKSPACE_BYTES`. Two measured steps on a CPU are within a tenth (SmolLM2-135M, 3,110 and
3,870 MB in benchmarks/RESULTS.md); no GPU has confirmed these numbers yet.
Called by `fitting`, `timing` and `plan`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from reasonrl.planning.gpus import GIB, Gpu
from reasonrl.planning.lengths import PROMPT_TOKENS, held_context
from reasonrl.planning.shapes import ModelShape
from reasonrl.recipe import EngineConfig, Settings

STATE_BYTES = 16
"""Bytes a parameter while learning: float32 weight, gradient and two moments."""

WORKSPACE_BYTES = 4 * GIB
"""A margin of a process: CUDA context, communication buffers, fragments. Not measured."""

IDLE_BYTES = 2 * GIB
"""What a process keeps of a shared GPU while the other one has its turn. Not measured."""

LIBRARIES_BYTES = 454 * 2.0**20
"""The interpreter and its libraries before a step, measured on a CPU (benchmarks/RESULTS.md)."""

GPUS_PER_NODE = 8
HEAD_TOKENS = 256  # of which logits exist together: reasonrl.algo.head.CHUNK_TOKENS


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Hold the bytes of one role on one GPU, by component."""

    parts: tuple[tuple[str, float], ...]

    @property
    def total_bytes(self) -> float:
        return sum(size for _, size in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMemory:
    """Hold what a stage needs on each GPU, and on the host of a node where GPUs are shared.

    `rows_full` rollouts of the longest length, or `rows_mean` of mean context, fit in a replica's
    cache at once. `gpu_bytes` is None where no GPU was asked about.
    """

    learner: Memory
    rollout: Memory
    peak_bytes: float
    gpu_bytes: float | None
    host_bytes: float
    rows_full: int
    rows_mean: int

    @property
    def fits(self) -> bool:
        return self.gpu_bytes is None or (self.peak_bytes <= self.gpu_bytes and self.rows_full > 0)


def stage_memory(
    shape: ModelShape, engine: EngineConfig, stage: Settings, gpu: Gpu | None
) -> StageMemory:
    """Return what a stage needs. Without a GPU, all of it stands in one process's memory."""
    learner = learner_memory(shape, engine, stage)
    if engine.type == "local" or gpu is None:
        return _in_one_process(shape, engine, stage, learner, gpu)
    room = cache_bytes(shape, engine, gpu)
    token_bytes = shape.kv_bytes() / engine.rollout.tensor_parallel
    rollout = Memory(
        parts=(
            ("weights", replica_weights(shape, engine)),
            ("workspace", WORKSPACE_BYTES),
            ("key-value cache", max(0.0, room)),
        )
    )
    is_shared = engine.placement == "shared"
    peak = max(learner.total_bytes, rollout.total_bytes) + (IDLE_BYTES if is_shared else 0)
    kept = _state_bytes(shape, engine) + replica_weights(shape, engine)
    return StageMemory(
        learner=learner,
        rollout=rollout,
        peak_bytes=peak,
        gpu_bytes=gpu.memory_bytes,
        host_bytes=GPUS_PER_NODE * kept if is_shared else 0.0,
        rows_full=max(0, int(room / (token_bytes * longest_row(engine, stage)))),
        rows_mean=max(0, int(room / (token_bytes * held_context(stage.rollout.max_new_tokens)))),
    )


def longest_row(engine: EngineConfig, stage: Settings) -> int:
    """Return the tokens of the longest prompt with the longest completion.

    On one process the prompt is a usual one: what is left out there is known when data are read.
    """
    prompt = stage.rollout.max_prompt_tokens
    if engine.type == "local":
        prompt = min(prompt, PROMPT_TOKENS)
    return prompt + stage.rollout.max_new_tokens


def microbatch_tokens(engine: EngineConfig, stage: Settings) -> int:
    """Return the tokens of the fullest microbatch on one rank: a row is never cut in time."""
    shares = engine.learner.sequence_parallel if engine.type == "ray" else 1
    return max(engine.token_budget, math.ceil(longest_row(engine, stage) / shares))


def replica_weights(shape: ModelShape, engine: EngineConfig) -> float:
    """Return the bytes of a replica's weights on one of its GPUs."""
    element = 2 if engine.rollout.type == "vllm" else 4
    return element * shape.parameters / engine.rollout.tensor_parallel


def cache_bytes(shape: ModelShape, engine: EngineConfig, gpu: Gpu) -> float:
    """Return what a replica has left on one GPU for keys and values; may be negative."""
    taken = engine.rollout.memory_share * gpu.memory_bytes
    return taken - replica_weights(shape, engine) - WORKSPACE_BYTES


def learner_memory(shape: ModelShape, engine: EngineConfig, stage: Settings) -> Memory:
    """Return what one rank holds at its fullest, in the backward pass of a microbatch."""
    tokens = microbatch_tokens(engine, stage)
    element = 2 if engine.compute == "bfloat16" else 4
    is_sharded = engine.type == "ray"
    saved = 4 * shape.hidden + 3 * shape.query_size + 3 * shape.kv_size + 4 * shape.intermediate
    if is_sharded:  # FSDP runs transformers' own layers: norms keep their float32 copies
        saved += 6 * shape.hidden + shape.query_size
    passing = 2 * shape.hidden + 3 * shape.intermediate  # gradients on their way through a layer
    kept = shape.hidden if engine.recompute else saved
    at_once = passing + (saved if engine.recompute else 0)
    layer = shape.layer_parameters * (2 * element + element + 4)
    reference = 4 * shape.parameters / _ranks(engine) if stage.update.kl_coefficient else 0.0
    parts = (
        ("weights, gradients, moments", _state_bytes(shape, engine)),
        ("reference policy", reference),
        ("gathered embedding and head", 8.0 * shape.root_parameters if is_sharded else 0.0),
        ("gathered layers", float(layer) if is_sharded else 0.0),
        ("kept for the backward pass", float(tokens * shape.layers * kept * element)),
        ("one layer, backward", float(tokens * at_once * element)),
        ("last hidden states", float(tokens * shape.hidden * 4 * 2)),
        ("logits", float(min(tokens, HEAD_TOKENS) * shape.vocabulary * 4 * 2)),
        _base(engine),
    )
    return Memory(parts=tuple(part for part in parts if part[1]))


def _base(engine: EngineConfig) -> tuple[str, float]:
    if engine.device == "cpu":
        return "libraries", LIBRARIES_BYTES
    return "workspace", WORKSPACE_BYTES


def _ranks(engine: EngineConfig) -> int:
    return engine.learner.ranks if engine.type == "ray" else 1


def _state_bytes(shape: ModelShape, engine: EngineConfig) -> float:
    return STATE_BYTES * shape.parameters / _ranks(engine)


def _in_one_process(
    shape: ModelShape, engine: EngineConfig, stage: Settings, learner: Memory, gpu: Gpu | None
) -> StageMemory:
    """Return the memory of a process that samples with the weights it learns on.

    On a cluster of CPUs, of one that learns and one that samples.
    """
    element = 2 if engine.compute == "bfloat16" else 4
    rows = min(engine.max_rows, stage.rollout.prompts_per_step * stage.rollout.group_size)
    held = ("weights, gradients, moments", _state_bytes(shape, engine))
    if engine.type == "ray":
        held = ("weights", replica_weights(shape, engine))
    rollout = Memory(
        parts=(
            held,
            ("key-value cache", float(rows * longest_row(engine, stage) * shape.kv_bytes(element))),
            ("logits", float(rows * shape.vocabulary * 4)),
            _base(engine),
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
