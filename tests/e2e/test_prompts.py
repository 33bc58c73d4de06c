"""Prompts as models need them: own templates, their arguments and time, plain prompts, stops."""

from __future__ import annotations

import json
import re
import shutil

import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer

from reasonrl.models.hf import load_model, load_tokenizer
from reasonrl.run.config import read_config
from tests.e2e.support import RECIPES, metrics_of
from tests.e2e.support import reasonrl_here as here

TEMPLATE = (
    "{{ strftime_now('%H:%M:%S.%f') }} {% for m in messages %}{{ m.content }}{% endfor %}"
    "{% if quick %} /quick{% endif %}{% if add_generation_prompt %}A:{% endif %}"
)
SHORT = ("--set", "stage.1.steps=2", "--set", "stage.2.steps=1", "--set", "checkpoint.every=1")
ONE = ("--set", "engine.threads=1")


def prompts_of(run) -> set[str]:
    """Return the prompts of a run, read from its rollouts."""
    tokenizer = load_tokenizer("tiny")[0].hf
    rows = [
        row
        for path in sorted((run / "rollouts").glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]
    return {tokenizer.decode(row["prompt_tokens"], skip_special_tokens=False) for row in rows}


@pytest.fixture
def recipe(tmp_path):
    """A recipe with a template file beside it."""
    (tmp_path / "mine.jinja").write_text(TEMPLATE)
    path = tmp_path / "own.toml"
    path.write_text(
        f'extends = "{RECIPES / "tiny.toml"}"\n[model]\nchat_template = "mine.jinja"\n'
        "chat_template_args = { quick = true }\n"
    )
    return path


def test_a_run_keeps_its_template_and_its_time(recipe, tmp_path):
    run = tmp_path / "run"
    done = here("train", recipe, "--run-dir", run, *SHORT, *ONE)
    assert done.returncode == 0, done.stderr
    config = read_config(run)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", config.model.chat_time)
    first = metrics_of(run)

    # The recipe's file changes, and the run goes on with its own copy and its own time.
    (tmp_path / "mine.jinja").write_text("other " + TEMPLATE)
    shutil.rmtree(run / "checkpoints" / "step-000003")
    (run / "summary.json").unlink()
    again = here("resume", run)
    assert again.returncode == 0, again.stderr
    assert metrics_of(run) == first
    assert AutoTokenizer.from_pretrained(run / "model").chat_template == TEMPLATE

    out = tmp_path / "eval"
    done = here("eval", run, "--suite", "train", "--limit", 2, "--k", 1, "--out", out)
    assert done.returncode == 0, done.stderr
    asked = json.loads((out / "results.json").read_text())["recipe"]
    assert asked["chat_time"] == config.model.chat_time
    assert "given to the template" in (out / "report.html").read_text()


def test_rollouts_hold_every_turn_of_their_prompt_and_its_ids(tmp_path):
    turns = [("user", "1 + 1 ="), ("assistant", "2"), ("user", "2 + 1 =")]
    prompt = [{"role": role, "content": content} for role, content in turns]
    (tmp_path / "shots.jsonl").write_text(json.dumps({"id": "a", "prompt": prompt, "answer": "3"}))
    (tmp_path / "own.toml").write_text(
        f'extends = "{RECIPES / "tiny.toml"}"\nsuite = []\n[model]\nsystem_prompt = "Be brief."\n'
        '[data]\nsources = [{ type = "file", path = "shots.jsonl" }]\n'
        "[rollout]\nprompts_per_step = 1\n"
    )
    run = tmp_path / "run"
    done = here("train", tmp_path / "own.toml", "--run-dir", run, *SHORT, *ONE)
    assert done.returncode == 0, done.stderr
    [text] = prompts_of(run)
    for content in ("Be brief.", "1 + 1 =", "2 + 1 ="):
        assert content in text
    for path in (run / "rollouts").iterdir():
        for row in pq.read_table(path).to_pylist():
            assert row["prompt_turns"] == [{"role": "system", "content": "Be brief."}, *prompt]
            assert row["prompt"] == "1 + 1 =\n2\n2 + 1 ="


def test_an_export_says_how_its_model_is_asked(recipe, tmp_path):
    run, release = tmp_path / "run", tmp_path / "release"
    assert here("train", recipe, "--run-dir", run, *SHORT, *ONE).returncode == 0
    done = here("export", run, release)
    assert done.returncode == 0, done.stderr
    assert "quick=True," in (release / "README.md").read_text()


def test_an_evaluation_goes_on_at_its_own_time(recipe, tmp_path):
    out = tmp_path / "eval"
    words = ["eval", "tiny", "--recipe", recipe, "--limit", 2, "--k", 1, "--out", out]
    assert here(*words).returncode == 0
    first = json.loads((out / "results.json").read_text())
    again = here(*words)
    assert again.returncode == 0, again.stderr
    assert "has been evaluated" in again.stdout + again.stderr
    assert json.loads((out / "results.json").read_text()) == first


def test_a_base_model_is_asked_plainly(tmp_path):
    model, run = tmp_path / "model", tmp_path / "run"
    load_model("tiny").save(model)
    (model / "chat_template.jinja").unlink()
    words = ("train", RECIPES / "tiny.toml", "--run-dir", run, *SHORT, *ONE)
    words += ("--set", f'model.name="{model}"')
    assert 'set model.prompt_style = "plain"' in here(*words).stderr
    done = here(*words, "--set", "model.prompt_style=plain", "--set", 'model.stop=["\\n"]')
    assert done.returncode == 0, done.stderr
    out = here("export", run, tmp_path / "release")
    assert out.returncode == 0, out.stderr
    assert '"\\n\\n".join' in (tmp_path / "release" / "README.md").read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('model.chat_template="no.jinja"', "no file and no template of the model is named"),
        ("model.chat_template_args.thinking=true", "the chat template does not use 'thinking'"),
        ('model.chat_time="noon"', "expected a time such as"),
        ('model.stop=[""]', "model.stop = ['']: a text is empty"),
        ("model.prompt_style=bare", "model.prompt_style"),
        ("rollout.top_p=0.9", "the whole support in training"),
        ("rollout.top_k=20", "the whole support in training"),
    ],
)
def test_what_cannot_be_asked_is_said_before_a_run_begins(change, said, tmp_path):
    run = tmp_path / "run"
    done = here("train", RECIPES / "tiny.toml", "--run-dir", run, "--set", change)
    assert done.returncode == 2
    assert said in done.stderr
    assert not run.exists()


