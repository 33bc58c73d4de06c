"""How far each way to compute a model is from plain transformers, in nats and in gradient.

The reference is transformers' own model in float32 with its eager attention, one rollout at a time,
without padding, cache or kernel. A model is held against it with rollouts that it sampled itself.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, from_numpy

from reasonrl.engines.fsdp import FsdpLearner
from reasonrl.engines.fsdp.processes import run_on_ranks
from reasonrl.engines.fsdp.ranks import Ranks
from reasonrl.engines.local import LocalEngine
from reasonrl.engines.protocols import TokenValue, TrainBatch
from reasonrl.engines.trial import SAMPLING, UPDATE, batch_of, pairs_of, prompts_of
from reasonrl.engines.update import OptimizerSettings
from reasonrl.errors import ModelError
from reasonrl.models.admission import Backend, WantedBackend
from reasonrl.models.hf import load_model, outline_model
from reasonrl.models.plain import plain_gradients, plain_logprobs
from reasonrl.models.template import ChatForm
from reasonrl.types import Logprobs

GOAL = 1e-5
"""The largest distance in float32, in nats and in gradient, that rounding explains in a small model
with random weights."""

DEEP = (3e-4, 3e-3)
"""The same in nats and in gradient for real weights: SmolLM2-135M has 3e-5 and 3e-4, by all ways
alike, because 30 layers round and the reference does too. A fault is larger: a bound on scores that
is left out is above 1e-2."""

_UNCLIPPED = OptimizerSettings(
    betas=(0.9, 0.95), epsilon=1e-8, weight_decay=0.0, max_gradient_norm=1e30
)
_TOKENS = 512
"""The budget of a microbatch, so that the batch has several."""
_RANKS = 2

_SMALL = 1e-3
"""A gradient below this part of the model's largest is what rounding of large terms leaves over: a
bias of keys has almost none."""


class Way(StrEnum):
    """A way to compute log-probabilities and gradients."""

    PACKED = "packed"  # groups in one row, leaner layers, the head in chunks
    CACHED = "cached"  # the sampler's rows with a cache of their own
    PLAIN = "plain"  # padded rows as transformers runs them
    PLAIN_CACHED = "plain, cached"  # rows of one length with the library's cache
    RANKS = "2 FSDP2 ranks"  # each with a part of the weights
    SHARED_ROW = "2 ranks, one row"  # each with a part of a row's tokens
    EXPORTED = "exported"  # written, and read by plain transformers


NATIVE_WAYS = (
    Way.PACKED, Way.CACHED, Way.PLAIN, Way.PLAIN_CACHED, Way.RANKS, Way.SHARED_ROW, Way.EXPORTED,
)  # fmt: skip
PLAIN_WAYS = (Way.PLAIN, Way.PLAIN_CACHED, Way.EXPORTED)
"""The ways of a model of each backend, in the order in which they are asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayDistance:
    """The distance of one way from plain transformers.

    `nats` is the largest over the rollouts' tokens. `gradient` is the largest over the parameters,
    each relative to the largest entry of its own gradient, or to a thousandth of the model's
    largest where its own is smaller; None for ways without a gradient.
    """

    way: Way
    nats: float
    gradient: float | None
    seconds: float

    def is_near(self, nats: float = GOAL, gradient: float = GOAL) -> bool:
        """Return whether rounding explains the distance."""
        return self.nats <= nats and (self.gradient or 0.0) <= gradient


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Values:
    """What a way computes for a batch."""

    logprobs_N: Logprobs
    gradients: Mapping[str, Tensor]


