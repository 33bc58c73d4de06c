"""What every engine that learns promises; on any number of ranks it equals the local one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from reasonrl.algo.loss import Objective
from reasonrl.engines.fake import FakeEngine
from reasonrl.engines.protocols import TokenValue, TrainBatch
from reasonrl.engines.tensor_files import read_whole, write_whole
from reasonrl.engines.weights import WEIGHT
from reasonrl.errors import CheckpointError, EngineError
from reasonrl.models.hf import load_model
from tests.contract.conftest import fake_prompts, local_engine, sampled_batch

OBJECTIVE = Objective(
    clip_low=0.2, clip_high=0.2, entropy_coefficient=0.01, kl_coefficient=0.0, temperature=0.9
)
PLAIN = Objective(
    clip_low=0.2, clip_high=0.2, entropy_coefficient=0.0, kl_coefficient=0.0, temperature=1.0
)
RATE = 1e-3
FLOAT32 = 1e-7  # mean over weights after steps of 1e-3: AdamW lifts the rounding of a few
CLOSE = 2e-5  # nats between two float32 computations of a log-probability


def skip_the_reference(learner) -> None:
    if learner.is_reference:
        pytest.skip("this engine would be compared with itself")


def skip_the_fake(learner) -> None:
    if learner.kind == "fake":
        pytest.skip("the fake engine's policy has no weights and never changes")


def state_of(engine, directory: Path) -> dict[str, Tensor]:
    """All that decides the engine's next update, through a checkpoint."""
    directory.mkdir()
    engine.save(directory)
    return read_whole(directory)


def assert_same(mine: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert mine.keys() == other.keys()
    for name, value in mine.items():
        assert torch.equal(value, other[name]), name


def weights_gap(engine, other) -> float:
    """The mean distance of two engines' weights; 0.0 only when they are equal to the bit."""
    mine, yours = dict(engine.weights().tensors.items()), other.weights().tensors
    assert mine.keys() == yours.keys()
    return float(torch.cat([(mine[name] - yours[name]).abs().ravel() for name in mine]).mean())


def embedding_of(engine) -> Tensor:
    return dict(engine.weights().tensors.items())["model.embed_tokens.weight"]


def update(engine, batch, objective=OBJECTIVE):
    return engine.update(batch, objective, learning_rate=RATE)


# values at tokens


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_an_update_reports_the_values_at_its_tokens(learner, temperature):
    objective = Objective(
        clip_low=0.2,
        clip_high=0.2,
        entropy_coefficient=0,
        kl_coefficient=0,
        temperature=temperature,
    )
    logprobs, entropies = (
        learner.engine.at_tokens(learner.batch, what, temperature=temperature)
        for what in (TokenValue.LOGPROBS, TokenValue.ENTROPIES)
    )
    stats = update(learner.engine, learner.batch, objective)
    assert logprobs.shape == entropies.shape == (learner.batch.n_tokens,)
    assert stats.n_tokens == learner.batch.n_tokens
    np.testing.assert_allclose(stats.logprobs_N, logprobs, rtol=0, atol=CLOSE)
    np.testing.assert_allclose(stats.entropies_N, entropies, rtol=0, atol=CLOSE)
    assert entropies.sum(dtype=np.float64) == pytest.approx(stats.entropy_sum_nats, rel=1e-5)


@pytest.mark.parametrize("what", [TokenValue.LOGPROBS, TokenValue.ENTROPIES])
def test_values_at_tokens_are_the_local_engines(what, learner):
    skip_the_reference(learner)
    mine, expected = (
        engine.at_tokens(learner.batch, what, temperature=0.7)
        for engine in (learner.engine, learner.reference)
    )
    np.testing.assert_allclose(mine, expected, rtol=0, atol=1e-5)


def test_the_reference_stays_where_the_policy_started(learner):
    def values(what):
        return learner.engine.at_tokens(learner.batch, what, temperature=1.0)

    start = values(TokenValue.LOGPROBS)
    learner.engine.update(learner.batch, PLAIN, learning_rate=1e-2)
    np.testing.assert_allclose(values(TokenValue.REFERENCE_LOGPROBS), start, rtol=0, atol=1e-5)
    if learner.kind != "fake":  # its policy never changes
        assert np.abs(values(TokenValue.LOGPROBS) - start).max() > 1e-3


def test_the_padding_token_learns_where_it_stands_in_a_prompt(learner):
    """It ends the turns of many templates; transformers alone drops its embedding's gradient."""
    skip_the_fake(learner)
    model = learner.reference.model
    [padding] = model.eos_ids
    assert model.tokenizer.hf.pad_token_id == padding
    groups = tuple(
        replace(group, prompt=np.insert(group.prompt, 2, padding)) for group in learner.batch.groups
    )
    batch = replace(learner.batch, groups=groups)
    before = embedding_of(learner.engine)[padding].clone()
    mine = update(learner.engine, batch).gradient_norm
    if "adapters" in learner.kind:
        assert torch.equal(embedding_of(learner.engine)[padding], before)
    else:
        assert (embedding_of(learner.engine)[padding] - before).abs().max() > RATE / 2
    if not learner.is_reference:
        assert mine == pytest.approx(update(learner.reference, batch).gradient_norm, rel=1e-5)
        assert weights_gap(learner.engine, learner.reference) < FLOAT32


@pytest.mark.parametrize("make", [lambda: local_engine("tiny"), FakeEngine], ids=["local", "fake"])
def test_a_reference_that_was_not_kept_is_an_error(make):
    batch = sampled_batch(engine := make(), fake_prompts())
    with pytest.raises(EngineError, match="reference"):
        engine.at_tokens(batch, TokenValue.REFERENCE_LOGPROBS, temperature=1.0)


# updates


def test_an_update_moves_the_policy_towards_its_advantages(learner):
    skip_the_fake(learner)
    engine, batch = learner.engine, learner.batch
    before = engine.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)
    update(engine, batch, PLAIN)
    gain = engine.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0) - before
    advantages = np.repeat([a for group in batch.groups for a in group.advantages], batch.lengths)
    assert (gain * advantages).sum() > 0


