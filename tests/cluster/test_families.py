"""Families of models beside vLLM: it takes their weights, or the run stops before it learns."""

from __future__ import annotations

import pytest

from reasonrl.models.random import build_tiny
from tests.e2e.support import RECIPES, metrics_of, reasonrl

SHORT = ("stage.1.steps=2", "stage.2.steps=1", "suite=[]", "engine.threads=1")
VLLM = ("engine.rollout.type=vllm",)


def train(run, model, *more):
    given = (f'model.name="{model}"', *SHORT, *more)
    words = [word for setting in given for word in ("--set", setting)]
    return reasonrl("train", RECIPES / "tiny.toml", "--run-dir", run, *words)


@pytest.fixture
def saved(tmp_path):
    def save(family):
        # vLLM computes heads of 32 and more on a CPU.
        module, tokenizer = build_tiny(3, family=family, head_size=32)
        module.save_pretrained(tmp_path / family)
        tokenizer.save_pretrained(tmp_path / family)
        return tmp_path / family

    return save


@pytest.mark.parametrize(
    "family",
    [
        "gemma2",  # no place for a tied head
        "olmo2",  # run by transformers' own class, which vLLM changes
        "phi3",  # one matrix for queries, keys and values
    ],
)
def test_vllm_samples_for_a_family(family, saved, tmp_path):
    done = train(tmp_path / "run", saved(family), *VLLM)
    assert done.returncode == 0, done.stderr
    # Checksums prove every sync; a step without a signal has no completions to score.
    for row in metrics_of(tmp_path / "run"):
        assert row["sync/gap_nats"] is None or row["sync/gap_nats"] < 1e-5


def test_vllm_samples_for_the_plain_backend(saved, tmp_path):
    done = train(tmp_path / "run", saved("llama"), *VLLM, "model.backend=transformers")
    assert done.returncode == 0, done.stderr
    assert "computes as transformers runs it" in done.stdout
    assert all(row["update/gap_max"] in (None, pytest.approx(0, abs=1e-4))
               for row in metrics_of(tmp_path / "run"))  # fmt: skip


def test_a_sampler_that_keeps_old_experts_ends_the_run_before_it_learns(saved, tmp_path):
    """On a CPU vLLM 0.32 packs experts once, and goes on with them after a reload."""
    done = train(tmp_path / "run", saved("qwen3_moe"), *VLLM)
    assert done.returncode == 2
    assert "the samplers compute another function than the learner" in done.stderr


def test_ranks_are_refused_for_the_plain_backend(cluster, saved, tmp_path):
    ray = ("engine.type=ray", "engine.rollout.type=local", "engine.learner.ranks=2")
    done = train(tmp_path / "run", saved("llama"), *ray, "model.backend=transformers")
    assert done.returncode == 2
    assert 'set engine.type = "local"' in done.stderr
    assert "Traceback" not in done.stderr
