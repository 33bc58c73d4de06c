"""A recipe with rewards of one's own, as a user runs it: trained, killed, resumed, refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.e2e.support import RECIPES, metrics_of, reasonrl, rollouts_of
from tests.e2e.support import reasonrl_here as here

pytestmark = pytest.mark.xdist_group("own-reward")  # the run is made once

REWARDS = """
from helper import most

def short(record):
    return max(0.0, 1 - record.tokens / most(record)), f"{record.tokens} tokens"

def rank(records):
    order = sorted(range(len(records)), key=lambda n: records[n].tokens)
    return [order.index(n) / len(order) for n in range(len(records))]

def broken(record):
    if record.tokens % 2:
        raise ValueError("odd")
    return 1.0

def always(record):
    raise KeyError("level")
"""
RECIPE = """
extends = "{tiny}"
name = "own"

[[reward]]
type = "verifier"

[[reward]]
type = "function"
name = "short"
function = "rewards.py:short"
weight = 0.5

[[reward]]
type = "function"
name = "rank"
function = "rewards.py:rank"
batch = true
weight = 0.1
bounds = [0.0, 0.5]

[[reward]]
type = "overlong"
buffer = 3
weight = 0.25

[[reward]]
type = "language"
combine = "gate"
"""
SHORT = ("--set", "engine.threads=1", "--set", "stage.1.steps=4", "--set", "stage.2.steps=2",
         "--set", "checkpoint.every=2")  # fmt: skip


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    (folder / "rewards.py").write_text(REWARDS)
    (folder / "helper.py").write_text("def most(record):\n    return record.max_new_tokens\n")
    (folder / "own.toml").write_text(RECIPE.format(tiny=RECIPES / "tiny.toml"))
    return folder / "own.toml"


@pytest.fixture(scope="module")
def run(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("run") / "run"
    done = here("train", recipe, "--run-dir", directory, *SHORT)
    assert done.returncode == 0, done.stderr
    return directory


def test_the_total_is_the_formula_over_the_recorded_components(run: Path) -> None:
    rows = [row for path in sorted((run / "rollouts").iterdir())
            for row in pq.read_table(path).to_pylist()]  # fmt: skip
    assert len(rows) == 4 * 256 + 2 * 384
    for row in rows:
        part = {name.removeprefix("reward/"): row[name] for name in row if "reward/" in name}
        summed = part["verifier"] + 0.5 * part["short"] + 0.1 * part["rank"]
        assert row["reward"] == pytest.approx((summed + 0.25 * part["overlong"]) * part["language"])
        assert 0 <= part["rank"] <= 0.5
        assert json.loads(row["reward_notes"])["short"] == f"{len(row['tokens'])} tokens"
        assert part["verifier"] == float(row["status"] == "CORRECT")


def test_each_component_is_a_metric_and_a_line_of_the_report(run: Path) -> None:
    page = (run / "report.html").read_text()
    row = metrics_of(run)[-1]
    for name in ("verifier", "short", "rank", "overlong", "language"):
        assert {f"reward/{name}/mean", f"reward/{name}/std", f"reward/{name}/masked"} <= row.keys()
        assert f"train: {name}" in page
    assert "Reward" in page
    evaluation = json.loads((run / "evaluations.jsonl").read_text().splitlines()[-1])
    assert evaluation["components"].keys() == {"verifier", "short", "rank", "overlong", "language"}
    assert evaluation["accuracy"]["value"] == evaluation["components"]["verifier"]["value"]


def test_a_killed_run_resumes_to_the_bit_with_its_own_copy(
    recipe: Path, run: Path, tmp_path: Path
) -> None:
    import signal
    import subprocess
    import time

    from tests.e2e.support import COMMAND

    killed = tmp_path / "killed"
    process = subprocess.Popen([*COMMAND, "train", recipe, "--run-dir", killed, *SHORT])
    metrics = killed / "metrics.jsonl"
    while not (metrics.exists() and metrics.read_text().count("\n") >= 3):
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    saved = (recipe.parent / "rewards.py").read_text()
    try:
        (recipe.parent / "rewards.py").write_text("def short(record):\n    return 9\n")
        done = reasonrl("resume", killed)
    finally:
        (recipe.parent / "rewards.py").write_text(saved)
    assert done.returncode == 0, done.stderr
    assert "rewards.py has changed since the run began" in done.stdout
    assert f"`reasonrl train RECIPE --from {killed}`" in done.stdout
    assert metrics_of(killed) == metrics_of(run)
    assert rollouts_of(killed) == rollouts_of(run)
    ours, theirs = (json.loads((one / "summary.json").read_text()) for one in (killed, run))
    assert ours["weights_sha256"] == theirs["weights_sha256"]


def test_an_evaluation_of_the_run_scores_the_same_components(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "run"
    shutil.copytree(run, moved)  # its code/ goes with it
    out = tmp_path / "eval"
    done = here("eval", moved, "--out", out, "--set", "engine.threads=1")
    assert done.returncode == 0, done.stderr
    assert "mean reward total" in done.stdout
    (suite,) = json.loads((out / "results.json").read_text())["models"][0]["suites"]
    online = json.loads((run / "evaluations.jsonl").read_text().splitlines()[-1])
    assert suite["reward"] == online["reward"]
    assert suite["components"] == online["components"]
    again = here("eval", moved, "--out", out, "--set", "engine.threads=1")
    assert "has been evaluated" in again.stdout
    (suite,) = json.loads((out / "results.json").read_text())["models"][0]["suites"]
    assert suite["components"] == online["components"]


def own(recipe: Path, tables: str) -> Path:
    path = recipe.with_name("other.toml")
    path.write_text(f'extends = "{RECIPES / "tiny.toml"}"\nname = "other"\n{tables}')
    return path


FUNCTION = '[[reward]]\ntype = "function"\nfunction = "rewards.py:{name}"\n{more}'


def test_without_a_verifier_accuracy_is_null(recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    path = own(recipe, FUNCTION.format(name="short", more=""))
    done = here("train", path, "--run-dir", run, *SHORT)
    assert done.returncode == 0, done.stderr
    rows = metrics_of(run)
    assert {row["accuracy/all"] for row in rows} == {None}
    assert rows[-1]["reward/mean"] > rows[0]["reward/mean"]
    assert rows[0]["groups/solved"] == rows[0]["groups/unsolved"] == 0
    assert {row["status"] for row in rollouts_of(run)} == {None}
    evaluation = json.loads((run / "evaluations.jsonl").read_text().splitlines()[-1])
    assert evaluation["accuracy"] is None
    assert evaluation["pass_at"] == {}
    assert evaluation["reward"]["value"] > 0
    assert "reward=" in done.stdout


def test_failures_below_the_share_are_masked_and_counted(recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    tables = FUNCTION.format(name="broken", more='[[reward]]\ntype = "verifier"\n')
    done = here(
        "train", own(recipe, tables), "--run-dir", run, *SHORT,
        "--set", "verify.max_failed_share=1.0",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "reward function failed and masks rollouts" in done.stdout
    assert 'raise ValueError("odd")' in done.stdout
    for row in metrics_of(run):
        assert row["rollout/failed"] == row["reward/function/masked"] > 0
    rows = rollouts_of(run)
    assert all((row["reward"] is None) == (len(row["tokens"]) % 2 == 1) for row in rows)


def test_failures_above_the_share_stop_the_run_resumable(recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = here("train", own(recipe, FUNCTION.format(name="always", more="")), "--run-dir", run,
                *SHORT, "--set", "suite=[]")  # fmt: skip
    assert done.returncode == 2
    assert "256 of 256 rollouts of one step could not be judged by reward function" in done.stderr
    assert "KeyError: 'level' (rewards.py:" in done.stderr
    assert "continue with: reasonrl resume" in done.stderr


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (FUNCTION.format(name="nothing", more=""), "has no function 'nothing'; use one of"),
        (FUNCTION.format(name="short", more="weight = 0"), "no reward table adds to the total"),
        ('[[reward]]\ntype = "length"\n', "asks for the verifier's verdicts; add a table"),
        ('[[reward]]\ntype = "verifier"\n' * 2, "two reward tables are named 'verifier'"),
        ('[[reward]]\ntype = "verifier"\ncombine = "gate"\nweight = 2.0', "has no weight"),
        ('[[reward]]\ntype = "verifier"\nbounds = [1, 0]', "put the smaller number first"),
        ('[[reward]]\ntype = "function"\nfunction = "rewards.py"', "reward.1.function"),
        ('[[reward]]\ntype = "overlong"', "reward.1.buffer"),
        ('[[reward]]\ntype = "verifiers"', "reward.1"),
    ],
)
def test_a_wrong_table_is_refused_before_anything_is_made(
    recipe: Path, tables: str, said: str, tmp_path: Path
) -> None:
    done = here("train", own(recipe, tables), "--run-dir", tmp_path / "run", *SHORT)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "run").exists()


def test_drop_solved_asks_the_verifier(recipe: Path, tmp_path: Path) -> None:
    path = own(recipe, FUNCTION.format(name="short", more=""))
    done = here("train", path, "--run-dir", tmp_path / "run", "--set", "stage.2.drop_solved=true")
    assert "drop_solved asks the verifier" in done.stderr


def test_nothing_but_train_resume_and_eval_imports_the_function(
    recipe: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "imported"
    (recipe.parent / "loud.py").write_text(f"open({str(mark)!r}, 'w')\ndef f(r):\n    return 1\n")
    path = own(recipe, '[[reward]]\ntype = "function"\nfunction = "loud.py:f"\n')
    for command in (("show-config", path), ("plan", path), ("data", "check", path)):
        here(*command)
        assert not mark.exists(), command
