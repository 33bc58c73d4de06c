"""The second half of a step: updates on the groups with a signal, and the entropy controller.

Section 3.1 of the report, from eq. 3.1 to eq. 3.2, for whichever loop sampled the groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reasonrl.algo import entropy
from reasonrl.algo.correction import importance_weights
from reasonrl.algo.entropy import EntropyState
from reasonrl.algo.loss import Objective
from reasonrl.algo.select import SelectedGroup
from reasonrl.engines.protocols import LearnerEngine, RolloutEngine, TrainBatch, UpdateStats
from reasonrl.engines.sync import Audit, push_weights
from reasonrl.loop.batch import build_batch, sampled_entropy, split_minibatches
from reasonrl.loop.state import TrainState, entropy_control
from reasonrl.loop.variants import for_update, needs_old_logprobs, with_focus
from reasonrl.recipe import PipelineConfig, Stage
from reasonrl.types import EntropyMode, Phase, Row

_GATED_NOW = (EntropyMode.REPORT, EntropyMode.RELATIVE)
"""Modes whose weight depends on this step's entropy."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """Hold a step's batch as it was trained on, what its updates did, and the controller's row."""

    batch: TrainBatch
    updates: list[UpdateStats]
    control: Row


def learn(
    engine: RolloutEngine,
    learner: LearnerEngine,
    stage: Stage,
    state: TrainState,
    kept: Sequence[SelectedGroup],
    *,
    seed: int,
    pipeline: PipelineConfig | None,
    audit: Audit | None,
    phase: Phase,
) -> Learned:
    """Run the step's N_SGD updates and the entropy controller; nothing without a signal.

    Changes `state`: controller and version. `pipeline` asks for importance correction; `seed`
    draws what a choice among tokens leaves to chance.
    """
    control = entropy_control(stage.entropy)
    before = state.entropy
    batch = build_batch(kept)
    if not kept:
        return Learned(batch=batch, updates=[], control=_row(None, None, before, None))
    batch = _with_logprobs(batch, learner, stage, pipeline)
    batch = with_focus(
        batch, stage.update, learner, temperature=stage.rollout.temperature, seed=seed
    )
    alpha = entropy.alpha(control, before, sampled_entropy(batch))
    updates = _update(batch, learner, stage, alpha, phase)
    if batch.old_logprobs_N is None:  # on-policy: the update's own forward pass
        batch = replace(batch, old_logprobs_N=updates[0].logprobs_N)
    entropy_nats = sampled_entropy(batch)
    assert entropy_nats is not None  # noqa: S101  (old_logprobs are known by now)
    after = entropy.adapt(control, before, entropy_nats)
    state.entropy = after
    state.version += len(updates)
    gap_nats = push_weights(engine, learner, version=state.version, batch=batch, audit=audit)
    row = _row(entropy_nats, alpha, after, gap_nats)
    return Learned(batch=batch, updates=updates, control=row)


def _with_logprobs(
    batch: TrainBatch, learner: LearnerEngine, stage: Stage, pipeline: PipelineConfig | None
) -> TrainBatch:
    """Add what must be known before the first update: reference, old log-probabilities, weights."""
    temperature, update = stage.rollout.temperature, stage.update
    if update.kl_coefficient:
        reference = learner.reference_logprobs(batch, temperature=temperature)
        batch = replace(batch, ref_logprobs_N=reference)
    is_on_policy = update.minibatches * update.reuse == 1 and pipeline is None
    is_asked_for = stage.entropy.mode in _GATED_NOW or needs_old_logprobs(update)
    if is_asked_for or not is_on_policy:
        old = learner.logprobs(batch, temperature=temperature)
        batch = replace(batch, old_logprobs_N=old)
    if pipeline is not None:
        assert batch.old_logprobs_N is not None  # noqa: S101
        weights = importance_weights(
            pipeline.correction,
            old_logprobs_N=batch.old_logprobs_N,
            rollout_logprobs_N=batch.rollout_logprobs_N,
            lengths=batch.lengths,
            cap=pipeline.cap,
        )
        batch = replace(batch, weights_N=weights)
    return batch


def _update(
    batch: TrainBatch, learner: LearnerEngine, stage: Stage, alpha: float, phase: Phase
) -> list[UpdateStats]:
    update = stage.update
    objective = Objective(
        clip_low=update.clip_low,
        clip_high=update.clip_high,
        entropy_coefficient=alpha,
        kl_coefficient=update.kl_coefficient,
        temperature=stage.rollout.temperature,
        surrogate=update.surrogate,
    )
    minibatches = split_minibatches(batch, update.minibatches)
    with phase("update", batch.n_rollouts * update.reuse) as progress:
        return [
            learner.update(
                for_update(minibatch, update, stage.rollout, learner, is_first=number == 0),
                objective,
                learning_rate=update.learning_rate,
                progress=progress,
            )
            for number, minibatch in enumerate(minibatches * update.reuse)
        ]


def _row(
    entropy_nats: float | None, alpha: float | None, after: EntropyState, gap_nats: float | None
) -> Row:
    return {
        "entropy/nats": entropy_nats,
        "entropy/coefficient": alpha,
        "entropy/controller": after.c,
        "entropy/gate_open": after.is_open,
        "sync/gap_nats": gap_nats,
    }