def test_a_template_that_is_not_for_plain_prompts_is_refused(recipe, tmp_path):
    words = ("train", recipe, "--run-dir", tmp_path / "run")
    done = here(*words, "--set", "model.prompt_style=plain")
    assert "uses no chat template; remove chat_template" in done.stderr


def test_several_seeds_are_several_samples_of_one_suite(tmp_path):
    out = tmp_path / "eval"
    words = ["eval", "tiny", "--recipe", RECIPES / "tiny.toml", "--k", 8, "--out", out]
    seeds = ["--seed", 1, "--seed", 2, "--seed", 3]
    done = here(*words, *seeds, "--top-p", "0.95", "--top-k", 40, "--min-p", "0.01", "--unboxed")
    assert done.returncode == 0, done.stderr
    assert re.search(r"train, tiny: [\d.]+ over 3 seeds, from [\d.]+ to", done.stdout + done.stderr)
    results = json.loads((out / "results.json").read_text())
    assert [suite["name"] for suite in results["recipe"]["suite"]] == [
        "train-s1", "train-s2", "train-s3",
    ]  # fmt: skip
    texts = [
        pq.read_table(out / "samples" / "tiny" / f"train-s{seed}.parquet")["text"].to_pylist()
        for seed in (1, 2, 3)
    ]
    assert texts[0] != texts[1] != texts[2]
    page = (out / "report.html").read_text()
    assert "top-p 0.95, top-k 40, min-p 0.01" in page
    assert "over 3 seeds" in page


def test_data_check_shows_a_recipes_prompts_as_its_model_sees_them(recipe):
    done = here("data", "check", recipe, "--model", "tiny")
    assert done.returncode == 0, done.stderr
    assert "/quick" in done.stdout
