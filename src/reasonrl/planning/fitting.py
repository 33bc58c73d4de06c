"""The largest microbatch that fits, and the smallest change of the layout with which stages fit.

Both are found by trying: every change is applied to the layout and the memory computed again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from reasonrl.planning.gpus import Gpu
from reasonrl.planning.layout import EngineLayout
from reasonrl.planning.memory import stage_memory
from reasonrl.planning.parts import context_tokens
from reasonrl.planning.shapes import ModelShape
from reasonrl.recipe import Settings

_BUDGET_STEP = 1_024  # tokens
_LARGEST_BUDGET = 1 << 20  # tokens
_FACTORS = (1, 2, 4, 8, 16, 32)


def largest_token_budget(
    shape: ModelShape, layout: EngineLayout, stage: Settings, gpu: Gpu
) -> int | None:
    """Return the largest token budget that fits, a multiple of 1,024, or None if none does."""
    low, high = 0, _LARGEST_BUDGET // _BUDGET_STEP
    while low < high:
        middle = (low + high + 1) // 2
        tried = replace(layout, token_budget=middle * _BUDGET_STEP)
        if stage_memory(shape, tried, stage, gpu).fits:
            low = middle
        else:
            high = middle - 1
    return low * _BUDGET_STEP or None


def remedy(
    shape: ModelShape, layout: EngineLayout, stages: Sequence[Settings], gpu: Gpu
) -> EngineLayout | None:
    """Return the layout on which all stages fit; None if no tried layout does.

    It has the fewest GPUs, and among layouts of as many GPUs the fewest changes.
    """
    longest = max(context_tokens(layout, stage) for stage in stages)
    for tried in _changed(shape, layout, longest):
        if all(stage_memory(shape, tried, stage, gpu).fits for stage in stages):
            return tried
    return None


def differences(before: EngineLayout, after: EngineLayout) -> list[str]:
    """Return the changes as values of `--set`."""
    pairs = (
        ("token_budget", before.token_budget, after.token_budget),
        ("recompute", before.recompute, after.recompute),
        ("learner.ranks", before.ranks, after.ranks),
        ("learner.sequence_parallel", before.sequence_parallel, after.sequence_parallel),
        ("rollout.replicas", before.replicas, after.replicas),
        ("rollout.tensor_parallel", before.tensor_parallel, after.tensor_parallel),
    )
    return [f"engine.{key}={str(new).lower()}" for key, old, new in pairs if old != new]


def _changed(shape: ModelShape, layout: EngineLayout, longest: int) -> Iterator[EngineLayout]:
    """Yield layouts that might fit, first the ones with few GPUs and few changes.

    Sequence and tensor parallelism must divide the attention heads. A changed budget is that of
    one row, `longest` tokens.
    """
    if layout.is_one_process:
        for recompute in sorted({layout.recompute, True}):
            yield replace(layout, recompute=recompute)
            yield replace(
                layout, recompute=recompute, token_budget=min(longest, layout.token_budget)
            )
        return
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
