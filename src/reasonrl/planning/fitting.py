"""What fits: the largest microbatch, and the smallest change that makes a stage fit.

Found by trying: every change is laid over the engine and the memory computed again. Called by
`plan`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from reasonrl.planning.gpus import Gpu
from reasonrl.planning.memory import longest_row, stage_memory
from reasonrl.planning.shapes import ModelShape
from reasonrl.recipe import EngineConfig, Settings

_STEP = 1_024  # of token budgets that are tried
_MOST = 1 << 20
_FACTORS = (1, 2, 4, 8, 16, 32)


def largest_token_budget(
    shape: ModelShape, engine: EngineConfig, stage: Settings, gpu: Gpu
) -> int | None:
    """Return the largest token budget that fits, a multiple of 1,024, or None if none does."""
    low, high = 0, _MOST // _STEP
    while low < high:
        middle = (low + high + 1) // 2
        tried = engine.model_copy(update={"token_budget": middle * _STEP})
        if stage_memory(shape, tried, stage, gpu).fits:
            low = middle
        else:
            high = middle - 1
    return low * _STEP or None


def remedy(
    shape: ModelShape, engine: EngineConfig, stages: Sequence[Settings], gpu: Gpu
) -> EngineConfig | None:
    """Return the engine with the fewest GPUs, then the fewest changes, on which all stages fit."""
    for tried in _changed(shape, engine, max(longest_row(engine, stage) for stage in stages)):
        if all(stage_memory(shape, tried, stage, gpu).fits for stage in stages):
            return tried
    return None


def differences(before: EngineConfig, after: EngineConfig) -> list[str]:
    """Return what was changed, as `--set` takes it."""
    pairs = (
        ("token_budget", before.token_budget, after.token_budget),
        ("recompute", before.recompute, after.recompute),
        ("learner.ranks", before.learner.ranks, after.learner.ranks),
        (
            "learner.sequence_parallel",
            before.learner.sequence_parallel,
            after.learner.sequence_parallel,
        ),
        ("rollout.replicas", before.rollout.replicas, after.rollout.replicas),
        (
            "rollout.tensor_parallel",
            before.rollout.tensor_parallel,
            after.rollout.tensor_parallel,
        ),
    )
    return [f"engine.{key}={str(new).lower()}" for key, old, new in pairs if old != new]


def _changed(shape: ModelShape, engine: EngineConfig, longest: int) -> Iterator[EngineConfig]:
    """Yield engines that might fit, those of few GPUs and few changes first.

    Sequence and tensor parallelism must divide the attention heads; a smaller budget means one row.
    """
    if engine.type == "local":
        for recompute in sorted({engine.recompute, True}):
            yield engine.model_copy(update={"recompute": recompute})
            yield engine.model_copy(
                update={"recompute": recompute, "token_budget": min(longest, engine.token_budget)}
            )
        return
    options = itertools.product(_FACTORS, _FACTORS[:4], _FACTORS[:4], (True, False), (True, False))
    for grown, sp, tp, keep_recompute, keep_budget in sorted(options, key=_cost):
        split = engine.learner.sequence_parallel * sp
        tensor = engine.rollout.tensor_parallel * tp
        ranks, replicas = engine.learner.ranks * grown, engine.rollout.replicas * grown
        if shape.heads % split or shape.heads % tensor or ranks % split or replicas % tp:
            continue
        budget = engine.token_budget if keep_budget else -(-longest // split)
        yield engine.model_copy(
            update={
                "recompute": engine.recompute or not keep_recompute,
                "token_budget": min(engine.token_budget, budget),
                "learner": engine.learner.model_copy(
                    update={"ranks": ranks, "sequence_parallel": split}
                ),
                "rollout": engine.rollout.model_copy(
                    update={"replicas": replicas // tp, "tensor_parallel": tensor}
                ),
            }
        )


def _cost(option: tuple[int, int, int, bool, bool]) -> tuple[int, int, int]:
    """Order options by GPUs, by how many things change, and by how much."""
    grown, sp, tp, keep_recompute, keep_budget = option
    changes = (sp > 1) + (tp > 1) + (not keep_recompute) + (not keep_budget)
    return grown, changes, sp * tp
