"""`reasonrl doctor`: sick runs are named with the right cause and a command that runs."""

import json
import shlex

import pytest

from tests.e2e.support import RECIPES, reasonrl
from tests.e2e.support import reasonrl_here as here

SHORT = ("stage.1.steps=24", "stage.2.steps=12", "engine.threads=1", "suite=[]")


def train(run, *settings):
    words = [word for setting in (*SHORT, *settings) for word in ("--set", setting)]
    done = reasonrl("train", RECIPES / "tiny.toml", "--run-dir", run, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def findings(run):
    done = here("doctor", run, "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == (1 if found else 0)
    return {each["rule"]: each for each in found}


def test_a_healthy_run_is_healthy(tmp_path):
    # With the recipe's own rate, twice as high, the model ends with one answer to everything.
    said = train(tmp_path / "run", "update.learning_rate=1e-3")
    assert "doctor:" not in said
    assert findings(tmp_path / "run") == {}
    assert "nothing found" in here("doctor", tmp_path / "run").stdout


@pytest.mark.parametrize(
    ("rule", "settings", "key"),
    [
        ("policy-broken", ("stage.2.update.learning_rate=0.3",), "stage.2.update.learning_rate"),
        ("truncated", ("stage.2.rollout.max_new_tokens=1",), "stage.2.rollout.max_new_tokens"),
    ],
)
def test_a_run_that_falls_sick_in_its_second_stage_is_named(rule, settings, key, tmp_path):
    run = tmp_path / "run"
    said = train(run, "checkpoint.every=4", "checkpoint.keep=20", *settings)
    assert "doctor: " in said
    finding = findings(run)[rule]
    assert finding["key"] == key
    assert 24 < finding["since_step"] <= 32
    assert finding["rollouts"].endswith(".parquet")
    command = shlex.split(finding["command"])
    assert command[:2] == ["reasonrl", "train"]
    assert f"{run}@24" in command
    cured = reasonrl(*command[1:], "--run-dir", tmp_path / "cured")
    assert cured.returncode == 0, cured.stderr


def test_no_run_is_exit_code_two(tmp_path):
    done = here("doctor", tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


LOST = ("stage.2.update.learning_rate=0.05", 'doctor.stop_on=["policy-broken"]')


def test_a_run_that_is_lost_ends_with_a_way_on_and_its_last_good_checkpoint(tmp_path):
    run = tmp_path / "run"
    words = [word for setting in (*SHORT, *LOST, "checkpoint.every=4")
             for word in ("--set", setting)]  # fmt: skip
    lost = reasonrl("train", RECIPES / "tiny.toml", "--run-dir", run, *words)
    assert lost.returncode == 2
    assert "ended by doctor.stop_on" in lost.stderr
    assert "Traceback" not in lost.stderr
    points = [path.name for path in (run / "checkpoints").iterdir()]
    ended, since = int(max(points)[-6:]), findings(run)["policy-broken"]["since_step"]
    assert since <= ended < 36
    cure = shlex.split(lost.stderr.split("cure: `")[1].split("`")[0])
    start = int(cure[cure.index("--from-state") + 1].rpartition("@")[2])
    assert start < since
    cured = reasonrl(*cure[1:], "--run-dir", tmp_path / "cured")
    assert cured.returncode == 0, cured.stderr
    # The pin holds over a resume, in which the rule no longer ends the run.
    on = shlex.split(lost.stderr.split("to go on as it is: `")[1].split("`")[0])
    gone_on = reasonrl(*on[1:])
    assert gone_on.returncode == 0, gone_on.stderr
    first = min(one["since_step"] for one in findings(run).values())
    assert min(int(path.name[-6:]) for path in (run / "checkpoints").iterdir()) < first


def test_a_rule_that_is_unknown_is_named_with_the_nearest(tmp_path):
    done = here("show-config", RECIPES / "tiny.toml", "--set", 'doctor.stop_on=["policy-brken"]')
    assert done.returncode == 2
    assert "policy-broken" in done.stderr