def test_updates_are_the_local_engines(learner):
    """Gradient norm, sums, log-probabilities and weights, over three steps."""
    skip_the_reference(learner)
    for step in range(3):
        mine = update(learner.engine, learner.batch)
        reference = update(learner.reference, learner.batch)
        # AdamW lifts the rounding of a few weights, and later steps start from these: on some CPUs
        # the norm differs by 1.1e-5 and log-probabilities by 4e-5.
        scale = 1 if step == 0 else 10
        assert mine.gradient_norm == pytest.approx(reference.gradient_norm, rel=1e-5 * scale)
        assert mine.entropy_sum_nats == pytest.approx(reference.entropy_sum_nats, rel=1e-6 * scale)
        assert mine.policy_sum == pytest.approx(reference.policy_sum, abs=1e-4 * scale)
        assert mine.n_tokens == reference.n_tokens
        np.testing.assert_allclose(
            mine.logprobs_N, reference.logprobs_N, rtol=0, atol=CLOSE * scale
        )
    assert weights_gap(learner.engine, learner.reference) < FLOAT32


def test_given_arrays_reach_the_loss_token_by_token(learner):
    """Old and reference log-probabilities, and weights, of which each rank needs its own part."""
    skip_the_reference(learner)
    rng = np.random.default_rng(0)
    batch, n = learner.batch, learner.batch.n_tokens
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
    mine = update(learner.engine, given, objective)
    reference = update(learner.reference, given, objective)
    assert mine.gradient_norm == pytest.approx(reference.gradient_norm, rel=1e-5)
    assert mine.clipped_sum == reference.clipped_sum > 0
    assert mine.kl_sum == pytest.approx(reference.kl_sum, rel=1e-5)
    assert mine.ratio_sum == pytest.approx(reference.ratio_sum, rel=1e-5)


