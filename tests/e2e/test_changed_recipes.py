"""A run keeps its recipe: what is edited or changed on the way is refused, or said and recorded."""

from __future__ import annotations

import json
import shlex
import shutil

import pytest

from tests.e2e.support import RECIPES, metrics_of
from tests.e2e.support import reasonrl_here as here

SETTINGS = {
    "stage.1.steps": 3, "stage.2.steps": 2, "engine.threads": 1, "checkpoint.every": 1,
    "checkpoint.keep": 9, "suite": "[]",
}  # fmt: skip
WORDS = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    run = tmp_path_factory.mktemp("whole") / "run"
    done = here("train", RECIPES / "tiny.toml", "--run-dir", run, *WORDS)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture
def stopped(whole, tmp_path):
    """A copy of the run that stands after its third step."""
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    (run / "summary.json").unlink()
    for step in (4, 5):
        shutil.rmtree(run / "checkpoints" / f"step-00000{step}")
    return run


def edit(run, old, new):
    path = run / "config.toml"
    head, found, tail = path.read_text().partition("[[stage]]")
    assert old in tail
    path.write_text(head + found + tail.replace(old, new, 1))


def refused(*words):
    done = here(*words)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    return " ".join(done.stderr.split())


def events_of(run):
    return [json.loads(line)["event"] for line in (run / "events.jsonl").read_text().splitlines()]


def test_an_edited_recipe_is_refused_by_key_and_may_go_back(whole, stopped):
    edit(stopped, "learning_rate = 0.002", "learning_rate = 0.1")
    said = refused("resume", stopped)
    assert "stage.1.update.learning_rate = 0.1, and the run has 0.002" in said
    assert "set the key back" in said
    edit(stopped, "learning_rate = 0.1", "learning_rate = 0.002")
    assert here("resume", stopped).returncode == 0
    assert metrics_of(stopped) == metrics_of(whole)


def test_an_edit_that_makes_another_run_is_led_to_another_run(stopped, tmp_path):
    edit(stopped, "group_size = 24", "group_size = 8")
    command = shlex.split(refused("resume", stopped).split("`")[-2])
    other = tmp_path / "other"
    done = here(*command[1:], "--run-dir", other)
    assert done.returncode == 0, done.stderr
    sampled = [row["rollout/sampled"] for row in metrics_of(other)]
    assert sampled == [256, 256, 256, 128, 128]


def test_an_edit_that_a_run_may_take_is_led_to_set(stopped):
    edit(stopped, "steps = 2", "steps = 3")
    said = refused("resume", stopped)
    command = shlex.split(said.split("`")[-2])
    assert command == ["reasonrl", "resume", str(stopped), "--set", "stage.2.steps=3"]
    done = here(*command[1:])
    assert done.returncode == 0, done.stderr
    assert len(metrics_of(stopped)) == 6
    assert events_of(stopped) == ["from step 4 on: stage.2.steps=3"]


def test_another_layout_of_the_file_is_no_edit(whole, stopped):
    path = stopped / "config.toml"
    path.write_text("# mine\n" + path.read_text().replace(" = ", "="))
    assert here("resume", stopped).returncode == 0
    assert metrics_of(stopped) == metrics_of(whole)


def test_a_run_that_kept_no_copy_of_its_recipe_keeps_it_from_then_on(whole, stopped):
    (stopped / ".config.toml").unlink()
    assert here("resume", stopped).returncode == 0
    assert metrics_of(stopped) == metrics_of(whole)
    assert (stopped / ".config.toml").read_text() == (stopped / "config.toml").read_text()


def test_another_type_of_numbers_is_announced_and_other_machines_are_not(stopped):
    changes = ("--set", "engine.compute=bfloat16", "--set", "engine.token_budget=512",
               "--set", "engine.max_rows=8", "--set", "engine.recompute=true")  # fmt: skip
    done = here("resume", stopped, *changes)
    assert done.returncode == 0, done.stderr
    *first, last = events_of(stopped)
    assert first == [f"from step 4 on: {change}" for change in changes[1::2]]
    assert last.startswith("from step 4 on: layers compute in bfloat16 and no longer in float32")
    assert last in " ".join(done.stdout.split())


def test_a_state_belongs_to_the_seed_that_the_run_took(stopped, tmp_path):
    path = stopped / "config.toml"
    path.write_text(path.read_text().replace("seed = 1", "seed = 2"))
    words = ("train", path, "--from-state", stopped, "--run-dir", tmp_path / "other")
    assert "seed is 2 and was 1" in refused(*words)
