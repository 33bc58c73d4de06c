"""`reasonrl replay` and `audit`: a step comes out as it was recorded, or what differs is named.

tests/e2e/replay.py computes steps by other code; here the trainer repeats its own.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file, save_file

from tests.e2e.support import RECIPES
from tests.e2e.support import reasonrl_here as reasonrl

STEP = 7
SHORT = ("engine.threads=1", "stage.1.steps=6", "stage.2.steps=6",
         "checkpoint.every=3", "checkpoint.keep=9")  # fmt: skip
RUNS = {
    "plain": (),
    "minibatches, reuse, KL and refill": (
        "update.minibatches=2", "update.reuse=2", "update.kl_coefficient=0.05",
        "rollout.refill_rounds=1", "rollout.prompts_per_step=8", "update.learning_rate=4e-3",
    ),
    "components and sums": (
        'reward=[{type="verifier"}, {type="repetition", weight=0.5}]', 'record.tokens="sums"',
        'update.truncation="mask-before"',
    ),
}  # fmt: skip


def words(settings):
    return [word for setting in settings for word in ("--set", setting)]


@pytest.fixture(scope="module", params=RUNS)
def any_run(request, tmp_path_factory):
    return make(tmp_path_factory.mktemp("runs") / "run", RUNS[request.param])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make(tmp_path_factory.mktemp("plain") / "run", ())


def make(directory: Path, settings) -> Path:
    done = reasonrl(
        "train", RECIPES / "tiny.toml", "--run-dir", directory, *words((*SHORT, *settings))
    )
    assert done.returncode == 0, done.stderr
    return directory


def replayed(run, step, *options):
    done = reasonrl("replay", run, "--step", step, "--json", *options)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def test_steps_come_out_equal_to_the_bit(any_run):
    for step in random.Random(3).sample(range(1, 13), 4):
        code, found = replayed(any_run, step)
        assert found["differences"] == []
        assert code == 0
        assert found["exact"]
        assert found["weights"].startswith("compared")
        assert found["compared"]["advantage"] >= 128
    _, found = replayed(any_run, STEP)
    lists = pq.read_table(any_run / "learner" / "step-000007.parquet")["old_logprobs"]
    assert ("old_logprobs" in found["compared"]) == (lists.null_count == 0)


def test_a_step_that_is_sampled_again_has_the_same_rollouts(any_run):
    code, found = replayed(any_run, STEP, "--sample")
    assert (code, found["differences"]) == (0, [])


def test_a_rollout_is_drawn_again_and_its_verdict_explained(run):
    rows = pq.read_table(run / "rollouts" / f"step-{STEP:06d}.parquet").to_pylist()
    done = reasonrl("replay", run, "--step", STEP, "--rollout", rows[20]["rollout_id"])
    assert done.returncode == 0, done.stderr
    assert "equal: its tokens, log-probabilities, text and verdict" in done.stdout
    assert "second route" in done.stdout
    unknown = reasonrl("replay", run, "--step", STEP, "--rollout", "train-7-0/nothing/0")
    assert unknown.returncode == 2
    assert rows[0]["rollout_id"] in unknown.stderr


# faults


def spoil_table(path: Path, column: str, change) -> None:
    table = pq.read_table(path)
    rows = table.to_pylist()
    # A rollout that was trained, so that every column has a value.
    number = next(n for n, row in enumerate(rows) if row.get("signal", "kept") == "kept")
    rows[number][column] = change(rows[number][column])
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


def spoil_metrics(path: Path, key: str, change) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[STEP - 1][key] = change(lines[STEP - 1][key])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def first_changed(change):
    return lambda values: [change(values[0]), *values[1:]]


ROLLOUTS = {
    "tokens": first_changed(lambda token: token + 1),
    "logprobs": first_changed(lambda value: value - 1e-3),
    "prompt_tokens": first_changed(lambda token: token + 1),
    "text": lambda text: text + "0",
    "stop": lambda stop: "length" if stop == "stop" else "stop",
    "version": lambda version: version - 1,
    "reward": lambda reward: 1.0 - reward,
    "status": lambda status: "EMPTY_BOX",
    "extracted": lambda text: text + "1",
    "advantage": lambda value: value * (1 + 1e-12),
    "signal": lambda signal: "solved",
    "masked": lambda masked: not masked,
    "problem_id": lambda name: name + "x",
    "answer": lambda answer: answer + "0",
}
LEARNER = {
    "old_logprobs": first_changed(lambda value: value * (1 + 1e-6)),
    "entropies": first_changed(lambda value: value * (1 + 1e-6)),
    "old_logprob_sum": lambda value: value * (1 + 1e-12),
    "entropy_sum": lambda value: value * (1 + 1e-12),
    "n_tokens": lambda n: n + 1,
}
METRICS = (
    "update/gradient_norm", "update/policy", "update/ratio_mean", "entropy/nats", "entropy/alpha",
    "entropy/c", "entropy/full_nats", "groups/kept", "reward/mean", "update/learning_rate",
    "rollout/mean_tokens", "update/gap_max",
)  # fmt: skip


@pytest.fixture
def copy(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("column", ROLLOUTS)
def test_a_fault_in_the_rollouts_is_found_and_named(copy, column):
    spoil_table(copy / "rollouts" / f"step-{STEP:06d}.parquet", column, ROLLOUTS[column])
    code, found = replayed(copy, STEP)
    assert code == 1
    assert any(column in one["what"].replace(",", "").split() for one in found["differences"])


@pytest.mark.parametrize("column", LEARNER)
def test_a_fault_in_the_learners_numbers_is_found_and_named(copy, column):
    spoil_table(copy / "learner" / f"step-{STEP:06d}.parquet", column, LEARNER[column])
    code, found = replayed(copy, STEP)
    assert code == 1
    assert found["differences"][0]["what"].startswith(column)


@pytest.mark.parametrize("key", METRICS)
def test_a_fault_in_a_metric_is_found_and_named(copy, key):
    spoil_metrics(copy / "metrics.jsonl", key, lambda value: value + 1)
    code, found = replayed(copy, STEP)
    assert code == 1
    assert [one["what"] for one in found["differences"]] == [key]


def test_a_fault_in_the_weights_is_found_and_named(copy):
    path = copy / "checkpoints" / "step-000009" / "engine.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if name.startswith("weight."))
    tensors[name].view(-1)[0] += 1e-6
    save_file(tensors, path)
    code, found = replayed(copy, 9)
    assert code == 1
    assert [one["where"] for one in found["differences"]] == [name]
    # A step that would begin with these weights cannot be repeated.
    code, said = replayed(copy, 10)
    assert code == 2
    assert "have changed" in said


def test_what_cannot_be_repeated_is_said(copy, tmp_path):
    for step, missing in ((99, "is not recorded"), (STEP, "cannot be read")):
        (copy / "rollouts" / f"step-{step:06d}.parquet").write_bytes(b"torn")
        code, said = replayed(copy, step)
        assert code == 2
        assert missing in said
    code, said = replayed(tmp_path / "nothing", 1)
    assert code == 2


def test_a_metric_that_the_runs_version_did_not_know_is_no_difference(copy):
    path = copy / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        del row["advantage/right_minus_wrong"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert replayed(copy, STEP)[0] == 0
    del rows[STEP - 1]["reward/mean"]  # of one step alone it is a fault
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, found = replayed(copy, STEP)
    assert (code, found["differences"][0]["what"]) == (1, "reward/mean")


# audit


def test_a_run_that_holds_together_is_told_so(any_run):
    done = reasonrl("audit", any_run)
    assert (done.returncode, "all holds" in done.stdout) == (0, True), done.stdout


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda run: spoil_metrics(run / "metrics.jsonl", "rollout/trained", lambda n: n + 1),
         "are not trained + masked + zero-signal + failed"),
        (lambda run: spoil_metrics(run / "metrics.jsonl", "groups/solved", lambda n: n + 1),
         "groups/solved"),
        (lambda run: spoil_metrics(run / "metrics.jsonl", "version", lambda n: n + 1),
         "version grew"),
        (lambda run: spoil_table(run / "rollouts/step-000007.parquet", "rollout_id",
                                 lambda name: name[:-1] + "1"), "two rollouts have one id"),
        (lambda run: spoil_table(run / "rollouts/step-000007.parquet", "logprobs",
                                 lambda values: values[1:]), "tokens have"),
        (lambda run: spoil_table(run / "learner/step-000007.parquet", "n_tokens", lambda n: n + 1),
         "learner/ has other"),
        (lambda run: (run / "rollouts/step-000003.parquet").unlink(), "step 3"),
        (lambda run: (run / "evaluations/train/step-000000.parquet").unlink(),
         "evaluation of train at step 0"),
        (lambda run: spoil_table(run / "evaluations/train/step-000000.parquet", "status",
                                 lambda _: "CORRECT"), "the counts of verdicts"),
        (lambda run: spoil_table(run / "evaluations/train/step-000000.parquet", "problem_id",
                                 lambda name: name + "x"), "of each problem"),
        (lambda run: (run / "checkpoints/step-000006/engine.safetensors").write_bytes(b"x"),
         "have changed"),
        (lambda run: (run / "model/model.safetensors").write_bytes(b"x"), "is not the model"),
        (lambda run: (run / "config.toml").write_text(
            (run / "config.toml").read_text().replace("seed = 1", "seed = 2", 1)), "was edited"),
    ],
)  # fmt: skip
def test_a_record_that_does_not_hold_is_named(copy, spoil, said):
    spoil(copy)
    done = reasonrl("audit", copy)
    assert done.returncode == 1
    assert said in done.stdout


def test_no_run_to_audit_is_exit_code_two(tmp_path):
    assert reasonrl("audit", tmp_path).returncode == 2
