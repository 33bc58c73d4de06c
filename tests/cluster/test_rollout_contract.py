"""What every engine that samples keeps: the local one, vLLM, and both as replicas on two nodes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
import torch

from reasonrl.engines.protocols import TokenValue
from reasonrl.engines.weights import Weights
from reasonrl.errors import EngineError
from reasonrl.launch.engines import build_replica, open_replicas, vllm_settings
from reasonrl.types import Prompt, Sampling, StopReason
from tests.cluster.support import cluster_plan
from tests.conftest import TEXTS, batch_of, prompts_of

KINDS = ("local", "vllm", "apart-vllm", "remote-local", "remote-vllm")
CLOSE = 2e-5  # nats between two float32 computations of a log-probability


@pytest.fixture(scope="module", params=KINDS)
def engine(request, cluster, model_dir, tmp_path_factory) -> Iterator[object]:
    """An engine that was given no weights yet, the same for a whole module's tests."""
    where, _, kind = request.param.rpartition("-")
    plan = cluster_plan(model_dir, rollout=kind, replicas=2)
    with ExitStack() as stack:
        if where == "remote":
            logs = tmp_path_factory.mktemp("logs")
            yield stack.enter_context(open_replicas(plan, logs=logs, on_event=print))
        elif where == "apart":  # as tensor parallel engines run
            from reasonrl.engines.vllm import VllmEngine

            yield stack.enter_context(VllmEngine(replace(vllm_settings(plan), is_apart=True)))
        else:
            yield stack.enter_context(build_replica(plan))


@pytest.fixture
def ready(engine, local):
    """The engine with the local engine's weights, version 3."""
    engine.load_weights(local.weights(), version=3)
    return engine


def test_without_weights_nothing_is_sampled(engine, local):
    """First of this module: a replica that has just started holds another policy than ours."""
    with pytest.raises(EngineError, match="before it was given weights"):
        engine.generate(prompts_of(local, TEXTS[:1]), Sampling(max_new_tokens=2))


def test_a_tied_alias_that_is_not_sent_is_refused(engine, local):
    tensors = dict(local.weights().tensors)
    del tensors["lm_head.weight"]
    with pytest.raises(EngineError, match=r"lm_head\.weight"):
        engine.load_weights(Weights(tensors=tensors, version=0), version=0)


def test_groups_come_in_order_and_whole(ready, local):
    prompts = prompts_of(local, TEXTS)
    seen = []
    groups = ready.generate(
        prompts,
        Sampling(max_new_tokens=12, group_size=6),
        on_finished=lambda place, index, completion: seen.append((place, index, completion)),
    )
    assert [len(group) for group in groups] == [6] * len(prompts)
    assert {(place, index) for place, index, _ in seen} == {
        (place, index) for place in range(len(prompts)) for index in range(6)
    }
    assert all(groups[place][index] is one for place, index, one in seen)


def test_completions_end_at_a_kept_eos_or_at_the_limit(ready, local):
    [group] = ready.generate(
        prompts_of(local, TEXTS[:1]), Sampling(max_new_tokens=12, group_size=40)
    )
    stops = {completion.stop for completion in group}
    assert stops == {StopReason.STOP, StopReason.LENGTH}
    for one in group:
        assert len(one.tokens) == len(one.logprobs) <= 12
        ends = [token in local.model.eos_ids for token in one.tokens.tolist()]
        assert not any(ends[:-1])
        assert ends[-1] == (one.stop is StopReason.STOP)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_sampled_logprobs_are_the_learners(ready, local, temperature):
    prompts = prompts_of(local, TEXTS)
    groups = ready.generate(
        prompts, Sampling(max_new_tokens=12, group_size=6, temperature=temperature)
    )
    batch = batch_of(prompts, groups)
    old = local.at_tokens(batch, TokenValue.LOGPROBS, temperature=temperature)
    np.testing.assert_allclose(batch.rollout_logprobs_N, old, rtol=0, atol=CLOSE)


def test_scores_are_the_learners(ready, local):
    prompts = prompts_of(local, TEXTS)
    groups = ready.generate(prompts, Sampling(max_new_tokens=9, group_size=2))
    pairs = [(p.tokens, c.tokens) for p, g in zip(prompts, groups, strict=True) for c in g]
    found = np.concatenate(ready.score(pairs, temperature=1.0))
    expected = local.at_tokens(batch_of(prompts, groups), TokenValue.LOGPROBS, temperature=1.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=CLOSE)


def test_the_same_seeds_sample_the_same_alone_and_among_others(ready, local):
    prompts = prompts_of(local, TEXTS)
    sampling = Sampling(max_new_tokens=12, group_size=4)
    whole = ready.generate(prompts, sampling)
    one = Prompt(tokens=prompts[2].tokens, seed=prompts[2].seed, indices=(1, 3))
    [alone] = ready.generate([one], sampling)
    for again, first in zip(alone, (whole[2][1], whole[2][3]), strict=True):
        np.testing.assert_array_equal(again.tokens, first.tokens)


