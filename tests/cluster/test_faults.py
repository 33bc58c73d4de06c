"""Processes die and hang: lost work is done again, and nothing is lost or counted twice."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import psutil
import pytest

from reasonrl.engines.checksums import differing
from reasonrl.engines.protocols import TokenValue
from reasonrl.engines.remote import Crew, node_seats
from reasonrl.engines.weights import Weights
from reasonrl.errors import EngineError, EngineLost
from reasonrl.launch.engines import open_engines, open_ranks, open_replicas
from reasonrl.models.hf import outline_model
from reasonrl.types import Sampling
from tests.cluster.support import actors_below, cluster_layout
from tests.conftest import TEXTS, batch_of, prompts_of

LONG = Sampling(max_new_tokens=300, group_size=48)


@pytest.fixture
def endless(local):
    """The local engine with a head that never says EOS, so that sampling takes its time."""
    local.model.module.model.embed_tokens.weight.data[list(local.model.eos_ids)] = 0.0
    return local


def processes(kind: str) -> list[psutil.Process]:
    """The processes of one kind of actor of this test's cluster."""
    return actors_below(psutil.Process(), kind)


def soon(action) -> threading.Thread:
    """Run an action in a second, while the main thread is in a call."""
    thread = threading.Thread(target=lambda: (time.sleep(1.0), action()))
    thread.start()
    return thread


@pytest.mark.parametrize(("kind", "number"), [("local", signal.SIGKILL), ("vllm", signal.SIGKILL)])
def test_a_killed_replica_is_replaced_and_its_rollouts_redone(
    kind, number, cluster, model_dir, endless, tmp_path
):
    events = []
    layout = cluster_layout(model_dir, rollout=kind, replicas=2, max_rows=16)
    prompts = prompts_of(endless, TEXTS)
    with open_replicas(*layout, logs=tmp_path, on_event=events.append) as engine:
        engine.load_weights(endless.weights(), version=7)
        [victim, _] = processes("Replica")

        def kill_once(*_) -> None:
            """Kill at the first finished rollout: most of the others still wait or run."""
            if not killed:
                killed.append(victim.pid)
                os.kill(victim.pid, number)

        killed: list[int] = []
        groups = engine.generate(prompts, LONG, on_finished=kill_once)
    assert killed
    assert len(events) == 1
    assert "rollouts are redone" in events[0]
    assert [len(group) for group in groups] == [LONG.group_size] * len(prompts)
    assert {c.version for group in groups for c in group} == {7}  # not the files' weights
    batch = batch_of(prompts, groups)
    old = endless.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)
    np.testing.assert_allclose(batch.rollout_logprobs_N, old, rtol=0, atol=5e-5)
    undisturbed = endless.generate(prompts[:1], LONG)[0] if kind == "local" else groups[0]
    for redone, other in zip(groups[0], undisturbed, strict=True):
        np.testing.assert_array_equal(redone.tokens, other.tokens)


def test_a_silent_replica_is_replaced(cluster, model_dir, endless, tmp_path):
    events = []
    layout = cluster_layout(model_dir, replicas=2, timeout_s=40.0)
    prompts = prompts_of(endless, TEXTS)
    with open_replicas(*layout, logs=tmp_path, on_event=events.append) as engine:
        engine.load_weights(endless.weights(), version=1)
        [victim, _] = processes("Replica")
        os.kill(victim.pid, signal.SIGSTOP)
        groups = engine.generate(prompts, Sampling(max_new_tokens=4, group_size=8))
    assert "silent for 40 s" in events[0]
    assert [len(group) for group in groups] == [8] * len(prompts)


def test_a_replica_that_keeps_dying_ends_the_call(cluster, model_dir, endless, tmp_path):
    layout = cluster_layout(model_dir, replicas=1)
    stop = threading.Event()

    def kill_all() -> None:
        while not stop.wait(0.2):
            for replica in processes("Replica"):
                replica.kill()

    with open_replicas(*layout, logs=tmp_path, on_event=lambda _: None) as engine:
        engine.load_weights(endless.weights(), version=1)
        killer = threading.Thread(target=kill_all)
        killer.start()
        try:
            with pytest.raises(EngineLost, match="without a result"):
                engine.generate(prompts_of(endless, TEXTS), LONG)
        finally:
            stop.set()
            killer.join()


