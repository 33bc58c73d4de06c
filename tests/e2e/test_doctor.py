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
    said = train(tmp_path / "run")
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
