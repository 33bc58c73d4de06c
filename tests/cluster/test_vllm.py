"""What only vLLM does: new weights in the middle of rollouts, and audits beside them."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from reasonrl.engines.local import LocalEngine
from reasonrl.engines.protocols import TokenValue
from reasonrl.engines.stepping import requests_for
from reasonrl.errors import EngineError
from reasonrl.launch.actors import vllm_settings
from reasonrl.launch.engines import open_replicas
from reasonrl.models.hf import load_model
from reasonrl.types import Sampling
from tests.cluster.support import cluster_layout
from tests.conftest import OPTIMIZER, TEXTS, batch_of, prompts_of

CLOSE = 2e-5  # nats between two float32 computations of a log-probability


@pytest.mark.parametrize("is_apart", [False, True])
def test_vllm_takes_new_weights_in_the_middle_of_rollouts(is_apart, cluster, model_dir, local):
    """Each token has the log-probability of its version's policy, up to rounding."""
    from reasonrl.engines.vllm import VllmEngine

    other = LocalEngine(load_model(str(model_dir)), OPTIMIZER, token_budget=4096, max_rows=64)
    other.model.module.model.layers[0].mlp.up_proj.weight.data.mul_(3.0)
    prompts = prompts_of(local, TEXTS)
    settings = replace(vllm_settings(*cluster_layout(model_dir, rollout="vllm")), eos_ids=())
    requests = requests_for(prompts, Sampling(max_new_tokens=300, group_size=4))
    with VllmEngine(replace(settings, is_apart=is_apart)) as engine:
        engine.load_weights(local.weights(), version=1)
        engine.submit([request for _, request in requests.values()])
        completions = dict(engine.advance(0.2))
        engine.load_weights(other.weights(), version=2)
        while len(completions) < len(requests):
            completions.update(engine.advance(5.0))
    assert any(completion.updates for completion in completions.values())
    for key, completion in completions.items():
        batch = batch_of([prompts[requests[key][0]]], [[completion]])
        before, after = (
            policy.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)
            for policy in (local, other)
        )
        versions = completion.versions()
        expected = np.where(versions == 1, before, after)
        np.testing.assert_allclose(completion.logprobs, expected, rtol=0, atol=CLOSE)
        if completion.updates:  # the two policies do differ
            assert np.abs(before - after)[versions == 2].max() > 0.01


def test_the_fleet_scores_while_it_samples(model_dir, cluster, local, tmp_path):
    """An audit has rows of its own and does not wait for rollouts."""
    layout = cluster_layout(model_dir, rollout="vllm", max_rows=4)
    prompts = prompts_of(local, TEXTS)
    # A head that never samples EOS keeps the replica busy.
    local.model.module.model.embed_tokens.weight.data[list(local.model.eos_ids)] = 0.0
    with open_replicas(*layout, logs=tmp_path, on_event=print) as engine:
        engine.load_weights(local.weights(), version=1)
        sampling = Sampling(max_new_tokens=300, group_size=16)
        is_sampling = threading.Event()
        thread = threading.Thread(
            target=lambda: engine.generate(
                prompts, sampling, on_finished=lambda *_: is_sampling.set()
            )
        )
        thread.start()
        assert is_sampling.wait(120)
        engine.score([(prompts[0].tokens, prompts[1].tokens)], temperature=1.0)
        assert thread.is_alive()
        thread.join()


def test_seeds_make_samples_repeatable_and_can_be_left_out_to_measure_their_cost(model_dir, local):
    from reasonrl.engines.vllm import VllmEngine

    prompts, sampling = prompts_of(local, TEXTS), Sampling(max_new_tokens=24, group_size=4)
    settings = vllm_settings(*cluster_layout(model_dir, rollout="vllm"))

    def sampled(engine) -> list[list[int]]:
        groups = engine.generate(prompts, sampling)
        return [completion.tokens.tolist() for group in groups for completion in group]

    with VllmEngine(replace(settings, eos_ids=())) as engine:
        engine.load_weights(local.weights(), version=1)
        first = sampled(engine)
        assert sampled(engine) == first
        engine.has_seeds = False
        assert sampled(engine) != first


def few_blocks(monkeypatch, blocks: int) -> None:
    """Let vLLM have fewer blocks of its key-value cache than all rows need."""
    import vllm

    monkeypatch.setattr(vllm, "LLM", partial(vllm.LLM, num_gpu_blocks_override=blocks))


def test_an_audit_does_not_wait_behind_rollouts_that_lost_their_cache(
    monkeypatch, cluster, model_dir, local
):
    """After new weights vLLM puts all rollouts back into its queue; an audit goes before them."""
    from reasonrl.engines.vllm import VllmEngine

    few_blocks(monkeypatch, 24)
    layout = cluster_layout(model_dir, rollout="vllm", max_rows=32)
    settings = replace(vllm_settings(*layout), eos_ids=())
    prompts = prompts_of(local, TEXTS)
    requests = requests_for(prompts, Sampling(max_new_tokens=300, group_size=8))
    with VllmEngine(settings) as engine:
        engine.load_weights(local.weights(), version=1)
        engine.submit([request for _, request in requests.values()])
        engine.advance(0.2)
        engine.load_weights(local.weights(), version=2)
        steps = []
        step = engine._step
        monkeypatch.setattr(engine, "_step", lambda: (steps.append(1), step()))
        engine.score([(prompts[0].tokens, prompts[1].tokens)], temperature=1.0)
    assert len(steps) <= 3


def test_scores_that_never_come_are_an_error_and_no_endless_loop(
    monkeypatch, cluster, model_dir, local
):
    """Other versions of vLLM return None in place of a prompt's log-probabilities."""
    from vllm.v1.engine.llm_engine import LLMEngine

    from reasonrl.engines.vllm import VllmEngine

    step = LLMEngine.step

    def without_scores(self):
        outputs = step(self)
        for output in outputs:
            output.prompt_logprobs = None
        return outputs

    monkeypatch.setattr(LLMEngine, "step", without_scores)
    prompts = prompts_of(local, TEXTS)
    with VllmEngine(vllm_settings(*cluster_layout(model_dir, rollout="vllm"))) as engine:
        engine.load_weights(local.weights(), version=1)
        with pytest.raises(EngineError, match="no log-probabilities"):
            engine.score([(prompts[0].tokens, prompts[1].tokens)], temperature=1.0)