def agreements(
    directory: str, backend: Backend, *, ways: tuple[Way, ...] | None = None
) -> Iterator[WayDistance]:
    """Yield the distance of each way for the model of a directory, as soon as it is measured."""
    ways = ways or (NATIVE_WAYS if backend is Backend.NATIVE else PLAIN_WAYS)
    engine = _engine(directory, backend.value)
    batch = _sampled(engine)
    wanted = _reference(directory, batch)
    is_native = backend is Backend.NATIVE
    own = (Way.PACKED, Way.CACHED) if is_native else (Way.PLAIN, Way.PLAIN_CACHED)
    for way in ways:
        start = time.perf_counter()
        gradient: float | None = None
        match way:
            case Way.PACKED | Way.PLAIN:
                asked = engine if way in own else _engine(directory, "transformers")
                nats, gradient = _apart(_learned(asked, batch), wanted)
            case Way.CACHED | Way.PLAIN_CACHED if way in own:
                nats = _gap(batch.rollout_logprobs_N, wanted.logprobs_N)
            case Way.CACHED | Way.PLAIN_CACHED:
                other = _sampled(_engine(directory, "transformers"))
                nats = _gap(other.rollout_logprobs_N, _scores(directory, other))
            case Way.RANKS | Way.SHARED_ROW:
                parts = _RANKS if way is Way.SHARED_ROW else 1
                nats, gradient = _apart(_on_ranks(directory, batch, parts), wanted)
            case Way.EXPORTED:
                nats = _gap(_exported(engine, batch), wanted.logprobs_N)
        seconds = time.perf_counter() - start
        yield WayDistance(way=way, nats=nats, gradient=gradient, seconds=seconds)


def _engine(directory: str, backend: WantedBackend) -> LocalEngine:
    model = load_model(directory, backend=backend)
    try:
        _ = model.tokenizer.template
    except ModelError:
        plain = model.tokenizer.formed(ChatForm(style="plain"))
        model = replace(model, tokenizer=plain)
    return LocalEngine(model, _UNCLIPPED, token_budget=_TOKENS, max_rows=16)


def _sampled(engine: LocalEngine) -> TrainBatch:
    prompts = prompts_of(engine.model)
    return batch_of(prompts, engine.generate(prompts, SAMPLING))


def _reference(directory: str, batch: TrainBatch) -> _Values:
    advantages = [advantage for group in batch.groups for advantage in group.advantages]
    scores, gradients = plain_gradients(directory, pairs_of(batch), advantages)
    return _Values(logprobs_N=np.concatenate(scores), gradients=gradients)


def _scores(directory: str, batch: TrainBatch) -> Logprobs:
    return np.concatenate(plain_logprobs(directory, pairs_of(batch), device="cpu"))


def _learned(engine: LocalEngine, batch: TrainBatch) -> _Values:
    """Return scores and the gradient of an update that moves no weight."""
    logprobs_N = engine.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)
    engine.update(batch, UPDATE, learning_rate=0.0)
    return _Values(logprobs_N=logprobs_N, gradients=engine.gradients())


def _exported(engine: LocalEngine, batch: TrainBatch) -> Logprobs:
    with tempfile.TemporaryDirectory() as directory:
        engine.model.save(Path(directory))
        return _scores(directory, batch)


def _on_ranks(directory: str, batch: TrainBatch, parts: int) -> _Values:
    """Start ranks, wait for them, and return what rank 0 left in a file."""
    with tempfile.TemporaryDirectory() as work:
        file = Path(work) / "values.safetensors"
        run_on_ranks(
            partial(_be_rank, directory, batch, file),
            world=_RANKS,
            device="cpu",
            sequence_parallel=parts,
            where="model check",
        )
        tensors = load_file(file)
    return _Values(logprobs_N=tensors.pop("").numpy(), gradients=tensors)


def _be_rank(directory: str, batch: TrainBatch, file: Path, ranks: Ranks) -> None:
    learner = FsdpLearner(
        partial(outline_model, directory),
        partial(load_model, directory),
        ranks,
        _UNCLIPPED,
        token_budget=_TOKENS,
    )
    logprobs_N = learner.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)
    learner.update(batch, UPDATE, learning_rate=0.0)
    gradients = learner.gradients()
    if ranks.rank == 0:
        save_file({"": from_numpy(logprobs_N), **gradients}, file)


def _apart(found: _Values, wanted: _Values) -> tuple[float, float]:
    return _gap(found.logprobs_N, wanted.logprobs_N), _gradient_gap(
        found.gradients, wanted.gradients
    )


def _gap(found_N: Logprobs, wanted_N: Logprobs) -> float:
    return float(np.abs(found_N.astype(np.float64) - wanted_N).max())


def _gradient_gap(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> float:
    """Return the largest distance over parameters; a missing gradient is a gradient of zeros."""
    largest = {name: float(gradient.abs().max()) for name, gradient in wanted.items()}
    least = _SMALL * max(largest.values())
    return max(
        float((found.get(name, torch.zeros_like(gradient)) - gradient).abs().max())
        / max(largest[name], least)
        for name, gradient in wanted.items()
    )
