"""The rows about vLLM's numbers: `sampler-learner-*`, `sync-stale` and `tensor-parallel`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Self

import numpy as np
from torch import Tensor

from reasonrl.engines.protocols import LearnerEngine, RolloutEngine, TokenValue, TrainBatch
from reasonrl.engines.sync import BFLOAT16, FLOAT32, Audit, push_weights
from reasonrl.engines.trial import SAMPLING, UPDATE, batch_of, pairs_of, prompts_of
from reasonrl.engines.weights import Compute, Weights
from reasonrl.errors import EngineError
from reasonrl.gpu.row import CheckSetting, Figure, RowAnswer
from reasonrl.gpu.scores import tf32
from reasonrl.gpu.subject import (
    RATE,
    directory_of,
    distances,
    learner_of,
    tiny_directory,
    vllm_beside,
)
from reasonrl.launch.actors import vllm_settings
from reasonrl.launch.one_process import open_in_process
from reasonrl.models.hf import load_model

_HEAD = "lm_head.weight"
_ANY = Audit(bound_nats=inf)
"""An audit that measures and lets the row's own bound judge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """vLLM and the learner in one process, and rollouts that vLLM sampled with its weights."""

    rollout: RolloutEngine
    learner: LearnerEngine
    batch: TrainBatch

    def push(self, version: int, rollout: RolloutEngine | None = None) -> float:
        """Sync the learner's weights, with its proof, and return the distance after it."""
        gap = push_weights(
            rollout or self.rollout, self.learner, version=version, batch=self.batch, audit=_ANY
        )
        assert gap is not None  # a batch with tokens has a distance
        return gap

    def learned(self) -> None:
        """Take one update."""
        self.learner.update(self.batch, UPDATE, learning_rate=RATE)

    def copied(self) -> dict[str, Tensor]:
        """Return copies of the learner's weights."""
        return {name: value.clone() for name, value in self.learner.weights().tensors.items()}


class _Stale:
    """A sampler to which some weights come as they were before an update."""

    def __init__(self, engine: RolloutEngine, old: dict[str, Tensor]) -> None:
        self._engine, self._old = engine, old
        self.generate, self.score = engine.generate, engine.score
        self.checksums = engine.checksums

    def load_weights(self, weights: Weights, *, version: int) -> None:
        tensors = dict(weights.tensors.items()) | self._old
        self._engine.load_weights(replace(weights, tensors=tensors), version=version)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing: the engine behind it is ended by whoever started it."""


@contextmanager
def _opened(setting: CheckSetting, work: Path, compute: Compute) -> Iterator[_Pair]:
    directory = directory_of(setting, work)
    model = load_model(directory, device=setting.device)
    prompts = prompts_of(model)
    engine, workload = vllm_beside(setting, directory, compute)
    with open_in_process(engine, workload, model, work / "logs") as (rollout, learner):
        rollout.load_weights(learner.weights(), version=0)
        batch = batch_of(prompts, rollout.generate(prompts, SAMPLING))
        yield _Pair(rollout=rollout, learner=learner, batch=batch)


def distance_answer(setting: CheckSetting, work: Path, compute: Compute) -> RowAnswer:
    """Return the distances between vLLM and the learner, after a sync that checksums prove."""
    audit = FLOAT32 if compute == "float32" else BFLOAT16
    with _opened(setting, work, compute) as pair:
        learned_N = pair.learner.at_tokens(pair.batch, TokenValue.LOGPROBS, temperature=1.0)
        n_weights = len(pair.learner.weights().checksums())
        gap = pair.push(1)
    sampled_N = pair.batch.rollout_logprobs_N
    figures = (
        *distances("sampled by vLLM to the learner", sampled_N, learned_N, mean=audit.bound_nats),
        Figure(name="distance after a sync", value=gap, unit="nats", high=audit.bound_nats),
    )
    return RowAnswer(
        figures=(*figures, tf32()) if compute == "float32" else figures,
        facts=(
            ("tokens", str(pair.batch.n_tokens)),
            ("checksums", f"those of all {n_weights} weights are the learner's"),
        ),
    )


def stale_answer(setting: CheckSetting, work: Path) -> RowAnswer:
    """Return how many planted faults the sync found, and how many right syncs it let pass."""
    with _opened(setting, work, "bfloat16") as pair:
        pair.push(1)
        old = pair.copied()
        pair.learned()
        n_found = int(_is_found(pair, 2, old))
        pair.push(3)
        head = {_HEAD: pair.copied()[_HEAD]}
        pair.learned()
        n_found += _is_found(pair, 4, head)
        gap = pair.push(5)
    return RowAnswer(
        figures=(
            Figure(name="planted faults that were found", value=n_found, low=2, high=2),
            # A right sync that is refused ends the row with the sync's own error.
            Figure(name="right syncs that passed", value=3, low=3, high=3),
            Figure(name="distance after a sync", value=gap, unit="nats", high=BFLOAT16.bound_nats),
        ),
        facts=(("faults", f"all weights, and the head, old by one update at a rate of {RATE}"),),
    )


def _is_found(pair: _Pair, version: int, old: dict[str, Tensor]) -> bool:
    """Return whether a sync with old weights is refused because of its checksums."""
    try:
        pair.push(version, _Stale(pair.rollout, old))
    except EngineError as error:
        if "other numbers than the learner" not in error.what:
            raise
        return True
    return False


def tensor_parallel_answer(setting: CheckSetting, work: Path) -> RowAnswer:
    """Return the distance of a vLLM engine that is cut over two workers, after a proved sync.

    The model is tiny on any machine: its heads can be cut in two. The learner stays on the CPU:
    vLLM starts its workers from a process that has not touched a GPU, as it does in a replica.
    """
    from reasonrl.engines.vllm import VllmEngine

    directory = tiny_directory(work)
    on_cpu = replace(setting, device="cpu")
    learner = learner_of(directory, on_cpu, "bfloat16")
    prompts = prompts_of(learner.model)
    settings = vllm_settings(*vllm_beside(setting, directory, "bfloat16"))
    with VllmEngine(replace(settings, tensor_parallel=2, can_sleep=False)) as rollout:
        rollout.load_weights(learner.weights(), version=0)
        batch = batch_of(prompts, rollout.generate(prompts, SAMPLING))
        gap = _Pair(rollout=rollout, learner=learner, batch=batch).push(1)
        scored_N = np.concatenate(rollout.score(pairs_of(batch), temperature=1.0))
    learned_N = learner.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)
    bound = BFLOAT16.bound_nats
    return RowAnswer(
        figures=(
            Figure(name="distance after a sync", value=gap, unit="nats", high=bound),
            *distances("scored by vLLM to the learner", scored_N, learned_N, mean=bound),
            *distances(
                "sampled by vLLM to the learner", batch.rollout_logprobs_N, learned_N, mean=bound
            ),
        ),
        facts=(("model", "tiny"), ("checksums", "those of all weights are the learner's")),
    )
