"""What the variants of the objective need: a choice among tokens, and other denominators or ratios.

The report's own recipe asks for none of it, and then nothing here is computed. The formulas are in
`algo.focus` and `algo.sequence`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from reasonrl.algo import focus, sequence
from reasonrl.algo.advantage import leave_one_out_advantages
from reasonrl.algo.choices import Surrogate
from reasonrl.algo.select import AdvantageFunction, SelectedGroup, select_group
from reasonrl.engines.protocols import LearnerEngine, TokenValue, TrainBatch
from reasonrl.recipe import ClipCov, Focus, HighEntropy, KlCov, RolloutConfig, UpdateConfig
from reasonrl.types import Group, Logprobs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenChoice:
    """What a focus decides for each trained token; None where it decides nothing."""

    weights_N: Logprobs | None = None
    anchors_N: Logprobs | None = None


def select(
    group: Group, update: UpdateConfig, given: Mapping[str, AdvantageFunction]
) -> SelectedGroup:
    """Return a group's advantages in the way that a stage asks for; `given` are a user's own."""
    own = given.get(update.advantage)
    if update.advantage == "rloo":
        own = partial(leave_one_out_advantages, rule=update.truncation)
    return select_group(group, update.truncation, is_scaled=update.scale_advantages, own=own)


def needs_old_logprobs(chosen: Focus | None) -> bool:
    """Return whether a focus needs the policy's log-probabilities before its first update."""
    return isinstance(chosen, ClipCov | KlCov)


def choose_tokens(
    chosen: Focus | None,
    batch: TrainBatch,
    old_logprobs_N: Logprobs | None,
    learner: LearnerEngine,
    *,
    temperature: float,
    seed: int,
) -> TokenChoice:
    """Choose among a step's tokens, before its first update.

    Raises ValueError when the focus needs `old_logprobs_N` and they are None.
    """
    match chosen:
        case None:
            return TokenChoice()
        case HighEntropy():
            entropies_N = learner.at_tokens(batch, TokenValue.ENTROPIES, temperature=temperature)
            kept_N = focus.high_entropy(entropies_N, share=chosen.share)
            return TokenChoice(weights_N=_float(kept_N))
    if old_logprobs_N is None:
        raise ValueError(f"{chosen.type} needs old_logprobs_N")
    advantages_N = _advantages(batch)
    if isinstance(chosen, KlCov):
        held_N = focus.kl_cov(old_logprobs_N, advantages_N, share=chosen.share)
        return TokenChoice(anchors_N=_float(held_N) * np.float32(chosen.coefficient))
    left_out_N = focus.clip_cov(
        old_logprobs_N,
        advantages_N,
        share=chosen.share,
        low=chosen.low,
        high=chosen.high,
        seed=seed,
    )
    return TokenChoice(weights_N=_float(~left_out_N))


def with_denominator(
    minibatch: TrainBatch, update: UpdateConfig, rollout: RolloutConfig
) -> TrainBatch:
    """Return a minibatch whose token mean is the mean that the objective asks for."""
    if update.average == "limit":
        share = sequence.per_max_new_tokens(minibatch.lengths, rollout.max_new_tokens)
        equal_N = np.full(minibatch.n_tokens, share, np.float32)
    elif update.surrogate is Surrogate.GSPO:
        equal_N = sequence.equal_rollouts(minibatch.lengths)
    else:
        return minibatch
    return replace(minibatch, weights_N=times(equal_N, minibatch.weights_N))


def with_rollout_ratios(
    minibatch: TrainBatch, learner: LearnerEngine, *, temperature: float, is_first: bool
) -> TrainBatch:
    """Return a minibatch whose old log-probabilities give each rollout one ratio (GSPO).

    The step's first update finds the policy as it sampled: its ratio is exactly 1, whatever
    rounding would leave.
    """
    if is_first or minibatch.old_logprobs_N is None:
        return replace(minibatch, old_logprobs_N=None)
    now_N = learner.at_tokens(minibatch, TokenValue.LOGPROBS, temperature=temperature)
    old_N = sequence.gspo_old_logprobs(now_N, minibatch.old_logprobs_N, minibatch.lengths)
    return replace(minibatch, old_logprobs_N=old_N)


def times(weights_N: Logprobs | None, others_N: Logprobs | None) -> Logprobs | None:
    """Return the product of two arrays of token weights; None is 1 for all tokens."""
    if weights_N is None or others_N is None:
        return others_N if weights_N is None else weights_N
    product_N: Logprobs = weights_N * others_N
    return product_N


def _advantages(batch: TrainBatch) -> Logprobs:
    """Return each trained token's advantage, [N]."""
    advantages = [advantage for group in batch.groups for advantage in group.advantages]
    return np.repeat(advantages, batch.lengths).astype(np.float32)


def _float(mask_N: focus.Mask) -> Logprobs:
    return mask_N.astype(np.float32)
