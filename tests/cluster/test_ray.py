"""Whole runs on ranks and local replicas: the curves of one process, after any loss.

Every run here is the tiny recipe with a model that vLLM can compute. With local replicas the same
tokens are sampled as in one process, so runs are compared number by number.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.cluster.runs import ON_RAY, check_conserved, check_same, exact, settings, train
from tests.cluster.support import actors_below
from tests.e2e.support import COMMAND, RECIPES, metrics_of, reasonrl, rollouts_of


@pytest.fixture(scope="module")
def in_one_process(model_dir, tmp_path_factory) -> Path:
    return train(tmp_path_factory.mktemp("runs") / "local", model_dir)


@pytest.fixture(scope="module")
def on_ray(model_dir, tmp_path_factory) -> Path:
    return train(tmp_path_factory.mktemp("runs") / "ray", model_dir, *ON_RAY)


def test_two_ranks_and_replicas_on_ray_train_as_one_process_does(on_ray, in_one_process):
    check_same(on_ray, in_one_process)
    check_conserved(on_ray)


def test_the_final_model_is_the_one_that_was_trained(on_ray, in_one_process):
    from safetensors.torch import load_file

    mine, theirs = (load_file(r / "model" / "model.safetensors") for r in (on_ray, in_one_process))
    assert mine.keys() == theirs.keys()
    for name, value in theirs.items():
        assert float((mine[name] - value).abs().mean()) < 1e-4, name


def test_without_staleness_a_pipelined_run_is_the_synchronous_one(on_ray, model_dir, tmp_path):
    run = train(tmp_path / "run", model_dir, *ON_RAY, "pipeline.staleness=0")
    assert (run / "config.toml").read_text().count("staleness = 0") == 1
    assert rollouts_of(run) == rollouts_of(on_ray)
    assert metrics_of(run) == metrics_of(on_ray)
    one, other = (path / "model" / "model.safetensors" for path in (run, on_ray))
    assert one.read_bytes() == other.read_bytes()


def start(run: Path, model: Path, *more: str) -> subprocess.Popen[str]:
    words = ["train", str(RECIPES / "tiny.toml"), "--run-dir", str(run), *settings(model, *more)]
    with (run.parent / "out.txt").open("w") as out:
        return subprocess.Popen([*COMMAND, *words], stdout=out, stderr=out, text=True)


def wait_for_step(run: Path, step: int, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 200
    path = run / "metrics.jsonl"
    while not path.exists() or len(path.read_text().splitlines()) < step:
        assert process.poll() is None, (run.parent / "out.txt").read_text()
        assert time.monotonic() < end, "no progress"
        time.sleep(0.02)


def actors_of(process: subprocess.Popen[str], kind: str) -> list[psutil.Process]:
    return actors_below(psutil.Process(process.pid), kind)


def event_of_a_loss(run: Path, model: Path, on_ray: Path, kind: str, number: int) -> str:
    """Kill an actor of a run, which must end as the undisturbed one; return its only event."""
    process = start(run, model, *ON_RAY)
    wait_for_step(run, 5, process)
    actors_of(process, kind)[number].kill()
    assert process.wait(timeout=200) == 0, (run.parent / "out.txt").read_text()
    events = [json.loads(line)["event"] for line in (run / "events.jsonl").read_text().splitlines()]
    assert len(events) == 1
    assert exact(run) == exact(on_ray)
    check_conserved(run)
    return events[0]


def test_a_run_that_loses_a_replica_goes_on_without_a_restart(model_dir, on_ray, tmp_path):
    event = event_of_a_loss(tmp_path / "run", model_dir, on_ray, "Replica", 0)
    assert "replica-0 is lost" in event


def test_a_run_that_loses_a_rank_starts_again_by_itself(model_dir, on_ray, tmp_path):
    event = event_of_a_loss(tmp_path / "run", model_dir, on_ray, "_Rank", 1)
    assert "starting again from the last checkpoint" in event


def test_a_run_whose_driver_is_killed_is_resumed_and_leaves_no_actor(model_dir, on_ray, tmp_path):
    run = tmp_path / "run"
    process = start(run, model_dir, *ON_RAY)
    wait_for_step(run, 4, process)
    actors = actors_of(process, "_Rank") + actors_of(process, "Replica")
    assert len(actors) == 3
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(actors, timeout=30)
    assert not alive
    done = reasonrl("resume", run)
    assert done.returncode == 0, done.stderr
    assert exact(run) == exact(on_ray)
    check_conserved(run)


def test_a_run_goes_on_with_another_number_of_ranks(model_dir, on_ray, tmp_path):
    """2 -> 1 -> 2: each leg is stopped by a person and resumed elsewhere."""
    run = tmp_path / "run"
    process = start(run, model_dir, *ON_RAY)
    wait_for_step(run, 4, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=100) == 130
    words = [*COMMAND, "resume", str(run), "--set", "engine.learner.ranks=1"]
    with (tmp_path / "out.txt").open("w") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, text=True)
    wait_for_step(run, 10, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=100) == 130
    done = reasonrl("resume", run, "--set", "engine.learner.ranks=2")
    assert done.returncode == 0, done.stderr
    check_same(run, on_ray)
    check_conserved(run)


def test_a_run_on_a_cluster_that_is_there_already(cluster_address, model_dir, on_ray, tmp_path):
    """Two nodes and a wire: replicas and ranks wherever there is room, a verifier on each node."""
    run = tmp_path / "run"
    words = ["train", RECIPES / "tiny.toml", "--run-dir", run, "--address", cluster_address]
    more = (*ON_RAY, "engine.rollout.replicas=2", "engine.sync=wire")
    done = reasonrl(*words, *settings(model_dir, *more))
    assert done.returncode == 0, done.stderr
    check_same(run, on_ray)
    check_conserved(run)
    assert not (run / "events.jsonl").exists()  # the wire would say that it failed
    names = {path.name for path in (run / "logs").iterdir()}
    assert names == {
        "rank-0.log", "rank-1.log", "replica-0.log", "replica-1.log",
        "verifier-0.log", "verifier-1.log",
    }  # fmt: skip


def test_replicas_and_ranks_that_share_their_seats_train_the_same(model_dir, on_ray, tmp_path):
    run = train(tmp_path / "run", model_dir, *ON_RAY, "engine.placement=shared")
    check_same(run, on_ray)
