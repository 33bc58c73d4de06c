"""Plans of engines on a cluster of CPUs, and the recipe that trains on one."""

from __future__ import annotations

from pathlib import Path

from reasonrl.config import EngineConfig, LearnerRanks, OptimizerConfig, RolloutReplicas
from reasonrl.launch.engines import Plan

SILENCE_S = 60.0


def cluster_plan(
    model: Path,
    *,
    rollout: str = "local",
    replicas: int = 1,
    ranks: int = 1,
    sequence_parallel: int = 1,
    keep_reference: bool = False,
    timeout_s: float = SILENCE_S,
    **engine: object,
) -> Plan:
    """Small budgets, so that a small batch is cut into several microbatches."""
    given = {"threads": 1, "token_budget": 80, "max_rows": 64, **engine}
    return Plan(
        engine=EngineConfig(
            type="ray",
            rollout=RolloutReplicas(type=rollout, replicas=replicas, timeout_s=timeout_s),
            learner=LearnerRanks(
                ranks=ranks, sequence_parallel=sequence_parallel, timeout_s=SILENCE_S
            ),
            **given,
        ),
        optimizer=OptimizerConfig(),
        model=str(model),
        seed=0,
        context=400,
        keep_reference=keep_reference,
    )
