"""What every engine that samples promises, whoever it is and wherever it runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from reasonrl.algo.loss import Objective
from reasonrl.engines.checksums import differing
from reasonrl.engines.protocols import TokenValue
from reasonrl.engines.weights import Weights
from reasonrl.errors import EngineError
from reasonrl.types import Sampling, StopReason
from tests.conftest import batch_of

CLOSE = 2e-5  # nats between two float32 computations of a log-probability
PLAIN = Objective(
    clip_low=0.2, clip_high=0.2, entropy_coefficient=0.0, kl_coefficient=0.0, temperature=1.0
)


def tokens_of(groups) -> list[list[list[int]]]:
    return [[completion.tokens.tolist() for completion in group] for group in groups]


def learner_logprobs(case, groups, *, temperature=1.0):
    batch = batch_of(case.prompts, groups)
    return case.learner.at_tokens(batch, TokenValue.LOGPROBS, temperature=temperature)


def test_without_weights_nothing_is_sampled(unready):
    """First of this module: a replica that has just started holds another policy than ours."""
    if unready.shares_its_policy:
        pytest.skip("sampler and learner are one engine, which has its weights from the start")
    with pytest.raises(EngineError, match="before it was given weights"):
        unready.engine.generate(unready.prompts[:1], Sampling(max_new_tokens=2))


def test_a_tied_alias_that_is_not_sent_is_refused(unready):
    if unready.shares_its_policy:
        pytest.skip("sampler and learner are one engine: no weights are copied")
    tensors = dict(unready.learner.weights().tensors)
    del tensors["lm_head.weight"]
    with pytest.raises(EngineError, match=r"lm_head\.weight"):
        unready.engine.load_weights(Weights(tensors=tensors, version=0), version=0)


def test_groups_come_in_order_and_every_completion_is_announced_once(rollout):
    announced = []
    groups = rollout.engine.generate(
        rollout.prompts,
        Sampling(max_new_tokens=12, group_size=6),
        on_finished=lambda number, index, completion: announced.append((number, index, completion)),
    )
    assert [len(group) for group in groups] == [6] * len(rollout.prompts)
    assert sorted((number, index) for number, index, _ in announced) == [
        (number, index) for number in range(len(rollout.prompts)) for index in range(6)
    ]
    assert all(groups[number][index] is completion for number, index, completion in announced)


def test_completions_end_at_a_kept_eos_or_at_the_limit(rollout):
    [group] = rollout.engine.generate(
        rollout.prompts[:1], Sampling(max_new_tokens=12, group_size=40)
    )
    assert {completion.stop for completion in group} == {StopReason.STOP, StopReason.LENGTH}
    for completion in group:
        *body, last = completion.tokens.tolist()
        assert 1 <= len(completion.tokens) == len(completion.logprobs) <= 12
        assert not rollout.eos_ids.intersection(body)
        assert (last in rollout.eos_ids) == (completion.stop is StopReason.STOP)
        assert completion.is_truncated == (
            len(completion.tokens) == 12 and last not in rollout.eos_ids
        )


def test_the_same_seeds_sample_the_same_alone_and_among_others(rollout):
    sampling = Sampling(max_new_tokens=12, group_size=6)
    whole = rollout.engine.generate(rollout.prompts, sampling)
    alone = rollout.engine.generate(rollout.prompts[2:3], sampling)
    assert tokens_of(alone) == tokens_of(whole[2:3])


def test_chosen_members_of_a_group_are_those_of_the_whole_one(rollout):
    sampling = Sampling(max_new_tokens=12, group_size=6)
    whole = rollout.engine.generate(rollout.prompts, sampling)
    chosen = ((5,), (), (0, 2, 3), None)
    parts = rollout.engine.generate(
        [
            replace(prompt, indices=indices)
            for prompt, indices in zip(rollout.prompts, chosen, strict=True)
        ],
        sampling,
    )
    expected = [
        group if indices is None else [group[index] for index in indices]
        for group, indices in zip(whole, chosen, strict=True)
    ]
    assert tokens_of(parts) == tokens_of(expected)


def test_nothing_is_sampled_when_no_member_is_chosen(rollout):
    prompts = [replace(prompt, indices=()) for prompt in rollout.prompts]
    sampling = Sampling(max_new_tokens=12, group_size=6)
    assert rollout.engine.generate(prompts, sampling) == [[]] * len(prompts)


def test_a_larger_group_begins_with_the_smaller_one(rollout):
    small, large = (
        rollout.engine.generate(rollout.prompts, Sampling(max_new_tokens=12, group_size=size))
        for size in (6, 8)
    )
    assert tokens_of(group[:6] for group in large) == tokens_of(small)


def test_members_of_a_group_differ(rollout):
    [group] = rollout.engine.generate(
        rollout.prompts[:1], Sampling(max_new_tokens=12, group_size=12)
    )
    assert len({completion.tokens.tobytes() for completion in group}) > 6


def test_greedy_rollouts_of_a_group_are_alike(rollout):
    sampling = Sampling(max_new_tokens=6, temperature=0.0, group_size=3)
    for group in rollout.engine.generate(rollout.prompts, sampling):
        assert len({completion.tokens.tobytes() for completion in group}) == 1


def test_greedy_takes_the_likeliest_token(rollout):
    if rollout.shares_its_policy:
        pytest.skip("sampler and learner are one engine, which would be compared with itself")
    sampling = Sampling(max_new_tokens=12, temperature=0.0)
    groups = rollout.engine.generate(rollout.prompts, sampling)
    assert tokens_of(groups) == tokens_of(rollout.learner.generate(rollout.prompts, sampling))


@pytest.mark.parametrize("temperature", [1.0, 0.6, 1.7])
def test_sampled_logprobs_are_the_learners(rollout, temperature):
    sampling = Sampling(max_new_tokens=12, group_size=6, temperature=temperature)
    groups = rollout.engine.generate(rollout.prompts, sampling)
    sampled = np.concatenate([c.logprobs for group in groups for c in group])
    expected = learner_logprobs(rollout, groups, temperature=temperature)
    np.testing.assert_allclose(sampled, expected, rtol=0, atol=CLOSE)


def test_scores_are_the_learners(rollout):
    groups = rollout.engine.generate(rollout.prompts, Sampling(max_new_tokens=9, group_size=2))
    pairs = [
        (prompt.tokens, completion.tokens)
        for prompt, group in zip(rollout.prompts, groups, strict=True)
        for completion in group
    ]
    scores = rollout.engine.score(pairs, temperature=1.0)
    assert [len(score) for score in scores] == [len(completion) for _, completion in pairs]
    np.testing.assert_allclose(
        np.concatenate(scores), learner_logprobs(rollout, groups), rtol=0, atol=CLOSE
    )


def test_new_weights_are_another_policy_under_another_version(rollout):
    sampling = Sampling(max_new_tokens=6, group_size=2)
    before = rollout.engine.generate(rollout.prompts, sampling)
    assert {completion.version for group in before for completion in group} == {3}
    old = learner_logprobs(rollout, before)
    rollout.learner.update(batch_of(rollout.prompts, before), PLAIN, learning_rate=1e-2)
    rollout.engine.load_weights(rollout.learner.weights(), version=4)
    groups = rollout.engine.generate(rollout.prompts, sampling)
    assert {completion.version for group in groups for completion in group} == {4}
    sampled = np.concatenate([c.logprobs for group in groups for c in group])
    np.testing.assert_allclose(sampled, learner_logprobs(rollout, groups), rtol=0, atol=CLOSE)
    if rollout.kind != "fake":  # its policy is the same in every version
        assert np.abs(learner_logprobs(rollout, before) - old).max() > 0.01


def test_an_engine_holds_what_it_was_sent_and_says_so(rollout):
    """The checksums of a sync: equal after it, and different in a single weight by one ulp."""
    sent = rollout.learner.weights()
    held = rollout.engine.checksums()
    assert differing(sent.checksums(), held) == []
    if rollout.kind == "fake":
        return
    newer = {name: tensor.clone() for name, tensor in sent.tensors.items()}
    changed = "model.layers.1.mlp.down_proj.weight"
    newer[changed][3, 5] = torch.nextafter(newer[changed][3, 5], torch.tensor(torch.inf))
    weights = Weights(tensors=newer, version=4)
    assert differing(weights.checksums(), held) == [changed]


def test_many_more_requests_than_rows_are_all_answered(rollout):
    groups = rollout.engine.generate(rollout.prompts, Sampling(max_new_tokens=3, group_size=64))
    assert [len(group) for group in groups] == [64] * len(rollout.prompts)


def test_a_completion_ends_with_the_token_that_completes_a_stop_text(rollout):
    if rollout.kind == "fake":
        pytest.skip("the fake engine has no text")
    decode = rollout.learner.model.tokenizer.hf.decode
    free = Sampling(max_new_tokens=30, group_size=8)
    texts = [
        decode(c.tokens[:12], skip_special_tokens=False)
        for group in rollout.engine.generate(rollout.prompts, free)
        for c in group
    ]
    stop = next(text[5:7] for text in texts if len(text) > 8 and text[5:7].isascii())
    groups = rollout.engine.generate(rollout.prompts, replace(free, stop=("never said", stop)))
    ended = 0
    for completion in (c for group in groups for c in group):
        text = decode(completion.tokens, skip_special_tokens=False)
        shorter = decode(completion.tokens[:-1], skip_special_tokens=False)
        assert stop not in shorter
        if stop in text:
            ended += 1
            assert completion.stop is StopReason.STOP
            assert len(completion.logprobs) == len(completion.tokens)
    assert ended


def test_cuts_of_the_support_leave_the_likeliest_tokens(rollout):
    if rollout.kind == "fake":
        pytest.skip("all tokens of the fake engine are equally likely")
    greedy = Sampling(max_new_tokens=6, temperature=0.0, group_size=2)
    expected = tokens_of(rollout.engine.generate(rollout.prompts, greedy))
    for cut in ({"top_k": 1}, {"top_p": 1e-4}, {"min_p": 0.999}):
        sampling = Sampling(max_new_tokens=6, group_size=2, **cut)
        assert tokens_of(rollout.engine.generate(rollout.prompts, sampling)) == expected
