"""The rows `logprobs-*`: the learner against plain transformers, and sampled against scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from reasonrl.engines.process import free_blocks
from reasonrl.engines.protocols import TokenValue
from reasonrl.engines.trial import SAMPLING, batch_of, pairs_of, prompts_of
from reasonrl.engines.weights import Compute
from reasonrl.gpu.row import CheckSetting, Figure, RowAnswer
from reasonrl.gpu.subject import (
    ROUNDING_NATS,
    directory_of,
    distances,
    learner_of,
)
from reasonrl.models.plain import plain_logprobs

_FLOAT32_MOST = 1e-3
"""The largest distance of one token that float32 explains; of bfloat16 no such bound is known."""


def answer(setting: CheckSetting, work: Path, compute: Compute) -> RowAnswer:
    """Return the distances of the learner's log-probabilities from two others, in nats."""
    directory = directory_of(setting, work)
    learner = learner_of(directory, setting, compute)
    prompts = prompts_of(learner.model)
    batch = batch_of(prompts, learner.generate(prompts, SAMPLING))
    scored_N = learner.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)
    del learner
    free_blocks(setting.device)
    plain_N = np.concatenate(plain_logprobs(directory, pairs_of(batch), device=setting.device))
    mean = ROUNDING_NATS[setting.device, compute]
    most = _FLOAT32_MOST if compute == "float32" else None
    return RowAnswer(
        figures=(
            *distances("learner to transformers", scored_N, plain_N, mean=mean, most=most),
            *distances(
                "sampled to scored", batch.rollout_logprobs_N, scored_N, mean=mean, most=most
            ),
            tf32(),
        ),
        facts=(("tokens", str(batch.n_tokens)), ("transformers", "eager attention, float32")),
    )


def tf32() -> Figure:
    """Return whether matrix products in float32 are rounded to TF32, which must be off."""
    is_on = torch.backends.cuda.matmul.allow_tf32
    return Figure(name="TF32 of matrix products (0 is off)", value=float(is_on), low=0, high=0)
