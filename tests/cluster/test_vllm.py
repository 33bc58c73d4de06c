"""What only vLLM does: new weights in the middle of rollouts, and audits beside them."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from reasonrl.engines.local import LocalEngine
from reasonrl.engines.protocols import TokenValue
from reasonrl.engines.stepping import requests_for
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