def test_progress_adds_up_to_the_batch(learner):
    seen = []
    learner.engine.update(learner.batch, OBJECTIVE, learning_rate=RATE, progress=seen.append)
    assert sum(seen) == learner.batch.n_rollouts


def test_an_empty_update_is_refused(learner):
    empty = TrainBatch(groups=(), rollout_logprobs_N=np.zeros(0, np.float32))
    with pytest.raises(EngineError, match="at least one"):
        update(learner.engine, empty)


# weights and state


def test_weights_come_under_every_name_with_the_tied_alias(learner):
    skip_the_fake(learner)
    names = learner.engine.weights().tensors.keys()
    assert names == load_model("tiny").module.state_dict().keys()
    assert {"lm_head.weight", "model.embed_tokens.weight"} <= names
    assert weights_gap(learner.engine, learner.reference) == 0.0


def test_saved_state_restores_the_next_update_bit_for_bit(learner, tmp_path):
    update(learner.engine, learner.batch)
    state_of(learner.engine, saved := tmp_path / "saved")
    update(learner.engine, learner.batch)
    first = state_of(learner.engine, tmp_path / "first")
    learner.engine.load(saved)
    update(learner.engine, learner.batch)
    assert_same(state_of(learner.engine, tmp_path / "second"), first)


def test_a_loaded_state_is_the_policy_at_once(learner, tmp_path):
    """Nothing that was computed from the weights of before outlives the load."""

    def logprobs():
        return learner.engine.at_tokens(learner.batch, TokenValue.LOGPROBS, temperature=1.0)

    learner.engine.save(tmp_path)
    start = logprobs()
    learner.engine.update(learner.batch, PLAIN, learning_rate=1e-2)
    logprobs()
    learner.engine.load(tmp_path)
    np.testing.assert_array_equal(logprobs(), start)


def test_state_of_any_ranks_is_taken_over_by_one_process(learner, tmp_path):
    skip_the_reference(learner)
    update(learner.engine, learner.batch)
    learner.engine.save(tmp_path)
    learner.reference.load(tmp_path)
    assert weights_gap(learner.engine, learner.reference) == 0.0
    update(learner.engine, learner.batch)
    update(learner.reference, learner.batch)
    assert weights_gap(learner.engine, learner.reference) < FLOAT32


def test_a_reset_optimizer_starts_like_a_new_one(learner, tmp_path):
    update(learner.engine, learner.batch)
    state = state_of(learner.engine, tmp_path / "once")
    learner.engine.reset_optimizer()
    update(learner.engine, learner.batch)
    after_reset = state_of(learner.engine, tmp_path / "reset")
    (tmp_path / "weights").mkdir()
    weights_only = {name: value for name, value in state.items() if name.startswith(WEIGHT)}
    write_whole(tmp_path / "weights", weights_only)
    learner.engine.load(tmp_path / "weights")
    update(learner.engine, learner.batch)
    assert_same(state_of(learner.engine, tmp_path / "new"), after_reset)


def test_a_state_of_another_model_is_refused(learner, tmp_path):
    state = state_of(learner.engine, tmp_path / "saved")
    missing = max(name for name in state if name.startswith(WEIGHT))
    del state[missing]
    (tmp_path / "other").mkdir()
    write_whole(tmp_path / "other", state | {"weight.other": torch.zeros(2)})
    with pytest.raises(CheckpointError, match=missing.removeprefix(WEIGHT)):
        learner.engine.load(tmp_path / "other")


def test_a_torn_state_is_refused(learner, tmp_path):
    (tmp_path / "engine.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}")
    with pytest.raises(CheckpointError, match="cannot be read"):
        learner.engine.load(tmp_path)
