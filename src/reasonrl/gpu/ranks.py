"""The row `fsdp-nccl`: FSDP2 on one rank and on two against the local engine.

Each rank is a process of its own, with nccl on a GPU of its own, or with gloo on a CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from reasonrl.engines.fsdp import FsdpLearner
from reasonrl.engines.fsdp.processes import run_on_ranks
from reasonrl.engines.fsdp.ranks import Ranks
from reasonrl.engines.process import free_blocks
from reasonrl.engines.protocols import LearnerEngine, TokenValue, TrainBatch
from reasonrl.engines.trial import SAMPLING, UPDATE, batch_of, prompts_of
from reasonrl.engines.weights import Compute
from reasonrl.gpu.row import CheckSetting, Figure, RowAnswer
from reasonrl.gpu.subject import (
    RATE,
    ROUNDING_NATS,
    directory_of,
    distances,
    learner_of,
)
from reasonrl.launch.actors import optimizer_settings
from reasonrl.models.hf import load_model, outline_model
from reasonrl.recipe import OptimizerConfig
from reasonrl.types import Logprobs

_TOKENS = 512  # of a microbatch, so that the batch has several rounds
_MOST_RANKS = 2

_NORMS: dict[Compute, float] = {"float32": 1e-3, "bfloat16": 0.05}
"""The largest relative distance of gradient norms that rounding explains."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Values:
    """What a learner makes of the batch: log-probabilities, and the norm of the gradient."""

    logprobs_N: Logprobs
    gradient_norm: float


def answer(setting: CheckSetting, work: Path) -> RowAnswer:
    """Return the distances of one rank, and of two where there are two GPUs, in both types."""
    directory = directory_of(setting, work)
    sampler = learner_of(directory, setting, "float32")
    prompts = prompts_of(sampler.model)
    batch = batch_of(prompts, sampler.generate(prompts, SAMPLING))
    del sampler
    n_most = _MOST_RANKS if setting.device == "cpu" else min(_MOST_RANKS, setting.gpus)
    local = {}
    for compute in _NORMS:
        local[compute] = _values(learner_of(directory, setting, compute), batch)
        free_blocks(setting.device)
    figures: list[Figure] = []
    for world in range(1, n_most + 1):
        ranked = _on_ranks(world, directory, setting.device, batch, work)
        for compute in _NORMS:
            what = f"{compute}, ranks: {world}"
            nats = ROUNDING_NATS[setting.device, compute]
            figures += _compared(
                what, ranked[compute], local[compute], nats=nats, norm=_NORMS[compute]
            )
    backend = "gloo" if setting.device == "cpu" else "nccl"
    return RowAnswer(figures=tuple(figures), facts=(("backend", backend),))


def _compared(
    what: str, ranked: _Values, local: _Values, *, nats: float, norm: float
) -> Iterator[Figure]:
    yield from distances(f"ranks to local, {what}", ranked.logprobs_N, local.logprobs_N, mean=nats)
    apart = abs(ranked.gradient_norm - local.gradient_norm) / local.gradient_norm
    yield Figure(name=f"gradient norm apart, {what}", value=apart, high=norm)


def _values(learner: LearnerEngine, batch: TrainBatch) -> _Values:
    logprobs_N = learner.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)
    stats = learner.update(batch, UPDATE, learning_rate=RATE)
    return _Values(logprobs_N=logprobs_N, gradient_norm=stats.gradient_norm)


def _on_ranks(
    world: int, directory: str, device: str, batch: TrainBatch, work: Path
) -> dict[Compute, _Values]:
    """Start the ranks, wait for them, and return what rank 0 left in files."""
    run_on_ranks(
        partial(_work, directory, batch, work), world=world, device=device, where="fsdp-nccl"
    )
    return {compute: _read(_file(work, world, compute)) for compute in _NORMS}


def _read(path: Path) -> _Values:
    with np.load(path, allow_pickle=False) as file:
        return _Values(logprobs_N=file["logprobs_N"], gradient_norm=float(file["gradient_norm"]))


def _file(work: Path, world: int, compute: Compute) -> Path:
    return work / f"{compute}-{world}.npz"


def _work(directory: str, batch: TrainBatch, work: Path, ranks: Ranks) -> None:
    """Be one rank: compute in each type, and let rank 0 write the values down."""
    for compute in _NORMS:
        learner = FsdpLearner(
            partial(outline_model, directory),
            partial(load_model, directory),
            ranks,
            optimizer_settings(OptimizerConfig()),
            token_budget=_TOKENS,
            compute=compute,
        )
        values = _values(learner, batch)
        if ranks.rank == 0:
            np.savez(
                _file(work, ranks.world, compute),
                logprobs_N=values.logprobs_N,
                gradient_norm=values.gradient_norm,
            )
