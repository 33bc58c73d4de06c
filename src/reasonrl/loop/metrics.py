"""The numbers of one step, as declared in docs/metrics.md. Pure: groups and stats in, a row out.

Numbers about rollouts are taken before any filter. Numbers about tokens are sums over the whole
step, divided once, so they do not depend on the layout of microbatches or minibatches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import fsum
from statistics import pstdev

import numpy as np

from reasonrl.algo.entropy import EntropyState
from reasonrl.algo.select import SelectedGroup, Signal
from reasonrl.engines.protocols import router_row
from reasonrl.loop.learn import Learned
from reasonrl.types import Group, Rollout, Row


def rollout_metrics(groups: Sequence[Group]) -> Row:
    """Return the metrics of all sampled rollouts of a step."""
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    rewards = [r.reward for r in rollouts if r.reward is not None]
    verified = [(r, float(r.is_right)) for r in rollouts if r.is_right is not None]
    lengths = [len(r.completion.tokens) for r in rollouts]
    return {
        "reward/mean": _mean(rewards),
        **component_metrics(rollouts),
        "accuracy/all": _mean([right for _, right in verified]),
        "accuracy/finished": _mean(
            [right for r, right in verified if not r.completion.is_truncated]
        ),
        "rollout/sampled": len(rollouts),
        "rollout/truncated_share": _mean([float(r.completion.is_truncated) for r in rollouts]),
        "rollout/mean_tokens": _mean(lengths),
        "rollout/max_tokens": max(lengths),
        "rollout/failed": len(rollouts) - len(rewards),
        "rollout/same_share": _share_of_commonest(rollouts),
        "rollout/open_thought_share": _mean([float(r.thought_is_open) for r in rollouts]),
        "rollout/run_on_share": _mean([float(r.runs_on) for r in rollouts]),
        **status_metrics(rollouts),
        "time/verdict_s": _mean([r.verdict.wall_s for r in rollouts if r.verdict]),
    }


def _share_of_commonest(rollouts: Sequence[Rollout]) -> float:
    """Return the share of rollouts that have the text that most rollouts have."""
    [(_, count)] = Counter(rollout.text for rollout in rollouts).most_common(1)
    return count / len(rollouts)


def status_metrics(rollouts: Sequence[Rollout]) -> Row:
    """Count rollouts by the status of their verdict; a status that no verdict has gets no key."""
    counts = Counter(str(rollout.verdict.status) for rollout in rollouts if rollout.verdict)
    return {f"verify/status/{status}": counts[status] for status in sorted(counts)}


def component_metrics(rollouts: Sequence[Rollout]) -> Row:
    """Return mean, standard deviation and number of missing values of each reward component."""
    row: Row = {}
    for name in rollouts[0].scores or () if rollouts else ():
        scores = [rollout.scores[name].value for rollout in rollouts if rollout.scores]
        values = [value for value in scores if value is not None]
        row[f"reward/{name}/mean"] = _mean(values)
        row[f"reward/{name}/std"] = pstdev(values) if values else None
        row[f"reward/{name}/masked"] = len(scores) - len(values)
    return row


def source_metrics(groups: Sequence[Group], labels: Sequence[str]) -> Row:
    """Return accuracy, mean reward and rollouts of each source, where there are several."""
    row: Row = {}
    for part, label in enumerate(labels if len(labels) > 1 else ()):
        own = [one for group in groups if group.problem.part == part for one in group.rollouts]
        row[f"source/{label}/rollouts"] = len(own)
        row[f"source/{label}/accuracy"] = _mean(
            [float(one.is_right) for one in own if one.is_right is not None]
        )
        row[f"source/{label}/reward"] = _mean([one.reward for one in own if one.reward is not None])
    return row


def selection_metrics(selected: Sequence[SelectedGroup]) -> Row:
    """Count groups by signal, and rollouts: sampled = trained + masked + zero-signal + failed."""
    groups = Counter(item.signal for item in selected)
    kept = [item for item in selected if item.signal is Signal.KEPT]
    dropped = [item for item in selected if item.signal is not Signal.KEPT]
    masked = sum(sum(item.masked) for item in kept)
    return {
        **{f"groups/{signal}": groups[signal] for signal in Signal},
        "rollout/trained": sum(len(item.rollouts) for item in kept) - masked,
        "rollout/masked": masked,
        "rollout/zero_signal": sum(len(item.rollouts) for item in dropped),
        "advantage/right_minus_wrong": _mean(_advantages_apart(kept)),
    }


def _advantages_apart(kept: Sequence[SelectedGroup]) -> list[float]:
    """Return, for each group with right and wrong rollouts, the distance of their advantages."""
    apart = []
    for item in kept:
        known = [
            (rollout.is_right, advantage)
            for rollout, advantage, is_masked in zip(
                item.rollouts, item.advantages, item.masked, strict=True
            )
            if not is_masked and rollout.is_right is not None
        ]
        right, wrong = ([a for is_right, a in known if is_right is side] for side in (True, False))
        if right and wrong:
            apart.append(fsum(right) / len(right) - fsum(wrong) / len(wrong))
    return apart


def update_metrics(learned: Learned | None) -> Row:
    """Return the metrics of a step's updates; all None when the step had no update."""
    updates = [] if learned is None else learned.updates
    tokens = sum(stats.n_tokens for stats in updates)
    batch = None if learned is None else learned.batch
    gap_N = None if learned is None else learned.gap_N
    weights_N = None if batch is None else batch.weights_N

    def per_token(sums: Iterable[float]) -> float | None:
        return fsum(sums) / tokens if tokens else None

    return {
        "entropy/full_nats": per_token(s.entropy_sum_nats for s in updates),
        "update/policy": per_token(s.policy_sum for s in updates),
        "update/kl": per_token(s.kl_sum for s in updates),
        "update/ratio_mean": per_token(s.ratio_sum for s in updates),
        "update/clipped_share": per_token(s.clipped_sum for s in updates),
        "update/gradient_norm": _mean([s.gradient_norm for s in updates]),
        "update/gap_mean": None if gap_N is None else float(gap_N.mean(dtype=np.float64)),
        "update/gap_max": None if gap_N is None else float(gap_N.max()),
        "update/weight_mean": None if weights_N is None else float(weights_N.mean()),
        "update/tokens": None if batch is None else batch.n_tokens,
        "update/microbatches": sum(s.n_microbatches for s in updates) or None,
        "update/n": len(updates),
        "update/learning_rate": None if learned is None else learned.learning_rate,
        **router_row([stats.routers for stats in updates if stats.routers]),
    }


def control_metrics(learned: Learned | None, alpha: float | None, state: EntropyState) -> Row:
    """Return the entropy controller's metrics: alpha_k of this step, c_k for the next step."""
    return {
        "entropy/nats": None if learned is None else learned.entropy_nats,
        "entropy/alpha": alpha,
        "entropy/c": state.c,
        "entropy/gate_open": state.is_open,
    }


def staleness_metrics(kept: Sequence[SelectedGroup], version: int) -> Row:
    """Count the updates between the policy that sampled each trained token and `version`."""
    completions = [rollout.completion for item in kept for rollout in item.rollouts]
    behind = [np.asarray(version) - completion.versions() for completion in completions]
    return {
        "stale/mean_updates": float(np.concatenate(behind).mean()) if behind else None,
        "stale/max_updates": max((int(updates.max()) for updates in behind), default=None),
    }


def _mean(values: Sequence[float]) -> float | None:
    return fsum(values) / len(values) if values else None
