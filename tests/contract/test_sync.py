"""The sync on every pair of engines: what it proves, and the faults that it must find.

Everything is in bfloat16 and at the rate of the report, 1e-6, where rounding hides one update from
any comparison of scores: such weights are 0.016 nats a token away from the right ones, and rounding
alone gives up to 0.04.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest

from reasonrl.algo.loss import Objective
from reasonrl.engines.local import LocalEngine, LocalSampler
from reasonrl.engines.protocols import LearnerEngine, RolloutEngine
from reasonrl.engines.sync import BFLOAT16, push_weights
from reasonrl.engines.weights import Weights
from reasonrl.errors import EngineError
from reasonrl.models.hf import load_model
from reasonrl.types import Sampling
from tests.conftest import OPTIMIZER, TEXTS, batch_of, prompts_of
from tests.contract.conftest import on_cluster

RATE = 1e-6
PLAIN = Objective(
    clip_low=0.2, clip_high=0.2, entropy_coefficient=0.0, kl_coefficient=0.0, temperature=1.0
)
PAIRS = (
    "local, sampler",
    *map(
        on_cluster,
        (
            "local, vllm",
            "local, vllm apart",
            "two ranks, remote sampler",
            "two ranks, remote vllm",
            "two ranks, two wired samplers",
            "two ranks, two wired vllm",
        ),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A learner, a sampler that holds its weights, and a batch."""

    learner: LearnerEngine
    rollout: RolloutEngine
    batch: object

    def push(self, version: int, rollout: RolloutEngine | None = None) -> float | None:
        return push_weights(
            rollout or self.rollout,
            self.learner,
            version=version,
            batch=self.batch,
            audit=BFLOAT16,
        )

    def copied(self) -> dict:
        return {name: value.clone() for name, value in self.learner.weights().tensors.items()}


class Stale:
    """A sampler to which some weights come as they were before."""

    def __init__(self, engine: RolloutEngine, old: dict) -> None:
        self._engine, self._old = engine, old
        self.score, self.checksums = engine.score, engine.checksums

    def load_weights(self, weights: Weights, *, version: int) -> None:
        tensors = dict(weights.tensors.items()) | self._old
        self._engine.load_weights(Weights(tensors=tensors, version=version), version=version)


def in_bfloat16(model: str) -> LocalEngine:
    return LocalEngine(
        load_model(model), OPTIMIZER, token_budget=4096, max_rows=64, compute="bfloat16"
    )


@pytest.fixture(scope="module", params=PAIRS)
def pair(request, tmp_path_factory) -> Iterator[Pair]:
    kind = request.param
    is_remote = kind != "local, sampler"
    model = str(request.getfixturevalue("model_dir")) if is_remote else "tiny"
    local = in_bfloat16(model)
    prompts = prompts_of(local, TEXTS)
    batch = batch_of(prompts, local.generate(prompts, Sampling(max_new_tokens=12, group_size=6)))
    with ExitStack() as stack:
        learner, rollout = local, None
        if not is_remote:
            rollout = LocalSampler(
                load_model(model), token_budget=80, max_rows=64, compute="bfloat16"
            )
        else:
            learner, rollout = started(kind, model, local, stack, request, tmp_path_factory)
        yield Pair(learner=learner, rollout=rollout, batch=batch)


def started(kind, model, local, stack, request, tmp_path_factory):
    from reasonrl.engines.vllm import VllmEngine
    from reasonrl.launch.actors import vllm_settings
    from reasonrl.launch.engines import open_ranks, open_replicas
    from tests.cluster.support import cluster_layout

    sampler = "local" if "sampler" in kind else "vllm"
    is_wired = "wired" in kind
    layout = cluster_layout(
        model, rollout=sampler, ranks=2, replicas=1 + is_wired, compute="bfloat16"
    )
    if kind.startswith("local"):
        settings = replace(vllm_settings(*layout), is_apart="apart" in kind)
        return local, stack.enter_context(VllmEngine(settings))
    request.getfixturevalue("cluster")
    logs = tmp_path_factory.mktemp("logs")
    events: list[str] = []
    rollout = stack.enter_context(open_replicas(*layout, logs=logs, on_event=events.append))
    learner = stack.enter_context(open_ranks(*layout, logs))
    if is_wired:
        rollout.wire_to(learner, processes=1)
        stack.callback(
            lambda: rollout._fleet.wiring.n_sent < 5 and pytest.fail("the store carried")
        )
    # No wire broke, and no replica was replaced.
    stack.callback(lambda: events and pytest.fail(events[0]))
    return learner, rollout


def test_a_sync_of_all_weights_passes(pair):
    gap = pair.push(1)
    assert gap is not None
    pair.learner.update(pair.batch, PLAIN, learning_rate=RATE)
    assert pair.push(2) <= BFLOAT16.bound_nats


def test_weights_that_are_one_update_old_are_found(pair):
    pair.push(3)
    old = pair.copied()
    pair.learner.update(pair.batch, PLAIN, learning_rate=RATE)
    with pytest.raises(EngineError, match="other numbers than the learner"):
        pair.push(4, Stale(pair.rollout, old))


def test_a_head_that_is_one_update_old_is_found(pair):
    pair.push(5)
    head = {"lm_head.weight": pair.copied()["lm_head.weight"]}
    pair.learner.update(pair.batch, PLAIN, learning_rate=RATE)
    with pytest.raises(EngineError, match=r"weights, (model\.embed_tokens|lm_head)\.weight among"):
        pair.push(6, Stale(pair.rollout, head))
    # The sync is not only wary: the same sampler passes once it gets all weights.
    pair.push(7)
