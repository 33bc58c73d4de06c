"""A run whose reward comes from a language model: its votes are kept, its budget stops it."""

from __future__ import annotations

import shutil

from tests.e2e.support import RECIPES, metrics_of, rollouts_of
from tests.e2e.support import reasonrl_here as here
from tests.unit.curation.judges import judge

RECIPE = """
extends = "{tiny}"
name = "judged"

[[reward]]
type = "verifier"

[[reward]]
type = "judge"
name = "clear"
url = "{url}"
model = "m"
rubric = "rubric.txt"
weight = 0.5
budget = {budget}
"""
SHORT = ("--set", "stage.1.steps=3", "--set", "stage.2.steps=1", "--set", "checkpoint.every=1")


def by_length(prompt: str, _n: int) -> str:
    response = prompt.partition("<response>\n")[2].partition("\n</response>")[0]
    return f"It has {len(response)} characters.\nSCORE: {min(10, len(response))}"


def test_a_judged_run_keeps_its_votes_and_goes_on_after_its_budget(tmp_path):
    run = tmp_path / "run"
    with judge(by_length) as (url, asked):
        (tmp_path / "rubric.txt").write_text("Longer is better.")
        recipe = tmp_path / "own.toml"
        recipe.write_text(RECIPE.format(tiny=RECIPES / "tiny.toml", url=url, budget=600))
        words = ("--set", "engine.threads=1", "--set", "suite=[]")
        done = here("train", recipe, "--run-dir", run, *SHORT, *words)
        assert done.returncode == 2
        assert "has been asked 600 times" in done.stderr
        assert f"reasonrl resume {run}" in done.stderr
        (tmp_path / "rubric.txt").write_text("Shorter is better.")  # the run has its copy
        for _ in range(3):
            done = here("resume", run)
            if done.returncode == 0:
                break
        assert done.returncode == 0, done.stderr
        prompts = [body["messages"][0]["content"] for _, _, body in asked]
        assert not any("Shorter" in prompt for prompt in prompts)
        probes = [prompt for prompt in prompts if "What is 2 + 2?" in prompt]
        votes = [prompt for prompt in prompts if prompt not in probes]
        assert len(set(votes)) == len(votes)  # no question was paid for twice

        first, n_asked = metrics_of(run), len(asked)
        shutil.rmtree(run / "checkpoints" / "step-000004")
        (run / "summary.json").unlink()
        assert here("resume", run).returncode == 0
        assert metrics_of(run) == first
        assert len(asked) == n_asked + 1  # the check at the start
    row = rollouts_of(run)[0]
    assert row["reward/clear"] == min(10, len(row["text"])) / 10
    assert row["reward"] == row["reward/verifier"] + 0.5 * row["reward/clear"]


def test_a_judge_without_a_rubric_or_an_answer_leaves_nothing(tmp_path):
    recipe = tmp_path / "own.toml"
    text = RECIPE.format(tiny=RECIPES / "tiny.toml", url="http://127.0.0.1:9/v1", budget=600)
    recipe.write_text(text + "timeout_s = 0.2\nattempts = 1\n")
    done = here("train", recipe, "--run-dir", tmp_path / "run")
    assert "the rubric cannot be read" in done.stderr
    (tmp_path / "rubric.txt").write_text("Longer is better.")
    done = here("train", recipe, "--run-dir", tmp_path / "run")
    assert done.returncode == 2
    assert "the judge clear does not answer" in done.stderr
    assert not (tmp_path / "run").exists()
