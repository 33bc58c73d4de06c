"""The engines that the laws of this folder are run against.

`make test` has those of one process, `make test-cluster` those that need Ray or vLLM. An engine on
a cluster takes long to start and lives for a module; the others are fresh in every test.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from reasonrl.engines.fake import FakeEngine
from reasonrl.engines.local import LocalEngine, LocalSampler
from reasonrl.engines.protocols import LearnerEngine, RolloutEngine, TrainBatch
from reasonrl.launch.actors import adapted
from reasonrl.models.hf import load_model
from reasonrl.recipe import LoraConfig
from reasonrl.types import Prompt, Sampling
from tests.conftest import OPTIMIZER, TEXTS, batch_of, prompts_of


def on_cluster(kind: str) -> object:
    marks = (pytest.mark.cluster, pytest.mark.filterwarnings("default"))  # Ray's and vLLM's own
    return pytest.param(kind, marks=marks)


ROLLOUTS = (
    "local",
    "fake",
    "sampler",
    "plain",
    *map(on_cluster, ("vllm", "vllm apart", "remote sampler", "remote vllm")),
)
LORA = LoraConfig(rank=4, alpha=8)
LAYOUTS = {
    "one rank": {"ranks": 1},
    "two ranks": {"ranks": 2},
    "two ranks, recomputing": {"ranks": 2, "recompute": True},
    "two ranks share a row": {"ranks": 2, "sequence_parallel": 2},
}
ADAPTED = "two ranks, adapters"
LAYOUTS[ADAPTED] = {"ranks": 2, "lora": LORA}
LEARNERS = ("local", "local, adapters", "plain", "fake", *map(on_cluster, LAYOUTS))


@dataclass(frozen=True, kw_only=True)
class RolloutCase:
    """An engine that samples, the learner whose policy it is given, and prompts for both."""

    kind: str
    engine: RolloutEngine
    learner: LearnerEngine
    prompts: list[Prompt]
    eos_ids: frozenset[int]

    @property
    def shares_its_policy(self) -> bool:
        return self.engine is self.learner


@dataclass(frozen=True, kw_only=True)
class LearnerCase:
    """An engine that learns, a batch for it, and the local engine with the same weights."""

    kind: str
    engine: LearnerEngine
    reference: LearnerEngine
    batch: TrainBatch

    @property
    def is_reference(self) -> bool:
        return self.engine is self.reference


def local_engine(
    model: str, *, lora: LoraConfig | None = None, backend="auto", **options
) -> LocalEngine:
    loaded = adapted(load_model(model, backend=backend), lora, seed=0)
    return LocalEngine(loaded, OPTIMIZER, token_budget=4096, max_rows=64, **options)


def fake_prompts() -> list[Prompt]:
    return [
        Prompt(tokens=np.ones(length, dtype=np.int32), seed=seed)
        for seed, length in enumerate((3, 1, 5, 2))
    ]


def sampled_batch(engine: RolloutEngine, prompts: list[Prompt]) -> TrainBatch:
    return batch_of(prompts, engine.generate(prompts, Sampling(max_new_tokens=12, group_size=6)))


@pytest.fixture(scope="module", params=ROLLOUTS)
def rollout_kind(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def started_rollout(rollout_kind, request, tmp_path_factory) -> Iterator[RolloutEngine | None]:
    """An engine on a cluster that was given no weights yet; None for engines of one process."""
    if rollout_kind in ("local", "fake", "sampler", "plain"):
        yield None
        return
    from reasonrl.launch.actors import build_replica, vllm_settings
    from reasonrl.launch.engines import open_replicas
    from tests.cluster.support import cluster_layout

    request.getfixturevalue("cluster")
    kind = "vllm" if "vllm" in rollout_kind else "local"
    layout = cluster_layout(request.getfixturevalue("model_dir"), rollout=kind, replicas=2)
    with ExitStack() as stack:
        if rollout_kind.startswith("remote"):
            logs = tmp_path_factory.mktemp("logs")
            yield stack.enter_context(open_replicas(*layout, logs=logs, on_event=print))
        elif rollout_kind == "vllm apart":  # as tensor parallel engines run
            from reasonrl.engines.vllm import VllmEngine

            yield stack.enter_context(VllmEngine(replace(vllm_settings(*layout), is_apart=True)))
        else:
            yield stack.enter_context(build_replica(*layout))


@pytest.fixture
def unready(rollout_kind, started_rollout, request) -> RolloutCase:
    """An engine that samples, as it was started."""
    if rollout_kind == "fake":
        engine = FakeEngine()
        return RolloutCase(
            kind=rollout_kind, engine=engine, learner=engine, prompts=fake_prompts(),
            eos_ids=frozenset({engine.eos_id}),
        )  # fmt: skip
    if started_rollout is None:
        backend = "transformers" if rollout_kind == "plain" else "auto"
        learner = local_engine("tiny", backend=backend)
        engine = learner
        if rollout_kind == "sampler":
            engine = LocalSampler(load_model("tiny"), token_budget=80, max_rows=64)
    else:
        learner = local_engine(str(request.getfixturevalue("model_dir")))
        engine = started_rollout
    return RolloutCase(
        kind=rollout_kind, engine=engine, learner=learner, prompts=prompts_of(learner, TEXTS),
        eos_ids=learner.model.eos_ids,
    )  # fmt: skip


@pytest.fixture
def rollout(unready) -> RolloutCase:
    """An engine that samples, with its learner's weights as version 3."""
    unready.engine.load_weights(unready.learner.weights(), version=3)
    return unready


@pytest.fixture(scope="module", params=LEARNERS)
def learner_kind(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def started_ranks(learner_kind, request, tmp_path_factory) -> Iterator[LearnerEngine | None]:
    if learner_kind in ("local", "local, adapters", "plain", "fake"):
        yield None
        return
    from reasonrl.launch.engines import open_ranks
    from tests.cluster.support import cluster_layout

    request.getfixturevalue("cluster")
    model = request.getfixturevalue("model_dir")
    layout = cluster_layout(model, keep_reference=True, **LAYOUTS[learner_kind])
    with open_ranks(*layout, tmp_path_factory.mktemp("logs")) as ranks:
        yield ranks


@pytest.fixture
def learner(learner_kind, started_ranks, request, tmp_path) -> LearnerCase:
    """An engine that learns, with a reference, its first weights and no moments."""
    if learner_kind == "fake":
        engine = FakeEngine(keep_reference=True)
        batch = sampled_batch(engine, fake_prompts())
        return LearnerCase(kind=learner_kind, engine=engine, reference=engine, batch=batch)
    lora = LORA if "adapters" in learner_kind else None
    if started_ranks is None:
        reference = local_engine("tiny", lora=lora, keep_reference=True)
        engine = reference
        if learner_kind == "plain":
            engine = local_engine("tiny", backend="transformers", keep_reference=True)
    else:
        reference = local_engine(str(request.getfixturevalue("model_dir")), lora=lora)
        start: Path = tmp_path / "start"
        start.mkdir()
        reference.save(start)
        started_ranks.load(start)
        engine = started_ranks
    batch = sampled_batch(reference, prompts_of(reference, TEXTS))
    return LearnerCase(kind=learner_kind, engine=engine, reference=reference, batch=batch)