def test_members_of_a_group_differ(ready, local):
    [group] = ready.generate(
        prompts_of(local, TEXTS[:1]), Sampling(max_new_tokens=12, group_size=12)
    )
    assert len({one.tokens.tobytes() for one in group}) > 6


def test_greedy_takes_the_likeliest_token(ready, local):
    prompts = prompts_of(local, TEXTS)
    sampling = Sampling(max_new_tokens=12, temperature=0.0)
    for mine, reference in zip(
        ready.generate(prompts, sampling), local.generate(prompts, sampling), strict=True
    ):
        np.testing.assert_array_equal(mine[0].tokens, reference[0].tokens)


def test_new_weights_are_another_policy_under_another_version(ready, local):
    prompts = prompts_of(local, TEXTS)
    tensors = {name: value.clone() for name, value in local.weights().tensors.items()}
    head = tensors["lm_head.weight"]
    head += 0.3 * torch.randn(head.shape, generator=torch.Generator().manual_seed(0))
    tensors["model.embed_tokens.weight"] = head
    local.load_state_dict(
        {f"weight.{name}": one for name, one in tensors.items() if name != "lm_head.weight"}
    )
    ready.load_weights(local.weights(), version=4)
    groups = ready.generate(prompts, Sampling(max_new_tokens=6, group_size=2))
    assert {one.version for group in groups for one in group} == {4}
    batch = batch_of(prompts, groups)
    np.testing.assert_allclose(
        batch.rollout_logprobs_N,
        local.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0),
        rtol=0,
        atol=CLOSE,
    )


def test_a_hundred_requests_more_than_rows_are_all_answered(ready, local):
    prompts = prompts_of(local, TEXTS)
    groups = ready.generate(prompts, Sampling(max_new_tokens=3, group_size=64))
    assert [len(group) for group in groups] == [64] * len(prompts)


@pytest.mark.parametrize("is_apart", [False, True])
def test_vllm_takes_new_weights_in_the_middle_of_rollouts(is_apart, cluster, model_dir, local):
    """Each token's log-probability is that of the version it says, to rounding."""
    from reasonrl.engines.local import LocalEngine
    from reasonrl.engines.stepping import requests_for
    from reasonrl.engines.vllm import VllmEngine
    from reasonrl.models.hf import load_model
    from tests.conftest import OPTIMIZER

    other = LocalEngine(load_model(str(model_dir)), OPTIMIZER, token_budget=4096, max_rows=64)
    other.model.module.model.layers[0].mlp.up_proj.weight.data.mul_(3.0)
    prompts = prompts_of(local, TEXTS)
    settings = replace(vllm_settings(cluster_plan(model_dir, rollout="vllm")), eos_ids=())
    requests = requests_for(prompts, Sampling(max_new_tokens=300, group_size=4))
    with VllmEngine(replace(settings, is_apart=is_apart)) as engine:
        engine.load_weights(local.weights(), version=1)
        engine.submit([request for _, request in requests.values()])
        found = dict(engine.advance(0.2))
        engine.load_weights(other.weights(), version=2)
        while len(found) < len(requests):
            found.update(engine.advance(5.0))
    changed = [one for one in found.values() if one.updates]
    assert changed
    for key, one in found.items():
        batch = batch_of([prompts[requests[key][0]]], [[one]])
        before, after = (
            each.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0) for each in (local, other)
        )
        expected = np.where(one.versions() == 1, before, after)
        np.testing.assert_allclose(one.logprobs, expected, rtol=0, atol=CLOSE)
        if one.updates:  # the two policies do differ
            assert np.abs(before - after)[one.versions() == 2].max() > 0.01


def test_the_fleet_scores_while_it_samples(model_dir, cluster, local, tmp_path):
    """An audit does not wait for rollouts: it has rows of its own."""
    import threading
    import time

    plan = cluster_plan(model_dir, rollout="vllm", max_rows=4)
    prompts = prompts_of(local, TEXTS)
    local.model.module.model.embed_tokens.weight.data[list(local.model.eos_ids)] = 0.0  # endless
    with open_replicas(plan, logs=tmp_path, on_event=print) as engine:
        engine.load_weights(local.weights(), version=1)
        sampling = Sampling(max_new_tokens=300, group_size=16)
        thread = threading.Thread(target=lambda: engine.generate(prompts, sampling))
        thread.start()
        time.sleep(2.0)
        engine.score([(prompts[0].tokens, prompts[1].tokens)], temperature=1.0)
        assert thread.is_alive()
        thread.join()
