"""The row `families`: a tiny model of each family of the native backend, on the device."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import numpy as np

from reasonrl.engines.process import free_blocks
from reasonrl.engines.protocols import TokenValue
from reasonrl.engines.trial import SAMPLING, UPDATE, batch_of, pairs_of, prompts_of
from reasonrl.engines.weights import Compute
from reasonrl.gpu.row import CheckSetting, Figure, RowAnswer
from reasonrl.gpu.subject import ROUNDING_NATS, distances, learner_of
from reasonrl.models.families import FAMILIES
from reasonrl.models.plain import plain_logprobs
from reasonrl.models.random import save_rough

_TYPES: tuple[Compute, ...] = ("float32", "bfloat16")


def answer(setting: CheckSetting) -> RowAnswer:
    """Return the mean distance of each family from plain transformers, in both types."""
    return RowAnswer(
        figures=tuple(figure for family in FAMILIES for figure in _distances(family, setting)),
        facts=(("model", "two layers, random weights"), ("update", "one, with a finite gradient")),
    )


def _distances(family: str, setting: CheckSetting) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        save_rough(family, directory)
        for compute in _TYPES:
            learner = learner_of(directory, setting, compute)
            prompts = prompts_of(learner.model)
            batch = batch_of(prompts, learner.generate(prompts, SAMPLING))
            scored_N = learner.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)
            # Raises NotFiniteError where the kernels of the backward pass go wrong.
            learner.update(batch, UPDATE, learning_rate=0.0)
            plain = plain_logprobs(directory, pairs_of(batch), device=setting.device)
            bound = ROUNDING_NATS[setting.device, compute]
            what = f"{family}, {compute}"
            mean, _ = distances(what, scored_N, np.concatenate(plain), mean=bound)
            yield mean
    free_blocks(setting.device)
