"""The sync: give the samplers the learner's weights, and check that they arrived.

A sampler with a stale or wrongly tied weight samples fluently and raises no error. So both sides
score a few completions after a sync, and a distance that rounding does not explain is an error.
Called by `loop.trainer`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reasonrl.engines.packing import batch_of_pairs, first_completions
from reasonrl.engines.protocols import LearnerEngine, RolloutEngine, TokenValue, TrainBatch
from reasonrl.errors import EngineError

# Enough tokens to see a wrong weight, too few to cost noticeable time.
_COMPLETIONS, _TOKENS = 4, 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The largest distance that rounding explains: a bound of the mean over tokens, in nats.

    Measured between FSDP2 and vLLM on a CPU: up to 5e-6 in float32, 0.01 (the tiny model) to 0.04
    in bfloat16. A stale head of a tied model is off by 0.1 to 1.3 once it has changed.
    """

    bound_nats: float


FLOAT32, BFLOAT16 = Audit(bound_nats=1e-3), Audit(bound_nats=0.08)


def push_weights(
    engine: RolloutEngine,
    learner: LearnerEngine,
    *,
    version: int,
    batch: TrainBatch,
    audit: Audit | None,
) -> float | None:
    """Give the samplers the policy; return the mean distance in nats, or None without an audit.

    The audit scores completions of `batch`; EngineError when the distance is above the bound.
    """
    if audit is None or batch.n_tokens == 0:
        engine.load_weights(learner.weights(), version=version)
        return None
    pairs = first_completions(batch, n=_COMPLETIONS, max_tokens=_TOKENS)
    # Ask the learner first: on shared GPUs it rests once the samplers have the weights.
    expected = learner.at_tokens(batch_of_pairs(pairs), TokenValue.LOGPROBS, temperature=1.0)
    engine.load_weights(learner.weights(), version=version)
    scores = np.concatenate(engine.score(pairs, temperature=1.0))
    distance = float(np.abs(scores - expected).mean())
    if not distance <= audit.bound_nats:
        raise EngineError(
            f"after the sync of version {version} the samplers score {distance:.3g} nats a token "
            "from the learner",
            expected=f"at most {audit.bound_nats:g}: the same weights, tied aliases included",
            remedy="the run stopped before it learned from another policy's samples; resume it",
        )
    return distance
