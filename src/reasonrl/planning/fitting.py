"""The largest microbatch and batch of rows that fit, and the smallest change with which stages fit.

All are found by trying: every change is applied to the layout and the memory computed again. A
change trades speed or GPUs for memory and leaves what is computed alone; only where nothing else
fits are the layers of one process computed in bfloat16.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from reasonrl.planning.gpus import Gpu
from reasonrl.planning.layout import EngineLayout
from reasonrl.planning.learner import learner_memory
from reasonrl.planning.memory import stage_memory
from reasonrl.planning.parts import context_tokens
from reasonrl.planning.sampler import module_memory
from reasonrl.planning.shapes import ModelShape
from reasonrl.planning.state import with_moments_on_host
from reasonrl.recipe import Settings

_BUDGET_STEP = 1_024  # tokens
_LARGEST_BUDGET = 1 << 20  # tokens
_LARGEST_ROWS = 1 << 14
_FACTORS = (1, 2, 4, 8, 16, 32)
_SHARES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def largest_token_budget(
    shape: ModelShape, layout: EngineLayout, stage: Settings, gpu: Gpu
) -> int | None:
    """Return the largest token budget that fits, a multiple of 1,024, or None if none does."""

    def fits(steps: int) -> bool:
        tried = replace(layout, token_budget=steps * _BUDGET_STEP)
        return learner_memory(shape, tried, stage).total_bytes <= gpu.memory_bytes

    steps = _largest(fits, _LARGEST_BUDGET // _BUDGET_STEP)
    return steps * _BUDGET_STEP or None


def largest_rows(shape: ModelShape, layout: EngineLayout, stage: Settings, gpu: Gpu) -> int | None:
    """Return the most rows that one process can sample side by side, or None if it cannot one.

    It is at most the number of rollouts of a step.
    """

    def fits(rows: int) -> bool:
        tried = replace(layout, max_rows=rows)
        return module_memory(shape, tried, stage).total_bytes <= gpu.memory_bytes

    rollouts = stage.rollout.prompts_per_step * stage.rollout.group_size
    return _largest(fits, min(_LARGEST_ROWS, rollouts)) or None


def remedy(
    shape: ModelShape, layout: EngineLayout, stages: Sequence[Settings], gpu: Gpu
) -> EngineLayout | None:
    """Return the layout on which all stages fit; None if no tried layout does.

    It has the fewest GPUs, and among layouts of as many GPUs the fewest changes.
    """
    if layout.is_one_process:
        tries = _in_one_process(shape, layout, stages, gpu)
    else:
        longest = max(context_tokens(layout, stage) for stage in stages)
        tries = _on_a_cluster(shape, layout, longest)
    for tried in tries:
        if all(stage_memory(shape, tried, stage, gpu).fits for stage in stages):
            return tried
    return None


def differences(before: EngineLayout, after: EngineLayout) -> list[str]:
    """Return the changes as values of `--set`."""
    is_moved = before.training.host_bytes, after.training.host_bytes
    pairs: tuple[tuple[str, object, object], ...] = (
        ("token_budget", before.token_budget, after.token_budget),
        ("recompute", before.recompute, after.recompute),
        ("compute", before.compute, after.compute),
        ("max_rows", before.max_rows, after.max_rows),
        ("offload", before.offloads, after.offloads),
        ("learner.ranks", before.ranks, after.ranks),
        ("learner.sequence_parallel", before.sequence_parallel, after.sequence_parallel),
        ("rollout.replicas", before.replicas, after.replicas),
        ("rollout.tensor_parallel", before.tensor_parallel, after.tensor_parallel),
        ("rollout.memory_share", before.memory_share, after.memory_share),
    )
    changes = [f"engine.{key}={str(new).lower()}" for key, old, new in pairs if old != new]
    return changes + ["optimizer.offload=true"] * (is_moved[0] != is_moved[1])


def _largest(fits: Callable[[int], bool], high: int) -> int:
    """Return the largest number up to `high` that fits, 0 if 1 does not. More never fits better."""
    low = 0
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low


def _in_one_process(
    shape: ModelShape, layout: EngineLayout, stages: Sequence[Settings], gpu: Gpu
) -> Iterator[EngineLayout]:
    """Yield layouts that might fit, first the ones with few changes, last those in bfloat16.

    The sampler is changed so that it fits as well as it can, and so is the budget. Moments on the
    host cost time and change no number.
    """
    narrow = in_bfloat16(layout) if gpu.has_bfloat16 and not layout.is_bfloat16 else None
    for typed in filter(None, (layout, narrow)):
        on_host = replace(typed, training=with_moments_on_host(typed.training))
        for kept in (typed, on_host):
            for recompute in sorted({layout.recompute, True}):
                tried = replace(kept, recompute=recompute)
                for sampling in _samplers(shape, tried, stages, gpu):
                    yield sampling
                    yield _with_largest_budget(shape, sampling, stages, gpu)


def in_bfloat16(layout: EngineLayout) -> EngineLayout:
    """Return the layout whose layers compute in bfloat16, frozen layers stored so."""
    adapters = layout.training.adapters
    if adapters is not None:
        adapters = replace(adapters, layer_bytes=min(2, adapters.layer_bytes))
    return replace(layout, is_bfloat16=True, training=replace(layout.training, adapters=adapters))


def _with_largest_budget(
    shape: ModelShape, layout: EngineLayout, stages: Sequence[Settings], gpu: Gpu
) -> EngineLayout:
    """Return the layout with the largest budget that fits in all stages, at most its own."""
    budgets = [largest_token_budget(shape, layout, stage, gpu) or 1 for stage in stages]
    return replace(layout, token_budget=min(layout.token_budget, *budgets))


def _samplers(
    shape: ModelShape, layout: EngineLayout, stages: Sequence[Settings], gpu: Gpu
) -> Iterator[EngineLayout]:
    """Yield the layout, and then layouts whose sampler takes less memory.

    A vLLM engine takes its share however many rows there are: the learner leaves the GPU to it, and
    a share that holds no rollout grows.
    """
    yield layout
    if not layout.samples_with_vllm:
        rows = [largest_rows(shape, layout, stage, gpu) or 1 for stage in stages]
        yield replace(layout, max_rows=min(layout.max_rows, *rows))
        return
    yield replace(layout, offloads=True)
    for offloads in sorted({layout.offloads, True}):
        for share in _SHARES:
            if share > layout.memory_share:
                yield replace(layout, offloads=offloads, memory_share=share)


def _on_a_cluster(shape: ModelShape, layout: EngineLayout, longest: int) -> Iterator[EngineLayout]:
    """Yield layouts that might fit, first the ones with few GPUs and few changes.

    Sequence and tensor parallelism must divide the attention heads. A changed budget is that of
    one row, `longest` tokens.
    """
    options = itertools.product(_FACTORS, _FACTORS[:4], _FACTORS[:4], (True, False), (True, False))
    for growth, sp, tp, keep_recompute, keep_budget in sorted(options, key=_cost):
        split = layout.sequence_parallel * sp
        tensor = layout.tensor_parallel * tp
        ranks, replicas = layout.ranks * growth, layout.replicas * growth
        if shape.heads % split or shape.heads % tensor or ranks % split or replicas % tp:
            continue
        budget = layout.token_budget if keep_budget else -(-longest // split)
        yield replace(
            layout,
            recompute=layout.recompute or not keep_recompute,
            token_budget=min(layout.token_budget, budget),
            ranks=ranks,
            sequence_parallel=split,
            replicas=replicas // tp,
            tensor_parallel=tensor,
        )


def _cost(option: tuple[int, int, int, bool, bool]) -> tuple[int, int, int]:
    """Return the sort key of an option: its GPUs, the number of changes and their size."""
    growth, sp, tp, keep_recompute, keep_budget = option
    changes = (sp > 1) + (tp > 1) + (not keep_recompute) + (not keep_budget)
    return growth, changes, sp * tp
