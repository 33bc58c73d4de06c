"""What every engine that learns keeps: however many ranks it has, it is the local one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest
import torch

from reasonrl.algo.loss import Objective
from reasonrl.engines.local import LocalEngine
from reasonrl.engines.protocols import TokenValue, TrainBatch
from reasonrl.errors import CheckpointError, EngineError
from reasonrl.launch.engines import open_ranks
from reasonrl.models.hf import load_model
from reasonrl.types import Sampling
from tests.cluster.support import cluster_plan
from tests.conftest import OPTIMIZER, TEXTS, batch_of, prompts_of

OBJECTIVE = Objective(
    clip_low=0.2, clip_high=0.2, entropy_coefficient=0.01, kl_coefficient=0.0, temperature=0.9
)
LAYOUTS = {
    "one rank": {"ranks": 1},
    "two ranks": {"ranks": 2},
    "two ranks, recomputing": {"ranks": 2, "recompute": True},
    "two ranks share a row": {"ranks": 2, "sequence_parallel": 2},
}
RATE = 1e-3
FLOAT32 = 1e-7  # mean over weights after steps of 1e-3: AdamW lifts the rounding of a few


@pytest.fixture(scope="module", params=LAYOUTS.values(), ids=LAYOUTS.keys())
def ranks(request, cluster, model_dir, tmp_path_factory) -> Iterator[object]:
    with ExitStack() as stack:
        plan = cluster_plan(model_dir, keep_reference=True, **request.param)
        yield stack.enter_context(open_ranks(plan, tmp_path_factory.mktemp("logs")))


@pytest.fixture
def learner(ranks, local, tmp_path):
    """The ranks with the local engine's weights and no moments, whatever a test did before."""
    start = tmp_path / "start"
    start.mkdir()
    local.save(start)
    ranks.load(start)
    return ranks


@pytest.fixture
def batch(local) -> TrainBatch:
    prompts = prompts_of(local, TEXTS)
    return batch_of(prompts, local.generate(prompts, Sampling(max_new_tokens=12, group_size=6)))


def weights_gap(one, other) -> float:
    """The mean distance of two engines' weights; 0.0 is only what is the same to the bit."""
    mine, yours = dict(one.weights().tensors.items()), other.weights().tensors
    assert mine.keys() == yours.keys()
    return float(torch.cat([(mine[name] - yours[name]).abs().ravel() for name in mine]).mean())


@pytest.mark.parametrize("what", [TokenValue.LOGPROBS, TokenValue.ENTROPIES])
def test_what_is_known_of_tokens_is_the_local_engines(what, learner, local, batch):
    found, expected = (one.at_tokens(batch, what, temperature=0.7) for one in (learner, local))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_updates_are_the_local_engines(learner, local, batch):
    """Gradient norm, sums, log-probabilities and weights, over three steps."""
    for _ in range(3):
        mine = learner.update(batch, OBJECTIVE, learning_rate=RATE)
        reference = local.update(batch, OBJECTIVE, learning_rate=RATE)
        assert mine.gradient_norm == pytest.approx(reference.gradient_norm, rel=1e-5)
        assert mine.entropy_sum_nats == pytest.approx(reference.entropy_sum_nats, rel=1e-6)
        assert mine.policy_sum == pytest.approx(reference.policy_sum, abs=1e-4)
        assert mine.n_tokens == reference.n_tokens
        np.testing.assert_allclose(mine.logprobs_N, reference.logprobs_N, rtol=0, atol=2e-5)
    assert weights_gap(learner, local) < FLOAT32


