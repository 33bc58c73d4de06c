"""The numbers of one step, as declared in docs/metrics.md. Pure: groups and stats in, a row out.

Everything about rollouts is taken before any filter; everything about tokens is a sum over the
whole step divided once, so no layout of microbatches or minibatches shows in a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import fsum

import numpy as np

from reasonrl.algo.select import SelectedGroup, Signal
from reasonrl.engines.protocols import TrainBatch, UpdateStats
from reasonrl.types import Group

Row = dict[str, float | int | str | bool | None]


def rollout_metrics(groups: Sequence[Group]) -> Row:
    """Describe all sampled rollouts of a step."""
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    judged = [r for r in rollouts if r.verdict.reward is not None]
    finished = [r for r in judged if not r.completion.is_truncated]
    lengths = [len(r.completion.tokens) for r in rollouts]
    return {
        "reward/mean": _mean([r.verdict.reward or 0.0 for r in judged]),
        "accuracy/all": _mean([float(r.verdict.reward == 1.0) for r in judged]),
        "accuracy/finished": _mean([float(r.verdict.reward == 1.0) for r in finished]),
        "rollout/sampled": len(rollouts),
        "rollout/truncated_share": _mean([float(r.completion.is_truncated) for r in rollouts]),
        "rollout/mean_tokens": _mean(lengths),
        "rollout/max_tokens": max(lengths),
        "rollout/failed": len(rollouts) - len(judged),
    }


def selection_metrics(selected: Sequence[SelectedGroup]) -> Row:
    """Count groups by signal and rollouts by fate: sampled = trained + masked + zero + failed."""
    groups = Counter(item.signal for item in selected)
    kept = [item for item in selected if item.signal is Signal.KEPT]
    dropped = [item for item in selected if item.signal is not Signal.KEPT]
    masked = sum(sum(item.masked) for item in kept)
    return {
        **{f"groups/{signal}": groups[signal] for signal in Signal},
        "rollout/trained": sum(len(item.rollouts) for item in kept) - masked,
        "rollout/masked": masked,
        "rollout/zero_signal": sum(len(item.rollouts) for item in dropped),
    }


def update_metrics(batch: TrainBatch, updates: Sequence[UpdateStats]) -> Row:
    """Describe what the updates of a step did; None where a step had none."""
    if not updates or batch.old_logprobs_N is None:
        return dict.fromkeys(
            (
                "entropy/full_nats", "update/policy", "update/kl", "update/ratio_mean",
                "update/clipped_share", "update/gradient_norm", "update/gap_mean",
                "update/gap_max", "update/tokens", "update/microbatches",
            )
        ) | {"update/n": 0}  # fmt: skip
    tokens = sum(stats.n_tokens for stats in updates)
    gap_N = np.abs(batch.rollout_logprobs_N - batch.old_logprobs_N)
    return {
        "entropy/full_nats": fsum(s.entropy_sum_nats for s in updates) / tokens,
        "update/policy": fsum(s.policy_sum for s in updates) / tokens,
        "update/kl": fsum(s.kl_sum for s in updates) / tokens,
        "update/ratio_mean": fsum(s.ratio_sum for s in updates) / tokens,
        "update/clipped_share": fsum(s.clipped_sum for s in updates) / tokens,
        "update/gradient_norm": fsum(s.gradient_norm for s in updates) / len(updates),
        "update/gap_mean": float(gap_N.mean(dtype=np.float64)),
        "update/gap_max": float(gap_N.max()),
        "update/tokens": batch.n_tokens,
        "update/microbatches": sum(s.n_microbatches for s in updates),
        "update/n": len(updates),
    }


def _mean(values: Sequence[float]) -> float | None:
    return fsum(values) / len(values) if values else None
