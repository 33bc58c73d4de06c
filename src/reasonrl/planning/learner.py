"""The memory of a rank that learns, at its peak in the backward pass of a microbatch."""

from __future__ import annotations

from reasonrl.planning.layout import EngineLayout
from reasonrl.planning.parts import (
    IDLE_BYTES,
    MemoryEstimate,
    Part,
    estimate,
    process_part,
    row_tokens,
    state_parts,
)
from reasonrl.planning.shapes import ModelShape
from reasonrl.recipe import Settings

HEAD_TOKENS = 256
"""Tokens whose logits exist at the same time: `algo.head.CHUNK_TOKENS`, without importing torch."""

ROOT_BYTES = 10.4
"""Bytes of each gathered parameter of embedding and head under FSDP.

The float32 weight and its gradient are 8; the rest is the copy that scales the gradient and what
the reduction holds beside it. Measured on two ranks on a CPU with a vocabulary of 131,072; logits
were part of the measurement.
"""


def learner_memory(shape: ModelShape, layout: EngineLayout, stage: Settings) -> MemoryEstimate:
    """Return the memory of one rank at its peak, in the backward pass of a microbatch."""
    tokens = microbatch_tokens(layout, stage)
    return estimate(
        (
            *state_parts(shape, layout),
            *_gathered(shape, layout),
            *_activations(shape, layout, tokens),
            ("last hidden states", float(tokens * shape.hidden * 4 * 2)),
            ("logits", float(min(tokens, HEAD_TOKENS) * shape.vocabulary * 4 * 2)),
            process_part(layout),
            ("resting sampler", IDLE_BYTES * layout.takes_turns),
        )
    )


def microbatch_tokens(layout: EngineLayout, stage: Settings) -> int:
    """Return the tokens of the fullest microbatch on one rank.

    A microbatch holds whole rows, so it may exceed the budget.
    """
    return max(layout.token_budget, row_tokens(layout, stage))


def _gathered(shape: ModelShape, layout: EngineLayout) -> tuple[Part, ...]:
    """Return what FSDP gathers; in one process the bfloat16 gradient of a matrix, until added."""
    element = layout.element_bytes
    if not layout.is_one_process:
        # Two layers, for one is gathered ahead, and the gradient of one in both types.
        layer = float(shape.layer_parameters * (2 * element + element + 4))
        return (
            ("gathered embedding and head", ROOT_BYTES * shape.root_parameters),
            ("gathered layers", layer),
        )
    if not layout.is_bfloat16 or layout.training.adapters:
        return ()
    largest = max(inputs * outputs for inputs, outputs in shape.linear_sizes.values())
    return (("gradient of one matrix", float(element * largest)),)


def _activations(shape: ModelShape, layout: EngineLayout, tokens: int) -> tuple[Part, ...]:
    element = layout.element_bytes
    saved = 4 * shape.hidden + 3 * shape.query_size + 3 * shape.kv_size + 4 * shape.inner
    # FSDP runs the layers of transformers, whose norms keep float32 copies.
    if not layout.is_one_process:
        saved += 6 * shape.hidden + shape.query_size
    # In float32 a GPU attends with keys and values that are repeated for each query head.
    if not layout.is_bfloat16 and not layout.is_on_cpu:
        saved += 2 * (shape.query_size - shape.kv_size)
    # peft keeps the input of each adapter in float32, for each of the seven matrices of a layer.
    if layout.training.adapters and layout.is_one_process and layout.is_bfloat16:
        saved += 2 * (5 * shape.hidden + shape.query_size + shape.inner)
    # The gradients of activations on their way through one layer.
    passing = 2 * shape.hidden + 3 * shape.inner
    kept = shape.hidden if layout.recompute else saved
    at_once = passing + (saved if layout.recompute else 0)
    return (
        ("kept for the backward pass", float(tokens * shape.layers * kept * element)),
        ("one layer, backward", float(tokens * at_once * element)),
    )