def test_given_arrays_reach_the_loss_token_by_token(learner, local, batch):
    """Old and reference log-probabilities, and weights, of which each rank needs its own part."""
    rng = np.random.default_rng(0)
    n = batch.n_tokens
    given = TrainBatch(
        groups=batch.groups,
        rollout_logprobs_N=batch.rollout_logprobs_N,
        old_logprobs_N=(batch.rollout_logprobs_N + rng.normal(0, 0.2, n)).astype(np.float32),
        ref_logprobs_N=(batch.rollout_logprobs_N + rng.normal(0, 0.2, n)).astype(np.float32),
        weights_N=rng.uniform(0, 2, n).astype(np.float32),
    )
    objective = Objective(
        clip_low=0.1, clip_high=0.1, entropy_coefficient=0.0, kl_coefficient=0.1, temperature=1.0
    )
    mine = learner.update(given, objective, learning_rate=RATE)
    reference = local.update(given, objective, learning_rate=RATE)
    assert mine.gradient_norm == pytest.approx(reference.gradient_norm, rel=1e-5)
    assert mine.clipped_sum == reference.clipped_sum > 0
    assert mine.kl_sum == pytest.approx(reference.kl_sum, rel=1e-5)
    assert mine.ratio_sum == pytest.approx(reference.ratio_sum, rel=1e-5)


def test_weights_come_under_every_name_with_the_alias(learner, local):
    assert learner.weights().tensors.keys() == local.weights().tensors.keys()
    assert weights_gap(learner, local) == 0.0


def test_saved_state_restores_the_next_update_bit_for_bit(learner, batch, tmp_path):
    learner.update(batch, OBJECTIVE, learning_rate=RATE)
    learner.save(tmp_path)
    learner.update(batch, OBJECTIVE, learning_rate=RATE)
    first = {name: value.clone() for name, value in learner.weights().tensors.items()}
    learner.load(tmp_path)
    learner.update(batch, OBJECTIVE, learning_rate=RATE)
    for name, value in learner.weights().tensors.items():
        assert torch.equal(value, first[name]), name


def test_state_of_any_ranks_is_taken_over_by_one_process(learner, model_dir, batch, tmp_path):
    learner.update(batch, OBJECTIVE, learning_rate=RATE)
    learner.save(tmp_path)
    alone = LocalEngine(load_model(str(model_dir)), OPTIMIZER, token_budget=4096, max_rows=64)
    alone.load(tmp_path)
    assert weights_gap(learner, alone) == 0.0
    learner.update(batch, OBJECTIVE, learning_rate=RATE)
    alone.update(batch, OBJECTIVE, learning_rate=RATE)
    assert weights_gap(learner, alone) < FLOAT32


def test_a_reset_optimizer_starts_like_a_new_one(learner, local, batch):
    learner.update(batch, OBJECTIVE, learning_rate=RATE)
    local.update(batch, OBJECTIVE, learning_rate=RATE)
    learner.reset_optimizer()
    local.reset_optimizer()
    learner.update(batch, OBJECTIVE, learning_rate=RATE)
    local.update(batch, OBJECTIVE, learning_rate=RATE)
    assert weights_gap(learner, local) < FLOAT32


def test_the_reference_stays_where_the_policy_started(learner, local, batch):
    start = local.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)
    learner.update(batch, OBJECTIVE, learning_rate=1e-2)
    np.testing.assert_allclose(
        learner.at_tokens(batch, TokenValue.REFERENCE_LOGPROBS, temperature=1.0),
        start,
        rtol=0,
        atol=1e-5,
    )


def test_progress_adds_up_to_the_batch(learner, batch):
    seen = []
    learner.update(batch, OBJECTIVE, learning_rate=RATE, progress=seen.append)
    assert sum(seen) == batch.n_rollouts


def test_an_empty_update_is_refused(learner):
    empty = TrainBatch(groups=(), rollout_logprobs_N=np.zeros(0, np.float32))
    with pytest.raises(EngineError, match="at least one"):
        learner.update(empty, OBJECTIVE, learning_rate=RATE)


def test_a_state_of_another_model_is_refused(learner, tmp_path):
    from safetensors.torch import save_file

    save_file({"weight.other": torch.zeros(2)}, tmp_path / "engine.safetensors")
    with pytest.raises(CheckpointError, match="weights are missing"):
        learner.load(tmp_path)


def test_a_torn_state_is_refused(learner, tmp_path):
    (tmp_path / "engine.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}")
    with pytest.raises(CheckpointError, match="cannot be read"):
        learner.load(tmp_path)
