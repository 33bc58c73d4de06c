"""The sync: give the samplers the learner's weights, and check that they arrived.

A sampler with a stale or wrongly tied weight samples fluently and raises no error. So after a sync
the samplers read back what they compute with, and its checksums must be those of the learner's
weights. Then both sides score a few completions: equal weights in two models of different
mathematics are an error, too, and the distance is a metric of their numerics. Called by
`loop.trainer`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reasonrl.engines.checksums import differing
from reasonrl.engines.packing import batch_of_pairs, first_completions
from reasonrl.engines.protocols import LearnerEngine, RolloutEngine, TokenValue, TrainBatch
from reasonrl.engines.weights import Weights
from reasonrl.errors import EngineError

# Enough tokens to see a wrong weight, too few to cost noticeable time.
_COMPLETIONS, _TOKENS = 4, 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The largest distance that rounding explains: a bound of the mean over tokens, in nats.

    Measured between FSDP2 and vLLM on a CPU: up to 5e-6 in float32, 0.01 (the tiny model) to 0.04
    in bfloat16. The bound does not judge whether weights are new: weights that are old by one
    update at a rate of 1e-6 are 0.016 nats away in bfloat16, which rounding explains as well.
    """

    bound_nats: float


FLOAT32, BFLOAT16 = Audit(bound_nats=1e-3), Audit(bound_nats=0.15)


def push_weights(
    engine: RolloutEngine,
    learner: LearnerEngine,
    *,
    version: int,
    batch: TrainBatch,
    audit: Audit | None,
) -> float | None:
    """Give the samplers the policy; return the mean distance in nats, or None without an audit.

    The audit compares checksums of all weights, and scores completions of `batch`. Raises
    EngineError when a checksum differs, or the distance is above the bound.
    """
    if audit is None:
        engine.load_weights(learner.weights(), version=version)
        return None
    if batch.n_tokens == 0:
        _load(engine, learner.weights(), version=version)
        return None
    pairs = first_completions(batch, n=_COMPLETIONS, max_tokens=_TOKENS)
    # Ask the learner first: on shared GPUs it rests once the samplers have the weights.
    expected = learner.at_tokens(batch_of_pairs(pairs), TokenValue.LOGPROBS, temperature=1.0)
    _load(engine, learner.weights(), version=version)
    scores = np.concatenate(engine.score(pairs, temperature=1.0))
    distance = float(np.abs(scores - expected).mean())
    if not distance <= audit.bound_nats:
        raise EngineError(
            f"after the sync of version {version} the samplers score {distance:.3g} nats a token "
            "from the learner",
            expected=f"at most {audit.bound_nats:g}, as both hold the same weights",
            remedy="the samplers compute another function than the learner: use versions of vLLM "
            "and transformers that agree about this model",
        )
    return distance


def _load(engine: RolloutEngine, weights: Weights, *, version: int) -> None:
    """Give the samplers weights; raise EngineError when they then compute with others."""
    engine.load_weights(weights, version=version)
    # A learner that rests merges adapters on the host, where sums round otherwise than on its GPU:
    # the weights are asked where they were when they were sent.
    if stale := differing(weights.checksums(), engine.checksums()):
        raise EngineError(
            f"after the sync of version {version} the samplers hold other numbers than the learner "
            f"sent in {len(stale)} weights, {stale[0]} among them",
            expected="equal checksums of all weights, tied aliases included",
            remedy="the run stopped before it learned from another policy's samples; resume it",
        )
