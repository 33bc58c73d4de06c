"""Training of adapters as a user sees it: a run, its kill, its model and its adapters."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from reasonrl.models.hf import load_model
from tests.e2e.support import COMMAND, RECIPES, metrics_of
from tests.e2e.support import reasonrl_here as reasonrl

TINY = RECIPES / "tiny.toml"
GIVEN = (
    "--set", "engine.threads=1", "--set", "model.lora.rank=8", "--set", "model.lora.alpha=16",
    "--set", "update.learning_rate=1e-2", "--set", "stage.1.steps=6", "--set", "stage.2.steps=6",
    "--set", "checkpoint.every=4",
)  # fmt: skip
pytestmark = pytest.mark.xdist_group("lora")  # the run is made once


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("lora") / "run"
    done = reasonrl("train", TINY, "--run-dir", directory, *GIVEN)
    assert done.returncode == 0, done.stderr
    return directory


@pytest.fixture(scope="module")
def base(run) -> Path:
    """The model that the run started from, as plain transformers reads it."""
    directory = run.parent / "base"
    load_model("tiny", seed=1).save(directory)
    return directory


def test_a_killed_and_resumed_run_ends_with_the_same_bytes(run, tmp_path):
    part = tmp_path / "part"
    command = [*COMMAND, "train", str(TINY), "--run-dir", str(part), *GIVEN]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while not any((part / "checkpoints").glob("step-*")):
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.001)
        process.kill()
    assert not (part / "summary.json").exists()
    done = reasonrl("resume", part)
    assert done.returncode == 0, done.stderr
    for name in ("model/model.safetensors", "adapter/adapter_model.safetensors"):
        assert (part / name).read_bytes() == (run / name).read_bytes()


def test_peft_and_transformers_load_what_was_trained(run, base):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    merged = AutoModelForCausalLM.from_pretrained(run / "model")
    adapted = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(base), str(run / "adapter")
    )
    start = AutoModelForCausalLM.from_pretrained(base)
    tokens = torch.arange(3, 40)[None]
    with torch.no_grad():
        ours, theirs, before = (
            torch.log_softmax(model(tokens).logits, -1) for model in (merged, adapted, start)
        )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5)
    assert (ours - before).abs().max() > 0.1


def test_checkpoints_hold_adapters_and_their_moments_only(run):
    [point, *_] = sorted((run / "checkpoints").glob("step-*"))
    names = load_file(point / "engine.safetensors").keys()
    assert names
    assert all(".lora_" in name for name in names)


@pytest.mark.parametrize("at", ["", "@8"])
def test_an_export_has_both_forms_and_both_were_checked(at, run, base, tmp_path):
    directory = tmp_path / "export"
    done = reasonrl("export", f"{run}{at}", directory)
    assert done.returncode == 0, done.stderr
    assert "plain transformers gives 8 answers" in done.stdout
    assert (directory / "model.safetensors").is_file()
    config = json.loads((directory / "adapter" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == (8, 16, 0.0)
    assert not any(".lora_" in name for name in load_file(directory / "model.safetensors"))


def test_a_checkpoint_can_be_evaluated_and_branched_from(run, tmp_path):
    problems = tmp_path / "problems.jsonl"
    problems.write_text('{"prompt": "1+1=", "answer": "2"}\n', encoding="utf-8")
    done = reasonrl(
        "eval", f"{run}@8", "--suite", problems, "--k", "4", "--max-new-tokens", "6",
        "--out", tmp_path / "eval", "--set", "engine.threads=1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    few = ("--set", "stage.1.steps=1", "--set", "stage.2.steps=1", "--set", "engine.threads=1")
    branch = tmp_path / "branch"
    done = reasonrl("train", TINY, "--run-dir", branch, "--from", f"{run}@8", *few)
    assert done.returncode == 0, done.stderr
    goes_on = ("--set", "stage.2.steps=7")
    other = tmp_path / "other"
    done = reasonrl(
        "train", run / "config.toml", "--run-dir", other, "--from-state", f"{run}@8", *goes_on
    )
    assert done.returncode == 0, done.stderr
    mine, whole = metrics_of(other), metrics_of(run)
    assert [row["entropy/nats"] for row in mine[:12]] == [row["entropy/nats"] for row in whole]


def test_a_kl_term_holds_the_policy_to_the_model_without_adapters(tmp_path):
    done = reasonrl(
        "train", TINY, "--run-dir", tmp_path / "run", *GIVEN, "--set", "update.kl_coefficient=0.01",
        "--set", "stage.1.steps=3", "--set", "stage.2.steps=1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kl = [row["update/kl"] for row in metrics_of(tmp_path / "run")]
    assert kl[0] == pytest.approx(0.0, abs=1e-6)
    assert max(kl) > 1e-3


def test_frozen_matrices_in_4_bits_train_resume_and_export(tmp_path):
    packed = (*GIVEN, "--set", "model.lora.frozen=4bit", "--set", "stage.2.steps=2")
    run, part = tmp_path / "run", tmp_path / "part"
    assert reasonrl("train", TINY, "--run-dir", run, *packed).returncode == 0
    half = (*packed, "--set", "stage.1.steps=4", "--set", "stage.2.steps=1")
    assert reasonrl("train", TINY, "--run-dir", part, *half).returncode == 0
    rewards = [row["reward/mean"] for row in metrics_of(run)]
    assert [row["reward/mean"] for row in metrics_of(part)][:4] == rewards[:4]
    done = reasonrl("export", run, tmp_path / "export")
    assert done.returncode == 0, done.stderr


def test_a_recipe_with_dropout_is_refused_with_the_reason(tmp_path):
    done = reasonrl("train", TINY, "--run-dir", tmp_path / "run", "--set", "model.lora.dropout=0.1")
    assert done.returncode == 2
    assert "ratio of the first update" in done.stderr
    done = reasonrl(
        "train", TINY, "--run-dir", tmp_path / "run", "--set", 'model.lora.targets=["q"]'
    )
    assert done.returncode == 2
    assert 'names of linear layers such as ["q_proj", "v_proj"]' in done.stderr
