"""From selected groups to the batches of one step's updates.

Whole groups only. The order of tokens is group by group, rollout by rollout; every flat array
(axis N) follows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from reasonrl.algo.select import SelectedGroup
from reasonrl.engines.protocols import TrainBatch, TrainGroup
from reasonrl.types import Logprobs


def build_batch(selected: Sequence[SelectedGroup]) -> TrainBatch:
    """Lay out kept groups as one batch, with the sampler's log-probabilities."""
    groups = tuple(
        TrainGroup(
            prompt=item.group.prompt,
            completions=tuple(rollout.completion.tokens for rollout in item.rollouts),
            advantages=item.advantages,
        )
        for item in selected
    )
    logprobs = [rollout.completion.logprobs for item in selected for rollout in item.rollouts]
    return TrainBatch(
        groups=groups,
        rollout_logprobs_N=np.concatenate(logprobs) if logprobs else np.zeros(0, np.float32),
    )


def split_minibatches(batch: TrainBatch, n: int) -> list[TrainBatch]:
    """Cut a batch between groups into at most n parts of nearly equal group counts.

    Each part is divided by its own token count in its update, never by a nominal size. With fewer
    groups than n there are fewer parts: a part is never empty.
    """
    n = min(n, len(batch.groups))
    borders = [round(part * len(batch.groups) / n) for part in range(n + 1)]
    ends = np.cumsum([0, *(sum(map(len, group.completions)) for group in batch.groups)])
    return [
        replace(
            batch,
            groups=batch.groups[first:last],
            rollout_logprobs_N=batch.rollout_logprobs_N[ends[first] : ends[last]],
            old_logprobs_N=_cut(batch.old_logprobs_N, ends[first], ends[last]),
            ref_logprobs_N=_cut(batch.ref_logprobs_N, ends[first], ends[last]),
            weights_N=_cut(batch.weights_N, ends[first], ends[last]),
            anchors_N=_cut(batch.anchors_N, ends[first], ends[last]),
        )
        for first, last in pairwise(borders)
    ]


def sampled_entropy(old_logprobs_N: Logprobs) -> float:
    """Return e_k = -mean(old_logprobs) over the kept rollouts' tokens, in nats; section 3.2.5.

    A Monte-Carlo estimate at the sampling temperature, like the released code's, but over all
    tokens of the step and not those of one rank.
    """
    return -float(old_logprobs_N.mean(dtype="float64"))


def _cut(values_N: Logprobs | None, start: int, end: int) -> Logprobs | None:
    return None if values_N is None else values_N[start:end]
