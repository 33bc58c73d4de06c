"""The memory of a sampler: the learner's own module with a cache of its own, or a vLLM replica."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reasonrl.models.rooms import rooms_up_to
from reasonrl.planning.gpus import Gpu
from reasonrl.planning.layout import EngineLayout
from reasonrl.planning.parts import (
    IDLE_BYTES,
    WORKSPACE_BYTES,
    MemoryEstimate,
    Part,
    estimate,
    process_part,
    prompt_tokens,
    state_parts,
)
from reasonrl.planning.shapes import ModelShape
from reasonrl.recipe import Settings

PREFILL_TOKENS = 8_192
"""The tokens that vLLM runs at once on a GPU; longer prompts come in chunks: `engines.vllm`."""


def module_memory(shape: ModelShape, layout: EngineLayout, stage: Settings) -> MemoryEstimate:
    """Return the memory of a process that samples with a module of its own.

    In one process it is the learner's module, with gradients, moments and reference beside it.
    """
    weights = state_parts(shape, layout) if layout.is_one_process else _own_weights(shape, layout)
    rows = running_rows(layout, stage)
    return estimate(
        (
            *weights,
            *_cache(shape, layout, stage, rows),
            ("logits", float(rows * shape.vocabulary * 4)),
            process_part(layout),
            _resting_learner(layout),
        )
    )


def running_rows(layout: EngineLayout, stage: Settings) -> int:
    """Return the rollouts that a module samples side by side."""
    return min(layout.max_rows, stage.rollout.prompts_per_step * stage.rollout.group_size)


def copied_share(rooms: Sequence[int]) -> float:
    """Return the part of a layer's cache that exists twice while the cache grows or loses rows.

    Growing keeps the old rows until the new ones are there. Losing rows copies the live ones, at
    most half of all.
    """
    grown = rooms[-2] / rooms[-1] if len(rooms) > 1 else 0.0
    return max(0.5, grown)


def replica_memory(shape: ModelShape, layout: EngineLayout, gpu: Gpu) -> MemoryEstimate:
    """Return the memory of a vLLM replica on one of its GPUs while it samples.

    It fills its share of the GPU with its cache. In one process the learner's state is there, too,
    unless it has moved to the host.
    """
    state = sum(size for _, size in state_parts(shape, layout))
    is_beside = layout.is_one_process and not layout.offloads
    return estimate(
        (
            ("learner's state", state if is_beside else 0.0),
            ("weights", replica_weights(shape, layout)),
            ("workspace", WORKSPACE_BYTES),
            ("activations of a prefill", prefill_bytes(shape, layout)),
            ("key-value cache", cache_bytes(shape, layout, gpu)),
            _resting_learner(layout),
        )
    )


def replica_weights(shape: ModelShape, layout: EngineLayout) -> float:
    """Return the bytes of a vLLM replica's weights on one of its GPUs, in `engine.compute`."""
    return layout.element_bytes * shape.parameters / layout.tensor_parallel


def prefill_bytes(shape: ModelShape, layout: EngineLayout) -> float:
    """Return the activations that vLLM sets memory aside for: those of its largest forward pass.

    The MLP's inner tensors are split over the GPUs of a replica, the hidden states are not.
    """
    width = 2 * shape.hidden + 3 * shape.inner / layout.tensor_parallel
    return layout.element_bytes * PREFILL_TOKENS * width


def free_bytes(shape: ModelShape, layout: EngineLayout, gpu: Gpu) -> float:
    """Return what a replica's share of a GPU has beside weights and workspace; may be negative."""
    return layout.memory_share * gpu.memory_bytes - replica_weights(shape, layout) - WORKSPACE_BYTES


def cache_bytes(shape: ModelShape, layout: EngineLayout, gpu: Gpu) -> float:
    """Return the bytes of one GPU that a replica has for keys and values, at least 0."""
    free = free_bytes(shape, layout, gpu) - prefill_bytes(shape, layout)
    return max(0.0, free)


def _resting_learner(layout: EngineLayout) -> Part:
    """Return what a learner in another process leaves on the GPU while the sampler has it."""
    return "resting learner", IDLE_BYTES * (layout.takes_turns and not layout.is_one_process)


def _own_weights(shape: ModelShape, layout: EngineLayout) -> tuple[Part, ...]:
    copies = layout.training.copies(shape, layout.element_bytes)
    return (("weights", 4.0 * shape.parameters), ("bfloat16 copies of the layers", copies))


def _cache(shape: ModelShape, layout: EngineLayout, stage: Settings, rows: int) -> tuple[Part, ...]:
    prompt, new = prompt_tokens(layout, stage), stage.rollout.max_new_tokens
    token_bytes = shape.kv_bytes(layout.element_bytes)
    # The last token of a rollout is never put into the cache.
    rooms = rooms_up_to(prompt + new - 1)
    cache = float(rows * rooms[-1] * token_bytes)
    share = copied_share(rooms)
    prompts = min(stage.rollout.prompts_per_step, math.ceil(rows / stage.rollout.group_size))
    return (
        ("key-value cache", cache),
        ("a layer's copy while the cache changes size", cache / shape.layers * share),
        ("prompts", float(prompts * prompt * token_bytes)),
    )
