"""Plans of engines on a cluster of CPUs, and the actors that a process has started."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

from reasonrl.launch.actors import Workload
from reasonrl.recipe import (
    LearnerRanks,
    LoraConfig,
    OptimizerConfig,
    RayEngineConfig,
    RolloutReplicas,
)

SILENCE_S = 180.0  # a slow machine takes a minute to import vLLM


def cluster_layout(
    model: Path,
    *,
    rollout: str = "local",
    replicas: int = 1,
    ranks: int = 1,
    sequence_parallel: int = 1,
    keep_reference: bool = False,
    timeout_s: float = SILENCE_S,
    rank_timeout_s: float = SILENCE_S,
    lora: LoraConfig | None = None,
    **engine: object,
) -> tuple[RayEngineConfig, Workload]:
    """Small budgets, so that a small batch is cut into several microbatches."""
    given = {"threads": 1, "token_budget": 80, "max_rows": 64, **engine}
    settings = RayEngineConfig(
        rollout=RolloutReplicas(type=rollout, replicas=replicas, timeout_s=timeout_s),
        learner=LearnerRanks(
            ranks=ranks, sequence_parallel=sequence_parallel, timeout_s=rank_timeout_s
        ),
        **given,
    )
    workload = Workload(
        model=str(model),
        seed=0,
        optimizer=OptimizerConfig(),
        context_tokens=400,
        keep_reference=keep_reference,
        lora=lora,
    )
    return settings, workload


def actors_below(process: psutil.Process, kind: str) -> list[psutil.Process]:
    """The processes of one kind of actor that a process or its cluster has started."""
    actors = []
    for child in process.children(recursive=True):
        # A child that has just ended raises.
        with suppress(psutil.Error):
            if f"ray::{kind}" in " ".join(child.cmdline()):
                actors.append(child)
    return actors
