"""What the variants of the objective add to a batch: token weights, anchors, rollout ratios.

The report's own recipe asks for none of it, and then nothing here is computed. Called by
`learning`; the formulas are in `algo.focus` and `algo.sequence`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reasonrl.algo import focus, sequence
from reasonrl.engines.protocols import LearnerEngine, TrainBatch
from reasonrl.recipe import ClipCov, HighEntropy, KlCov, RolloutConfig, UpdateConfig
from reasonrl.types import Logprobs, Surrogate


def needs_old_logprobs(update: UpdateConfig) -> bool:
    """Say whether the objective needs the policy's log-probabilities before its first update."""
    return isinstance(update.focus, ClipCov | KlCov)


def with_focus(
    batch: TrainBatch,
    update: UpdateConfig,
    learner: LearnerEngine,
    *,
    temperature: float,
    seed: int,
) -> TrainBatch:
    """Choose among a step's tokens, before its first update."""
    chosen = update.focus
    if chosen is None:
        return batch
    if isinstance(chosen, HighEntropy):
        entropies_N = learner.entropies(batch, temperature=temperature)
        return _weighted(batch, _float(focus.high_entropy(entropies_N, share=chosen.share)))
    assert batch.old_logprobs_N is not None  # noqa: S101  (needs_old_logprobs)
    old_N, advantages_N = batch.old_logprobs_N, _advantages(batch)
    if isinstance(chosen, KlCov):
        held_N = focus.kl_cov(old_N, advantages_N, share=chosen.share)
        return replace(batch, anchors_N=_float(held_N) * np.float32(chosen.coefficient))
    left_out_N = focus.clip_cov(
        old_N, advantages_N, share=chosen.share, low=chosen.low, high=chosen.high, seed=seed
    )
    return _weighted(batch, _float(~left_out_N))


def for_update(
    minibatch: TrainBatch,
    update: UpdateConfig,
    rollout: RolloutConfig,
    learner: LearnerEngine,
    *,
    is_first: bool,
) -> TrainBatch:
    """Prepare a minibatch for one update; the step's first finds the policy as it sampled."""
    if update.average == "limit":
        share = sequence.per_max_new_tokens(minibatch.lengths, rollout.max_new_tokens)
        return _weighted(minibatch, np.full(minibatch.n_tokens, share, np.float32))
    if update.surrogate is Surrogate.GSPO:
        return _with_rollout_ratios(minibatch, learner, rollout.temperature, is_first=is_first)
    return minibatch


def _with_rollout_ratios(
    minibatch: TrainBatch, learner: LearnerEngine, temperature: float, *, is_first: bool
) -> TrainBatch:
    minibatch = _weighted(minibatch, sequence.equal_rollouts(minibatch.lengths))
    if is_first or minibatch.old_logprobs_N is None:  # exactly 1, whatever rounding would leave
        return replace(minibatch, old_logprobs_N=None)
    now_N = learner.logprobs(minibatch, temperature=temperature)
    old_N = sequence.gspo_old_logprobs(now_N, minibatch.old_logprobs_N, minibatch.lengths)
    return replace(minibatch, old_logprobs_N=old_N)


def _weighted(batch: TrainBatch, weights_N: Logprobs) -> TrainBatch:
    if batch.weights_N is not None:
        weights_N = weights_N * batch.weights_N
    return replace(batch, weights_N=weights_N)


def _advantages(batch: TrainBatch) -> Logprobs:
    """Return each trained token's advantage, [N]."""
    rollouts = [one for group in batch.groups for one in group.advantages]
    return np.repeat(rollouts, batch.lengths).astype(np.float32)


def _float(mask_N: focus.Mask) -> Logprobs:
    return mask_N.astype(np.float32)