def test_a_replica_holds_no_more_than_it_can_soon_begin(cluster, model_dir, local, tmp_path):
    """Back-pressure: waiting requests stay in the router's queue."""
    layout = cluster_layout(model_dir, replicas=2, max_rows=8)
    most = 0
    with open_replicas(*layout, logs=tmp_path, on_event=print) as engine:
        engine.load_weights(local.weights(), version=1)

        def look(*_) -> None:
            nonlocal most
            most = max(most, *(replica["in_flight"] for replica in engine.describe()))

        engine.generate(
            prompts_of(local, TEXTS), Sampling(max_new_tokens=3, group_size=40), on_finished=look
        )
    assert 8 <= most <= 10


def test_a_lost_rank_ends_the_call_and_the_other_ranks(cluster, model_dir, local, tmp_path):
    prompts = prompts_of(local, TEXTS)
    batch = batch_of(prompts, local.generate(prompts, Sampling(max_new_tokens=12, group_size=6)))
    with open_ranks(*cluster_layout(model_dir, ranks=2), tmp_path) as learner:
        ranks = processes("_Rank")
        assert len(ranks) == 2
        ranks[1].kill()
        with pytest.raises(EngineLost, match="rank"):
            learner.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)
        psutil.wait_procs(ranks, timeout=20)
        assert not any(rank.is_running() for rank in ranks)


def test_stale_tied_embeddings_are_caught_by_the_audit(cluster, model_dir, local, tmp_path):
    """The fault: a sync that sends every name, but the alias with the head of before."""
    from reasonrl.algo.loss import Objective
    from reasonrl.engines.sync import push_weights

    objective = Objective(
        clip_low=0.2, clip_high=0.2, entropy_coefficient=0.0, kl_coefficient=0.0, temperature=1.0
    )
    prompts = prompts_of(local, TEXTS)
    batch = batch_of(prompts, local.generate(prompts, Sampling(max_new_tokens=12, group_size=6)))
    layout = cluster_layout(model_dir, rollout="vllm", ranks=2)
    model = outline_model(str(model_dir))
    with open_engines(*layout, model, logs=tmp_path, on_event=print) as engines:
        learner, rollout = engines.learner, engines.rollout
        stale = dict(learner.weights().tensors.items())["lm_head.weight"].clone()
        learner.update(batch, objective, learning_rate=3e-3)
        gap = push_weights(rollout, learner, version=1, batch=batch, audit=engines.audit)
        assert gap < 1e-5
        learner.update(batch, objective, learning_rate=3e-3)

        class ForgetsTheAlias:
            at_tokens = staticmethod(learner.at_tokens)

            def weights(self) -> Weights:
                tensors = dict(learner.weights().tensors.items()) | {"lm_head.weight": stale}
                return Weights(tensors=tensors, version=2)

        with pytest.raises(EngineError, match="other numbers than the learner sent"):
            push_weights(rollout, ForgetsTheAlias(), version=2, batch=batch, audit=engines.audit)


def test_a_replica_killed_while_weights_come_loses_no_rollout(
    cluster, model_dir, endless, tmp_path
):
    """The sampling and the syncing thread both notice; only one of them replaces the replica."""
    layout = cluster_layout(model_dir, rollout="vllm", replicas=2, max_rows=16)
    prompts = prompts_of(endless, TEXTS)
    groups = []
    is_sampling = threading.Event()

    def sample() -> None:
        groups.extend(engine.generate(prompts, LONG, on_finished=lambda *_: is_sampling.set()))

    with open_replicas(*layout, logs=tmp_path, on_event=print) as engine:
        engine.load_weights(endless.weights(), version=0)
        thread = threading.Thread(target=sample)
        thread.start()
        assert is_sampling.wait(120)
        killer = threading.Thread(target=processes("Replica")[0].kill)
        killer.start()
        for version in range(1, 6):
            engine.load_weights(endless.weights(), version=version)
        thread.join(timeout=120)
        assert not thread.is_alive()
    assert [len(group) for group in groups] == [LONG.group_size] * len(prompts)


