"""The wire from a learner's ranks to the replicas: what arrives, and what a broken wire costs."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import psutil
import pytest

from reasonrl.algo.loss import Objective
from reasonrl.engines.checksums import checksum, differing
from reasonrl.engines.transfer import Slot, Wire, WireSeat, layout_of, meeting, share
from reasonrl.engines.vllm import VllmEngine
from reasonrl.launch.actors import vllm_settings
from reasonrl.launch.engines import open_ranks, open_replicas
from reasonrl.types import Sampling
from tests.cluster.support import actors_below, cluster_layout
from tests.conftest import TEXTS, batch_of, prompts_of

PLAIN = Objective(
    clip_low=0.2, clip_high=0.2, entropy_coefficient=0.0, kl_coefficient=0.0, temperature=1.0
)


@pytest.fixture
def batch(local):
    prompts = prompts_of(local, TEXTS)
    return batch_of(prompts, local.generate(prompts, Sampling(max_new_tokens=12, group_size=6)))


@contextmanager
def wired(model, logs, events, **options):
    """Two ranks, and two replicas that get weights over a wire."""
    layout = cluster_layout(model, replicas=2, ranks=2, **options)
    with (
        open_replicas(*layout, logs=logs, on_event=events.append) as rollout,
        open_ranks(*layout, logs) as learner,
    ):
        rollout.wire_to(learner, processes=1)
        yield rollout, learner


def has_weights_of(rollout, learner) -> bool:
    """Whether both replicas hold what the ranks put into the store, whole and in full."""
    stored = learner.weights().tensors
    sums = {name: checksum(value, value.dtype) for name, value in stored.items()}
    assert sums == stored.checksums  # those of rows, added up
    return not differing(sums, rollout.checksums())


def test_each_replica_gets_the_weights_of_the_ranks_over_the_wire(
    cluster, model_dir, batch, tmp_path
):
    events: list[str] = []
    with wired(model_dir, tmp_path, events) as (rollout, learner):
        for version in (1, 2):
            weights = learner.weights()
            rollout.load_weights(weights, version=version)
            assert rollout._fleet.wiring.n_sent == version
            assert has_weights_of(rollout, learner)
            learner.update(batch, PLAIN, learning_rate=1e-3)
            assert not has_weights_of(rollout, learner)
        # The ranks hold newer weights now, so these come from the store.
        rollout.load_weights(weights, version=3)
        assert rollout._fleet.wiring.n_sent == 2
        assert not differing(weights.checksums(), rollout.checksums())
    assert not events


def test_the_wire_is_joined_again_after_a_replica_was_replaced(cluster, model_dir, batch, tmp_path):
    events: list[str] = []
    with wired(model_dir, tmp_path, events) as (rollout, learner):
        rollout.load_weights(learner.weights(), version=1)
        [victim, _] = actors_below(psutil.Process(), "Replica")
        victim.kill()
        # Asked for anything, the router finds out and starts another, with stored weights.
        assert has_weights_of(rollout, learner)
        assert len(events) == 1
        learner.update(batch, PLAIN, learning_rate=1e-3)
        rollout.load_weights(learner.weights(), version=2)
        assert has_weights_of(rollout, learner)
        assert rollout._fleet.wiring.n_sent == 2
    assert len(events) == 1


def test_a_replica_that_dies_on_the_wire_costs_no_weights(cluster, model_dir, batch, tmp_path):
    events: list[str] = []
    with wired(model_dir, tmp_path, events) as (rollout, learner):
        rollout.load_weights(learner.weights(), version=1)
        learner.update(batch, PLAIN, learning_rate=1e-3)
        weights = learner.weights()
        [victim, _] = actors_below(psutil.Process(), "Replica")
        os.kill(victim.pid, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(rollout.load_weights, weights, version=2)
            time.sleep(3.0)  # all other members wait on the wire by now
            assert not loading.done()
            victim.kill()
            loading.result()
        assert has_weights_of(rollout, learner)
        assert rollout._fleet.wiring.n_sent == 1
    assert any("the wire from ranks to replicas broke" in event for event in events)
    assert any("replica-" in event and "replaced" in event for event in events)


@pytest.mark.parametrize("is_apart", [False, True], ids=["one process", "workers apart"])
def test_vllm_takes_weights_from_a_wire_and_others_where_it_breaks(
    is_apart, cluster, model_dir, local
):
    """Apart as with tensor parallelism, where the engine itself holds no weights."""
    settings = vllm_settings(*cluster_layout(model_dir, rollout="vllm"))
    weights = local.weights()
    tensors = dict(weights.tensors.items())
    slots = [Slot.of(name, value) for name, value in tensors.items()]
    layout = layout_of(slots, {}, ranks=1, bucket_bytes=1)  # a bucket for each weight

    def send(seat: WireSeat, n_buckets: int, factor: float) -> None:
        wire = Wire(seat, device="cpu")
        mine = {name: factor * value for name, value in tensors.items()}
        wire.send(layout, [share(layout, number, 0, mine) for number in range(n_buckets)])
        if n_buckets < len(slots):
            wire.leave()

    with VllmEngine(replace(settings, is_apart=is_apart)) as engine, ThreadPoolExecutor(1) as pool:
        # From the first weight that is missing on, layers are left with a part of their matrices.
        for version, n_buckets in enumerate((0, 2, 3, 4, 6, 7, len(slots)), start=1):
            store, address = meeting("127.0.0.1")
            seats = [WireSeat(address=address, number=n, world=2, timeout_s=60.0) for n in (0, 1)]
            is_whole = n_buckets == len(slots)
            sending = pool.submit(send, seats[0], n_buckets, 1.0 if is_whole else 3.0)
            engine.join_wire(seats[1])
            broken = engine.receive(layout, weights, version=version)
            sending.result()
            assert bool(broken) is not is_whole
            assert engine.version == version
            assert not differing(weights.checksums(), engine.checksums())
            del store
