"""The memory of a stage: a rank that learns, a sampler, or both in turns, and a node's host.

The formulas say what this project's engines keep. Where lengths vary they are upper bounds: the
fullest microbatch, the longest row. CUDA contexts, communication buffers and fragments have no
formula; `parts.WORKSPACE_BYTES` is a margin for them. Two measured steps on a CPU are within a
tenth (SmolLM2-135M, 3,110 and 3,870 MB in benchmarks/RESULTS.md); no GPU has confirmed the numbers
yet.
"""

from __future__ import annotations

from dataclasses import dataclass

from reasonrl.planning.gpus import Gpu
from reasonrl.planning.host import host_memory
from reasonrl.planning.layout import EngineLayout
from reasonrl.planning.learner import learner_memory
from reasonrl.planning.lengths import mean_context
from reasonrl.planning.parts import MemoryEstimate, context_tokens
from reasonrl.planning.sampler import cache_bytes, module_memory, replica_memory, running_rows
from reasonrl.planning.shapes import ModelShape
from reasonrl.recipe import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMemory:
    """The memory that a stage needs on each GPU, and on the host of a node.

    `rows_full` rollouts of full length, or `rows_mean` rollouts of mean length, fit in a sampler's
    cache at the same time. `gpu_bytes` is the memory of a GPU, None without GPUs.
    """

    learner: MemoryEstimate
    rollout: MemoryEstimate
    peak_bytes: float
    gpu_bytes: float | None
    host: MemoryEstimate
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
    if layout.samples_with_vllm and gpu is not None:
        rollout = replica_memory(shape, layout, gpu)
        rows_full, rows_mean = _cached_rows(shape, layout, stage, gpu)
    else:
        rollout = module_memory(shape, layout, stage)
        rows_full = rows_mean = running_rows(layout, stage)
    return StageMemory(
        learner=learner,
        rollout=rollout,
        peak_bytes=max(learner.total_bytes, rollout.total_bytes),
        gpu_bytes=gpu.memory_bytes if gpu else None,
        host=host_memory(shape, layout),
        rows_full=rows_full,
        rows_mean=rows_mean,
    )


def _cached_rows(
    shape: ModelShape, layout: EngineLayout, stage: Settings, gpu: Gpu
) -> tuple[int, int]:
    """Return the rollouts of full and of mean length that a replica's cache has room for."""
    free = cache_bytes(shape, layout, gpu)
    token_bytes = shape.kv_bytes(layout.element_bytes) / layout.tensor_parallel
    full, mean = context_tokens(layout, stage), mean_context(stage.rollout.max_new_tokens)
    return int(free / (token_bytes * full)), int(free / (token_bytes * mean))
