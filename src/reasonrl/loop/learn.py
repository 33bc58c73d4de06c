"""The half of a step that learns: what the updates are given, and the updates.

Section 3.1 of the report, for whichever loop sampled the groups. The batch is built once, before
the first update; afterwards only GSPO's ratios change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from reasonrl.algo.choices import EntropyMode, Surrogate
from reasonrl.algo.correction import importance_weights
from reasonrl.algo.loss import Objective
from reasonrl.algo.select import SelectedGroup
from reasonrl.engines.protocols import (
    LearnerEngine,
    TokenRecord,
    TokenValue,
    TrainBatch,
    UpdateStats,
)
from reasonrl.errors import NotFiniteError
from reasonrl.loop.batch import build_batch, sampled_entropy, split_minibatches
from reasonrl.loop.variants import (
    choose_tokens,
    needs_old_logprobs,
    times,
    with_denominator,
    with_rollout_ratios,
)
from reasonrl.recipe import PipelineConfig, Stage
from reasonrl.types import Logprobs, Phase

_GATED_NOW = (EntropyMode.REPORT, EntropyMode.RELATIVE)
"""Modes whose weight depends on this step's entropy, before the update."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """What a step's updates did. `old_logprobs_N` are the policy's before the first of them."""

    batch: TrainBatch
    updates: list[UpdateStats]
    old_logprobs_N: Logprobs
    learning_rate: float

    @property
    def entropy_nats(self) -> float:
        """Return e_k, the entropy of the policy that the updates found."""
        return sampled_entropy(self.old_logprobs_N)

    @property
    def entropies_N(self) -> Logprobs:
        """Return the entropy at each token in the pass over the batch that came first, [N]."""
        n_first = np.cumsum([stats.n_tokens for stats in self.updates]) <= self.batch.n_tokens
        return np.concatenate([s.entropies_N for s in self.updates[: int(n_first.sum())]])

    @property
    def gap_N(self) -> Logprobs:
        """Return the distance of the sampler's log-probabilities from the learner's, [N]."""
        distance_N: Logprobs = np.abs(self.batch.rollout_logprobs_N - self.old_logprobs_N)
        return distance_N


def prepare(
    kept: Sequence[SelectedGroup],
    learner: LearnerEngine,
    stage: Stage,
    *,
    pipeline: PipelineConfig | None,
    seed: int,
) -> TrainBatch:
    """Return a step's batch with all that must be known before the first update.

    `old_logprobs_N` stay None on-policy, where the update's own forward pass gives them and the
    ratio is exactly 1. `pipeline` asks for importance weights; `seed` draws what a choice among
    tokens leaves to chance.
    """
    update, temperature = stage.update, stage.rollout.temperature
    batch = build_batch(kept)
    ref_N = old_N = weights_N = None
    if update.kl_coefficient:
        ref_N = learner.at_tokens(batch, TokenValue.REFERENCE_LOGPROBS, temperature=temperature)
    if _asks_for_old_logprobs(stage) or not _is_on_policy(stage, pipeline):
        old_N = learner.at_tokens(batch, TokenValue.LOGPROBS, temperature=temperature)
        if not np.isfinite(old_N).all():
            raise NotFiniteError("the policy's log-probabilities are not finite numbers")
    if pipeline is not None and old_N is not None:
        weights_N = importance_weights(
            pipeline.correction,
            old_logprobs_N=old_N,
            rollout_logprobs_N=batch.rollout_logprobs_N,
            lengths=batch.lengths,
            cap=pipeline.cap,
        )
    choice = choose_tokens(update.focus, batch, old_N, learner, temperature=temperature, seed=seed)
    return replace(
        batch,
        old_logprobs_N=old_N,
        ref_logprobs_N=ref_N,
        weights_N=times(choice.weights_N, weights_N),
        anchors_N=choice.anchors_N,
    )


def known_entropy(batch: TrainBatch) -> float | None:
    """Return e_k where it is known before the updates, in nats; None on-policy."""
    return None if batch.old_logprobs_N is None else sampled_entropy(batch.old_logprobs_N)


def learn(
    batch: TrainBatch,
    learner: LearnerEngine,
    stage: Stage,
    *,
    alpha: float,
    step: int,
    phase: Phase,
) -> Learned:
    """Run the step's N_SGD = minibatches * reuse updates on its batch.

    `step` counts the stage's steps from 0; the learning rate follows from it.
    """
    update, temperature = stage.update, stage.rollout.temperature
    objective = Objective(
        clip_low=update.clip_low,
        clip_high=update.clip_high,
        entropy_coefficient=alpha,
        kl_coefficient=update.kl_coefficient,
        temperature=temperature,
        surrogate=update.surrogate,
        balances_routers=update.router_loss == "model",
    )
    minibatches = [
        with_denominator(minibatch, update, stage.rollout)
        for minibatch in split_minibatches(batch, update.minibatches)
    ]
    rate = stage.learning_rate_at(step)
    updates = []
    with phase("update", batch.n_rollouts * update.reuse) as progress:
        for number, minibatch in enumerate(minibatches * update.reuse):
            if update.surrogate is Surrogate.GSPO:
                minibatch = with_rollout_ratios(
                    minibatch, learner, temperature=temperature, is_first=number == 0
                )
            updates.append(
                learner.update(minibatch, objective, learning_rate=rate, progress=progress)
            )
    old_N = batch.old_logprobs_N
    return Learned(
        batch=batch,
        updates=updates,
        old_logprobs_N=updates[0].logprobs_N if old_N is None else old_N,
        learning_rate=rate,
    )


def token_record(kept: Sequence[SelectedGroup], learned: Learned) -> TokenRecord:
    """Return what the learner computed at the tokens of the kept groups."""
    return TokenRecord(
        rollout_ids=[rollout.id for item in kept for rollout in item.rollouts],
        lengths=learned.batch.lengths,
        old_logprobs_N=learned.old_logprobs_N,
        entropies_N=learned.entropies_N,
    )


def _is_on_policy(stage: Stage, pipeline: PipelineConfig | None) -> bool:
    """Return whether the step's only update finds the policy that sampled."""
    return stage.update.minibatches * stage.update.reuse == 1 and pipeline is None


def _asks_for_old_logprobs(stage: Stage) -> bool:
    return stage.entropy.mode in _GATED_NOW or needs_old_logprobs(stage.update.focus)
