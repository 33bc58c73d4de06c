"""Steps of a run are computed again from its files alone, by a program that shares no code with it.

`replay` imports nothing of the package, and this module only runs the command.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.e2e.replay import Run, replay_step

pytestmark = pytest.mark.xdist_group("replay")  # the runs are made once

REPOSITORY = Path(__file__).resolve().parents[2]
STEPS = 10

SHORT = {
    "engine.threads": "1", "suite": "[]", "checkpoint.every": "1", "checkpoint.keep": "99",
    "stage.1.steps": "5", "stage.2.steps": "5", "rollout.max_prompt_tokens": "256",
    "optimizer.weight_decay": "0.1", "model.system_prompt": '"Add the numbers."',
}  # fmt: skip
# The targets lie inside the range of the entropy, so that the controller moves both ways.
RECIPES = {
    "plain": {"entropy.target_nats": "2.6", "entropy.delta": "4e-3"},
    "minibatches, KL and refill": {
        "entropy.mode": '"report"', "entropy.target_nats": "2.3", "entropy.delta": "4e-3",
        "entropy.maximum": "0.01", "update.minibatches": "2", "update.kl_coefficient": "0.05",
        "rollout.refill_rounds": "1", "rollout.prompts_per_step": "8",
    },
}  # fmt: skip


def train(recipe: Path | str, run: Path, settings: dict[str, str]) -> Path:
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "reasonrl", "train", recipe, "--run-dir", run, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    """A directory with a model that has begun to add, and problems with turns before them."""
    directory = tmp_path_factory.mktemp("start")
    train("tiny", directory / "run", {"engine.threads": "1", "suite": "[]", "stage.1.steps": "5",
                                      "stage.2.steps": "5"})  # fmt: skip
    shots = [("user", "What is 1 + 1?"), ("assistant", "2"), ("user", "What is 0 + 3?"),
             ("assistant", "3")]  # fmt: skip
    with (directory / "sums.jsonl").open("w") as file:
        for a in range(5):
            for b in range(5):
                turns = [*shots, ("user", f"What is {a} + {b}?")]
                prompt = [{"role": role, "content": content} for role, content in turns]
                row = {"id": f"{a}+{b}", "prompt": prompt, "answer": str(a + b)}
                file.write(json.dumps(row) + "\n")
    return directory


@pytest.fixture(scope="module")
def runs(start, tmp_path_factory) -> dict[str, Run]:
    """A run of each recipe, from the model that has begun to add."""
    made = {}
    for name, settings in RECIPES.items():
        sources = f'[{{type = "file", path = "{start / "sums.jsonl"}"}}]'
        model = {"model.name": json.dumps(str(start / "run" / "model")), "data.sources": sources}
        run = train("tiny", tmp_path_factory.mktemp("run") / "run", {**SHORT, **settings, **model})
        made[name] = Run(run, start / "run" / "model")
    return made


def test_the_replay_shares_no_code_with_the_package():
    for file in (Path(__file__), Path(__file__).with_name("replay.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.partition(".")[0] == "reasonrl"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_recorded_steps_are_what_the_equations_give(recipe, runs):
    run = runs[recipe]
    assert len(run.metrics) == STEPS
    assert [text for step in range(1, STEPS + 1) for text in replay_step(run, step)] == []


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_replayed_runs_have_what_could_go_wrong(recipe, runs):
    rows = runs[recipe].metrics
    assert all(row["groups/kept"] for row in rows)
    assert 0 < sum(bool(row["entropy/alpha"]) for row in rows) < len(rows)
    c = [row["entropy/c"] for row in rows]
    assert any(b > a for a, b in pairwise(c)), "the controller never rises"
    assert any(b < a for a, b in pairwise(c)), "the controller never falls"
    assert any(row["update/gradient_norm"] > 1 for row in rows), "no gradient was clipped"
    turns = pq.read_table(runs[recipe].directory / "rollouts" / "step-000001.parquet")
    assert {len(prompt) for prompt in turns["prompt_turns"].to_pylist()} == {6}
    if recipe != "plain":
        assert all(row["update/n"] == 2 and row["update/kl"] > 0 for row in rows[1:])
        assert any(row["update/clipped_share"] > 0 for row in rows)
        assert any(row["rollout/sampled"] > 8 * 24 for row in rows)


def plant(row: dict, column: str) -> None:
    """Change one number of a rollout."""
    if column == "advantage":
        row[column] += 1e-6
    elif column == "logprobs":
        row[column][0] += 1e-3
    elif column == "reward":
        row[column] = 1.0 - row[column]
    else:
        row[column][-1] -= 1


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("advantage", "advantage of train-4-0/"),
        ("logprobs", "logprobs of train-4-0/"),
        ("reward", "advantage of train-4-0/"),
        ("prompt_tokens", "prompt of train-4-0/"),
        ("tokens", "weights: distance of the step"),
    ],
)
def test_one_number_that_was_planted_is_found(column, said, runs, start, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(runs["plain"].directory, copy)
    path = copy / "rollouts" / "step-000004.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    plant(next(row for row in rows if row["signal"] == "kept"), column)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    run = Run(copy, start / "run" / "model")
    assert replay_step(run, 3) == []
    assert said in "\n".join(replay_step(run, 4))


def test_a_line_of_metrics_that_was_changed_is_found(runs):
    line = runs["plain"].metrics[3]
    for key, change in (("update/gradient_norm", 1.001), ("entropy/nats", 1.0001)):
        recorded, line[key] = line[key], line[key] * change
        assert key in "\n".join(replay_step(runs["plain"], 4))
        line[key] = recorded
    assert replay_step(runs["plain"], 4) == []
