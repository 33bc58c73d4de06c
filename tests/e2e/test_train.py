"""Whole runs of the tiny model through the command line."""

import json

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.e2e.support import RECIPES, metrics_of, reasonrl, rollouts_of, trace_of

TINY = RECIPES / "tiny.toml"
pytestmark = pytest.mark.xdist_group("train")  # the runs are made once
ONE_THREAD = ("--set", "engine.threads=1")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A finished two-stage run for each of three seeds."""
    directories = {seed: tmp_path_factory.mktemp("runs") / f"seed-{seed}" for seed in (1, 2, 3)}
    for seed, directory in directories.items():
        done = reasonrl("train", TINY, "--run-dir", directory, "--set", f"seed={seed}", *ONE_THREAD)
        assert done.returncode == 0, done.stderr
    return directories


@pytest.fixture(params=[1, 2, 3])
def run(request, runs):
    return runs[request.param]


def test_reward_rises_over_two_stages(run):
    rewards = [row["reward/mean"] for row in metrics_of(run)]
    assert len(rewards) == 40
    assert sum(rewards[:5]) / 5 < 0.05
    assert sum(rewards[-5:]) / 5 > 0.12


def test_the_second_stage_samples_longer_and_larger_groups(run):
    rows = rollouts_of(run)
    for stage, limit, size in (("short", 4, 16), ("long", 8, 24)):
        own = [row for row in rows if row["stage"] == stage]
        assert max(len(row["tokens"]) for row in own) <= limit
        assert {row["index"] for row in own} == set(range(size))
    assert max(len(row["tokens"]) for row in rows) > 4


def test_every_step_conserves_its_rollouts(run):
    rows = rollouts_of(run)
    for row in metrics_of(run):
        fates = ("trained", "masked", "zero_signal", "failed")
        assert row["rollout/sampled"] == sum(row[f"rollout/{fate}"] for fate in fates)
        own = [one for one in rows if one["step"] == row["step"]]
        assert len({one["rollout_id"] for one in own}) == len(own) == row["rollout/sampled"]


def test_every_recorded_advantage_is_that_of_its_group(run):
    groups = {}
    for row in rollouts_of(run):
        groups.setdefault((row["step"], row["problem_id"]), []).append(row)
    assert len(groups) == 40 * 16
    for rows in groups.values():
        rewards = {row["reward"] for row in rows}
        assert (rows[0]["signal"] == "kept") == (len(rewards) == 2)
        for row in rows:
            assert (row["advantage"] > 0) == (row["reward"] == 1.0 and len(rewards) == 2)


def test_the_final_model_loads_in_plain_transformers(run):
    model = AutoModelForCausalLM.from_pretrained(run / "model")
    tokenizer = AutoTokenizer.from_pretrained(run / "model")
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": "1 + 1"}], add_generation_prompt=True, return_tensors="pt"
    )
    out = model.generate(**ids, max_new_tokens=3, do_sample=False)
    assert out.shape[1] > ids["input_ids"].shape[1]


def test_the_summary_holds_both_evaluations(run):
    summary = json.loads((run / "summary.json").read_text())
    for moment in ("before", "after"):
        low, high = summary["eval"][moment]["ci95"]
        assert low <= summary["eval"][moment]["value"] <= high
    assert summary["steps"] == 40
    assert summary["train_wall_s"] > 0


def test_the_page_is_one_file_without_the_network(run):
    page = (run / "report.html").read_text()
    assert "<svg" in page
    assert "src=" not in page
    assert "<script" not in page
    assert "<link" not in page


def test_the_saved_recipe_repeats_the_run_bit_for_bit(runs, tmp_path):
    run, again = runs[1], tmp_path / "again"
    done = reasonrl("train", run / "config.toml", "--run-dir", again)
    assert done.returncode == 0, done.stderr
    assert trace_of(again) == trace_of(run)


def test_a_finished_run_is_only_shown_by_resume(runs):
    run = runs[2]
    before = (run / "summary.json").read_bytes()
    done = reasonrl("resume", run)
    assert done.returncode == 0
    assert "finished" in done.stdout
    assert (run / "summary.json").read_bytes() == before
