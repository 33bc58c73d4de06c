"""A run that dies at any instant and is resumed equals one that never died, bit for bit."""

import os
import signal
import subprocess
import time

import pytest

from tests.e2e.support import COMMAND, RECIPES, reasonrl, trace_of

# Off-policy, two stages, everything stateful switched on, a checkpoint every other step.
SETTINGS = {
    "engine.threads": 1,
    "checkpoint.every": 2,
    "stage.1.steps": 5,
    "stage.2.steps": 5,
    "stage.2.optimizer_state": '"reset"',
    "stage.2.drop_solved": "true",
    "update.minibatches": 2,
    "update.kl_coefficient": 0.01,
    "rollout.refill_rounds": 1,
    "suite": '[{name = "s", sources = [{type = "arithmetic", operators = ["add"], max_operand = 4,'
    " heldout = 5}], max_new_tokens = 4, k = 2, every = 3}]",
}
RECIPE = (RECIPES / "tiny.toml", *(f"--set={key}={value}" for key, value in SETTINGS.items()))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole") / "run"
    done = reasonrl("train", *RECIPE, "--run-dir", directory)
    assert done.returncode == 0, done.stderr
    return trace_of(directory)


def kill_when(run, is_time, *more):
    """Start a run and SIGKILL it as soon as a condition on its files holds."""
    with subprocess.Popen(
        [*COMMAND, "train", *map(str, RECIPE), *more, "--run-dir", str(run)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 120
        while not is_time(run):
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.0005)
        os.killpg(process.pid, signal.SIGKILL)
    assert not (run / "summary.json").exists()


def lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


INSTANTS = {
    "before the first checkpoint": lambda run: lines(run / "metrics.jsonl") >= 1,
    "while a checkpoint is written": lambda run: any((run / "checkpoints").glob(".writing-000004")),
    "between checkpoints": lambda run: lines(run / "metrics.jsonl") >= 5,
    "after an evaluation": lambda run: lines(run / "evaluations.jsonl") >= 3,
    "in the second stage": lambda run: (run / "rollouts" / "step-000008.parquet").exists(),
}


@pytest.mark.parametrize("instant", INSTANTS)
def test_resumed_equals_uninterrupted_after_sigkill(instant, uninterrupted, tmp_path):
    run = tmp_path / "run"
    kill_when(run, INSTANTS[instant])
    done = reasonrl("resume", run)
    assert done.returncode == 0, done.stderr
    assert trace_of(run) == uninterrupted


@pytest.mark.parametrize(
    "more",
    [
        ("--set=model.backend=transformers",),
        ("--set=model.name=tiny:qwen3_moe", "--set=update.router_loss=model"),
    ],
    ids=["plain backend", "experts"],
)
def test_other_ways_to_compute_resume_to_the_bit_too(more, tmp_path):
    whole, run = tmp_path / "whole", tmp_path / "run"
    done = reasonrl("train", *RECIPE, *more, "--run-dir", whole)
    assert done.returncode == 0, done.stderr
    kill_when(run, INSTANTS["between checkpoints"], *more)
    done = reasonrl("resume", run)
    assert done.returncode == 0, done.stderr
    assert trace_of(run) == trace_of(whole)


@pytest.mark.long
def test_a_run_killed_again_and_again_still_ends_the_same(uninterrupted, tmp_path):
    run = tmp_path / "run"
    kill_when(run, INSTANTS["before the first checkpoint"])
    for step in (3, 7):
        with subprocess.Popen(
            [*COMMAND, "resume", str(run)], stdout=subprocess.DEVNULL, start_new_session=True
        ) as process:
            while lines(run / "metrics.jsonl") < step:
                assert process.poll() is None
                time.sleep(0.0005)
            os.killpg(process.pid, signal.SIGKILL)
    assert reasonrl("resume", run).returncode == 0
    assert trace_of(run) == uninterrupted


def test_ctrl_c_leaves_a_resumable_run_and_says_how(uninterrupted, tmp_path):
    run = tmp_path / "run"
    with subprocess.Popen(
        [*COMMAND, "train", *map(str, RECIPE), "--run-dir", str(run)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        while lines(run / "metrics.jsonl") < 3:
            assert process.poll() is None
            time.sleep(0.0005)
        os.kill(process.pid, signal.SIGINT)
        output = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert f"reasonrl resume {run}" in output.replace("\n", "")
    assert reasonrl("resume", run).returncode == 0
    assert trace_of(run) == uninterrupted
