"""What every engine promises; docs/architecture.md section 4. Run against the local engine."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reasonrl.algo.loss import Objective
from reasonrl.engines.protocols import TokenValue, TrainBatch
from reasonrl.engines.weights import Weights
from reasonrl.errors import CheckpointError, EngineError
from reasonrl.types import Sampling, StopReason
from tests.conftest import TEXTS, batch_of, prompts_of

PLAIN = Objective(
    clip_low=0.2, clip_high=0.2, entropy_coefficient=0.0, kl_coefficient=0.0, temperature=1.0
)


def test_generate_returns_every_group_in_order(make_engine):
    engine = make_engine(max_rows=5)
    prompts = prompts_of(engine, TEXTS)
    groups = engine.generate(prompts, Sampling(max_new_tokens=9, group_size=3))
    assert [len(group) for group in groups] == [3] * len(prompts)
    for completion in (c for group in groups for c in group):
        assert 1 <= len(completion.tokens) == len(completion.logprobs) <= 9


def test_a_completion_ends_with_eos_or_at_the_limit(sampled):
    engine, _, groups = sampled
    eos = engine.model.eos_ids
    reasons = set()
    for completion in (c for group in groups for c in group):
        *body, last = completion.tokens.tolist()
        assert not eos.intersection(body)
        assert (last in eos) == (completion.stop is StopReason.STOP)
        assert completion.is_truncated == (len(completion.tokens) == 12 and last not in eos)
        reasons.add(completion.stop)
    assert reasons == {StopReason.STOP, StopReason.LENGTH}  # the case shows both


@pytest.mark.parametrize("max_rows", [1, 3, 7, 64])
def test_what_is_sampled_does_not_depend_on_the_batch(make_engine, sampled, max_rows):
    _, prompts, expected = sampled
    engine = make_engine(max_rows=max_rows)
    found = engine.generate(prompts, Sampling(max_new_tokens=12, group_size=6))
    for one, other in zip(found, expected, strict=True):
        assert [c.tokens.tolist() for c in one] == [c.tokens.tolist() for c in other]


def test_a_prompt_samples_the_same_alone_and_in_company(sampled):
    engine, prompts, groups = sampled
    alone = engine.generate(prompts[2:3], Sampling(max_new_tokens=12, group_size=6))
    assert [c.tokens.tolist() for c in alone[0]] == [c.tokens.tolist() for c in groups[2]]


def test_a_larger_group_begins_with_the_smaller_one(sampled):
    engine, prompts, groups = sampled
    more = engine.generate(prompts, Sampling(max_new_tokens=12, group_size=8))
    for large, small in zip(more, groups, strict=True):
        assert [c.tokens.tolist() for c in large[:6]] == [c.tokens.tolist() for c in small]


def test_chosen_members_of_a_group_are_those_of_the_whole_one(sampled):
    engine, prompts, groups = sampled
    chosen = ((5,), (), (0, 2, 3), None)
    some = engine.generate(
        [replace(one, indices=two) for one, two in zip(prompts, chosen, strict=True)],
        Sampling(max_new_tokens=12, group_size=6),
    )
    for indices, part, whole in zip(chosen, some, groups, strict=True):
        expected = whole if indices is None else [whole[index] for index in indices]
        assert [c.tokens.tolist() for c in part] == [c.tokens.tolist() for c in expected]


def test_nothing_is_sampled_when_no_member_is_chosen(sampled):
    engine, prompts, _ = sampled
    none = [replace(prompt, indices=()) for prompt in prompts]
    assert engine.generate(none, Sampling(max_new_tokens=12, group_size=6)) == [[]] * len(prompts)


def test_every_completion_is_announced_once_as_it_ends(sampled):
    engine, prompts, groups = sampled
    announced = {}

    def note(place, index, completion):
        assert (place, index) not in announced
        announced[place, index] = completion.tokens.tolist()

    engine.generate(prompts, Sampling(max_new_tokens=12, group_size=6), on_finished=note)
    assert announced == {
        (place, index): completion.tokens.tolist()
        for place, group in enumerate(groups)
        for index, completion in enumerate(group)
    }
    lengths = [len(tokens) for tokens in announced.values()]
    assert lengths[:6] == sorted(lengths[:6])  # the first to end come first


def test_greedy_rollouts_of_a_group_are_alike(make_engine):
    engine = make_engine()
    [group] = engine.generate(
        prompts_of(engine, TEXTS[:1]), Sampling(max_new_tokens=6, temperature=0.0, group_size=3)
    )
    assert len({tuple(c.tokens.tolist()) for c in group}) == 1


@pytest.mark.parametrize("temperature", [1.0, 0.6, 1.7])
def test_rollout_logprobs_equal_the_learners(make_engine, temperature):
    engine = make_engine()
    prompts = prompts_of(engine, TEXTS)
    sampling = Sampling(max_new_tokens=12, group_size=6, temperature=temperature)
    batch = batch_of(prompts, engine.generate(prompts, sampling))
    old = engine.at_tokens(batch, TokenValue.LOGPROBS, temperature=temperature)
    # float32: cached and packed attention sum in another order
    np.testing.assert_allclose(batch.rollout_logprobs_N, old, rtol=0, atol=2e-5)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_entropies_are_those_that_an_update_sums(sampled, temperature):
    engine, prompts, groups = sampled
    batch = batch_of(prompts, groups)
    found = engine.at_tokens(batch, TokenValue.ENTROPIES, temperature=temperature)
    stats = engine.update(batch, replace(PLAIN, temperature=temperature), learning_rate=0.0)
    assert found.shape == (batch.n_tokens,)
    assert found.sum(dtype=np.float64) == pytest.approx(stats.entropy_sum_nats, rel=1e-5)


def test_score_equals_logprobs_completion_by_completion(sampled):
    engine, prompts, groups = sampled
    pairs = [(p.tokens, c.tokens) for p, g in zip(prompts, groups, strict=True) for c in g]
    scored = engine.score(pairs, temperature=1.0)
    together = engine.at_tokens(batch_of(prompts, groups), TokenValue.LOGPROBS, temperature=1.0)
    assert [len(one) for one in scored] == [len(c) for _, c in pairs]
    np.testing.assert_allclose(np.concatenate(scored), together, rtol=0, atol=2e-5)


def test_completions_carry_the_version_of_the_weights(sampled):
    engine, prompts, _ = sampled
    engine.load_weights(engine.weights(), version=7)
    [group] = engine.generate(prompts[:1], Sampling(max_new_tokens=2))
    assert group[0].version == 7


def test_weights_name_every_hf_tensor_and_the_tied_alias(make_engine):
    engine = make_engine()
    names = engine.weights().tensors.keys()
    assert names == engine.model.module.state_dict().keys()
    assert {"lm_head.weight", "model.embed_tokens.weight"} <= names


def test_another_modules_weights_are_refused(make_engine):
    engine, other = make_engine(), make_engine(seed=1)
    with pytest.raises(EngineError, match="another module"):
        engine.load_weights(Weights(tensors=other.weights().tensors, version=1), version=1)


def test_an_update_moves_the_policy_towards_its_advantages(sampled):
    engine, prompts, groups = sampled
    batch = batch_of(prompts, groups)
    before = engine.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)
    engine.update(batch, PLAIN, learning_rate=1e-3)
    gain = engine.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0) - before
    advantages = np.concatenate(
        [np.full(len(c), a) for g in batch.groups for c, a in zip(g.completions, g.advantages)]  # noqa: B905
    )
    assert (gain * advantages).sum() > 0


def test_an_empty_update_is_refused(make_engine):
    empty = TrainBatch(groups=(), rollout_logprobs_N=np.zeros(0, np.float32))
    with pytest.raises(EngineError, match="at least one"):
        make_engine().update(empty, PLAIN, learning_rate=1e-3)


def test_state_restores_the_next_update_bit_for_bit(make_engine, sampled):
    engine, prompts, groups = sampled
    batch = batch_of(prompts, groups)
    engine.update(batch, PLAIN, learning_rate=1e-3)
    state = {name: value.clone() for name, value in engine.state_dict().items()}
    engine.update(batch, PLAIN, learning_rate=1e-3)
    other = make_engine(seed=5)
    other.load_state_dict(state)
    other.update(batch, PLAIN, learning_rate=1e-3)
    for name, value in engine.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_a_reset_optimizer_starts_like_a_new_one(make_engine, sampled):
    engine, prompts, groups = sampled
    batch = batch_of(prompts, groups)
    engine.update(batch, PLAIN, learning_rate=1e-3)
    weights_only = {n: v.clone() for n, v in engine.state_dict().items() if n.startswith("weight")}
    fresh = make_engine()
    fresh.load_state_dict(weights_only)
    engine.reset_optimizer()
    engine.update(batch, PLAIN, learning_rate=1e-3)
    fresh.update(batch, PLAIN, learning_rate=1e-3)
    for name, value in engine.state_dict().items():
        assert torch.equal(value, fresh.state_dict()[name]), name


def test_a_state_of_another_model_is_refused(make_engine):
    engine = make_engine()
    state = engine.state_dict()
    state.pop("weight.model.norm.weight")
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight"):
        engine.load_state_dict(state)


def test_the_reference_stays_where_the_policy_started(make_engine):
    engine = make_engine(keep_reference=True)
    prompts = prompts_of(engine, TEXTS)
    batch = batch_of(prompts, engine.generate(prompts, Sampling(max_new_tokens=6, group_size=2)))
    start = engine.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)
    engine.update(batch, PLAIN, learning_rate=1e-2)
    np.testing.assert_array_equal(
        engine.at_tokens(batch, TokenValue.REFERENCE_LOGPROBS, temperature=1.0), start
    )
    assert not np.array_equal(engine.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0), start)


def test_no_reference_kept_is_said(make_engine, sampled):
    _, prompts, groups = sampled
    with pytest.raises(EngineError, match="reference"):
        make_engine().at_tokens(
            batch_of(prompts, groups), TokenValue.REFERENCE_LOGPROBS, temperature=1.0
        )