def test_a_replica_killed_before_it_scores_is_replaced_and_asked_again(
    cluster, model_dir, local, tmp_path
):
    """Its scores and checksums are those of the weights that the fleet was given last."""
    events = []
    layout = cluster_layout(model_dir, rollout="local", replicas=2)
    prompts = prompts_of(local, TEXTS)
    pairs = [(prompts[0].tokens, prompts[1].tokens)]
    with open_replicas(*layout, logs=tmp_path, on_event=events.append) as engine:
        engine.load_weights(local.weights(), version=3)
        for ask in (lambda: engine.score(pairs, temperature=1.0), engine.checksums):
            processes("Replica")[0].kill()
            answer = ask()
        assert differing(local.weights().checksums(), answer) == []
        [score] = engine.score(pairs, temperature=1.0)
    [expected] = local.score(pairs, temperature=1.0)
    np.testing.assert_allclose(score, expected, rtol=0, atol=2e-5)
    assert len(events) == 2
    assert all("replaced" in event for event in events)


def test_a_replica_that_dies_when_it_is_put_to_rest_comes_back_with_the_next_weights(
    cluster, model_dir, local, tmp_path
):
    """On a shared GPU every loss outside sampling is noticed there."""
    events = []
    layout = cluster_layout(model_dir, rollout="local", replicas=2)
    prompts = prompts_of(local, TEXTS)
    with open_replicas(*layout, logs=tmp_path, on_event=events.append) as engine:
        engine.load_weights(local.weights(), version=3)
        processes("Replica")[0].kill()
        engine.rest()
        assert len(processes("Replica")) == 1
        engine.load_weights(local.weights(), version=4)
        groups = engine.generate(prompts, Sampling(max_new_tokens=3, group_size=8))
    assert {completion.version for group in groups for completion in group} == {4}
    assert ["to be replaced" in events[0], "replaced" in events[1]] == [True, True]


def test_a_replica_that_cannot_start_says_why_at_once(cluster, tmp_path):
    from reasonrl.engines.remote import RemoteRollout, Seat

    with (
        RemoteRollout(
            cannot_start, [Seat()], max_rows=4, timeout_s=30, logs=tmp_path, on_event=print
        ) as engine,
        pytest.raises(EngineError, match=r"could not start: .*no such device") as caught,
    ):
        engine.load_weights(Weights(tensors={}, version=0), version=0)
    assert not isinstance(caught.value, EngineLost)
    assert "no such device" in (tmp_path / "replica-0.log").read_text()


def cannot_start():
    raise EngineError("no such device")


def test_a_rank_that_hangs_is_lost_and_no_bug(cluster, model_dir, local, tmp_path):
    """Its fellows fail in their collective call; that error is an echo, and a restart helps."""
    prompts = prompts_of(local, TEXTS)
    batch = batch_of(prompts, local.generate(prompts, Sampling(max_new_tokens=12, group_size=6)))
    with open_ranks(*cluster_layout(model_dir, ranks=2, rank_timeout_s=40.0), tmp_path) as learner:
        os.kill(processes("_Rank")[1].pid, signal.SIGSTOP)
        with pytest.raises(EngineLost, match="rank"):
            learner.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)


def test_a_cluster_that_is_too_small_is_an_error_at_once(cluster):
    from reasonrl.engines.remote import check_room
    from reasonrl.errors import ConfigError

    with pytest.raises(ConfigError, match="needs 8 GPUs, the cluster has 0"):
        check_room(cpus=1, gpus=8, gpus_together=1)


def double(items):
    time.sleep(0.05)
    return [2 * item for item in items]


def build_double():
    return double


def test_a_killed_verifier_is_replaced_and_its_part_done_again(cluster, tmp_path):
    events = []
    seats = node_seats()
    assert len(seats) == 2
    with Crew(build_double, seats, logs=tmp_path, part_size=4, on_event=events.append) as crew:
        assert crew(range(10)) == [2 * n for n in range(10)]
        [victim, _] = processes("_Member")
        killer = soon(victim.kill)
        assert crew(range(800)) == [2 * n for n in range(800)]
        killer.join()
    assert len(events) == 1
    assert "judged again" in events[0]


def test_a_verifier_whose_node_is_gone_works_elsewhere(cluster, tmp_path):
    from reasonrl.engines.remote import Seat

    events = []
    gone = Seat(node_id="ab" * 28)
    with Crew(build_double, [gone], logs=tmp_path, part_size=4, on_event=events.append) as crew:
        assert crew(range(10)) == [2 * n for n in range(10)]
    assert len(events) == 1
