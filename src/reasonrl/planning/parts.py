"""The parts of an estimate of memory, and the numbers that all roles count with."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from reasonrl.planning.gpus import GIB
from reasonrl.planning.layout import EngineLayout
from reasonrl.planning.lengths import PROMPT_TOKENS
from reasonrl.planning.shapes import ModelShape
from reasonrl.recipe import Settings

WORKSPACE_BYTES = 4 * GIB
"""A margin for a process's CUDA context, communication buffers and fragments. Not measured."""

IDLE_BYTES = 2 * GIB
"""Memory that a sampler or learner keeps on a shared GPU in the other's turn. Not measured."""

LIBRARIES_BYTES = 454 * 2.0**20
"""Memory of the interpreter and its libraries, measured on a CPU (benchmarks/RESULTS.md)."""

Part = tuple[str, float]
"""The name and the bytes of one component."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """The bytes of one role on one GPU, or on the host of a node, by component."""

    parts: tuple[Part, ...]

    @property
    def total_bytes(self) -> float:
        return sum(size for _, size in self.parts)


def estimate(parts: Iterable[Part]) -> MemoryEstimate:
    """Return an estimate of the parts that take any memory."""
    return MemoryEstimate(parts=tuple(part for part in parts if part[1]))


def prompt_tokens(layout: EngineLayout, stage: Settings) -> int:
    """Return the tokens of the longest prompt.

    In one process it has at most the mean length: how long the real prompts are is known only when
    the data are read.
    """
    longest = stage.rollout.max_prompt_tokens
    return min(longest, PROMPT_TOKENS) if layout.is_one_process else longest


def context_tokens(layout: EngineLayout, stage: Settings) -> int:
    """Return the tokens of the longest prompt and the longest completion together."""
    return prompt_tokens(layout, stage) + stage.rollout.max_new_tokens


def row_tokens(layout: EngineLayout, stage: Settings) -> int:
    """Return the tokens of the longest row on one rank."""
    return math.ceil(context_tokens(layout, stage) / layout.sequence_parallel)


def process_part(layout: EngineLayout) -> Part:
    """Return what a process takes before it holds any tensor."""
    if layout.is_on_cpu:
        return "libraries", LIBRARIES_BYTES
    return "workspace", WORKSPACE_BYTES


def state_parts(shape: ModelShape, layout: EngineLayout) -> tuple[Part, ...]:
    """Return what a rank keeps of policy, optimizer and reference from step to step.

    In one process the layers keep copies of their matrices in the narrower type that they compute
    in, from one update to the next, and the reference, which never learns, is in this type alone.
    FSDP casts what it gathers and keeps no copies.
    """
    training, ranks = layout.training, layout.ranks
    element, in_process = layout.element_bytes, layout.is_one_process
    reference = training.reference(shape, element if in_process else 4)
    return (
        ("weights", training.weights(shape) / ranks),
        ("gradients", training.gradients(shape) / ranks),
        ("moments", training.moments(shape) / ranks),
        ("bfloat16 copies of the layers", training.copies(shape, element) * in_process),
        ("reference policy", reference / ranks * layout.keeps_reference),
    )
