"""The gradient of an update is that of the equations, however its tokens are laid out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reasonrl.algo.loss import Objective, loss_sum
from reasonrl.engines.protocols import TokenValue
from reasonrl.loop.batch import split_minibatches
from reasonrl.types import Sampling
from tests.conftest import TEXTS, batch_of, prompts_of

FULL = Objective(
    clip_low=0.2, clip_high=0.28, entropy_coefficient=0.02, kl_coefficient=0.05, temperature=0.9
)


def gradients(engine, batch, objective=FULL):
    """Return the clipped gradient that one update applied."""
    engine.update(batch, objective, learning_rate=1e-9)
    return {
        name: parameter.grad.clone() for name, parameter in engine.model.module.named_parameters()
    }


def assert_same(expected, other):
    for name, gradient in expected.items():
        scale = float(gradient.abs().max())
        # float32 sums in another order; measured differences are below 2e-6 of the largest entry
        torch.testing.assert_close(other[name], gradient, rtol=0, atol=1e-5 * scale, msg=name)


@pytest.fixture
def batch(make_engine):
    engine = make_engine()
    prompts = prompts_of(engine, TEXTS)
    groups = engine.generate(prompts, Sampling(max_new_tokens=12, group_size=6, temperature=0.9))
    plain = batch_of(prompts, groups)
    rng = np.random.default_rng(0)

    def near(logprobs):
        return (logprobs + rng.normal(scale=0.3, size=len(logprobs))).astype(np.float32)

    current = plain.rollout_logprobs_N
    return replace(plain, old_logprobs_N=near(current), ref_logprobs_N=near(current))


@pytest.mark.parametrize("token_budget", [1, 40, 100, 300, 100_000])
def test_gradient_does_not_depend_on_microbatch_size(make_engine, batch, token_budget):
    whole = gradients(make_engine(token_budget=100_000), batch)
    assert_same(whole, gradients(make_engine(token_budget=token_budget), batch))


def saved_bytes(engine, batch):
    """Return how much autograd kept for the backward pass of one update."""
    total = 0

    def pack(tensor):
        nonlocal total
        total += tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        engine.update(batch, FULL, learning_rate=1e-9)
    return total


def test_recomputed_activations_give_the_same_gradient_from_less_memory(make_engine, batch):
    assert_same(gradients(make_engine(), batch), gradients(make_engine(recompute=True), batch))
    assert saved_bytes(make_engine(recompute=True), batch) < saved_bytes(make_engine(), batch) / 2


def test_bfloat16_compute_keeps_float32_weights_and_nearly_the_gradient(make_engine, batch):
    exact = gradients(make_engine(), batch)
    rough_engine = make_engine(compute="bfloat16")
    rough = gradients(rough_engine, batch)
    assert {value.dtype for value in rough_engine.state_dict().values()} == {torch.float32}
    whole, other = (
        torch.cat([g.flatten() for g in gradient.values()]) for gradient in (exact, rough)
    )
    # eight bits of mantissa; measured cosine 0.9990 to 0.9999
    assert torch.nn.functional.cosine_similarity(whole, other, dim=0) > 0.99
    assert not torch.equal(whole, other)


def test_bfloat16_samples_follow_the_weights_after_an_update(make_engine, batch):
    """Its low-precision copies of the weights must not outlive an optimizer step."""
    engine = make_engine(compute="bfloat16")
    engine.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)
    engine.update(batch, FULL, learning_rate=0.1)
    fresh = make_engine(compute="bfloat16")
    fresh.load_state_dict(engine.state_dict())
    np.testing.assert_array_equal(
        engine.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0),
        fresh.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0),
    )


def test_gradient_does_not_depend_on_group_order(make_engine, batch):
    lengths = [sum(map(len, group.completions)) for group in batch.groups]
    parts = np.split(np.arange(batch.n_tokens), np.cumsum(lengths)[:-1])
    order = [2, 0, 3, 1]
    index = np.concatenate([parts[number] for number in order])
    shuffled = replace(
        batch,
        groups=tuple(batch.groups[number] for number in order),
        rollout_logprobs_N=batch.rollout_logprobs_N[index],
        old_logprobs_N=batch.old_logprobs_N[index],
        ref_logprobs_N=batch.ref_logprobs_N[index],
    )
    assert_same(gradients(make_engine(), batch), gradients(make_engine(), shuffled))


def test_packed_shared_prompts_equal_plain_padded_rows(make_engine, batch):
    """The oracle: each rollout a padded row of its own, through transformers' own layers."""
    engine = make_engine()
    oracle = dense_gradient(engine.model.module, batch, FULL)
    assert_same(oracle, gradients(engine, batch))


def dense_gradient(exchanged, batch, objective):
    """Return the gradient through a fresh module of transformers with the same weights."""
    module = type(exchanged)(exchanged.config).eval()
    module.load_state_dict(exchanged.state_dict())
    module.config._attn_implementation = "sdpa"
    rows = [(g.prompt, c) for g in batch.groups for c in g.completions]
    advantages = [a for g in batch.groups for a in g.advantages]
    longest = max(len(p) + len(c) for p, c in rows)
    tokens = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros_like(tokens)
    for row, (prompt, completion) in enumerate(rows):
        whole = np.concatenate((prompt, completion))
        tokens[row, : len(whole)] = torch.as_tensor(whole)
        mask[row, : len(whole)] = 1
    logits = module(input_ids=tokens, attention_mask=mask).logits / objective.temperature
    logprobs_NV = torch.cat(
        [
            torch.log_softmax(logits[row, len(p) - 1 : len(p) + len(c) - 1], -1)
            for row, (p, c) in enumerate(rows)
        ]
    )
    targets = torch.as_tensor(np.concatenate([c for _, c in rows]), dtype=torch.long)
    loss, _ = loss_sum(
        objective,
        logprobs_N=logprobs_NV.gather(-1, targets[:, None]).squeeze(-1),
        entropy_N=-(logprobs_NV.exp() * logprobs_NV).sum(-1),
        old_logprobs_N=torch.as_tensor(batch.old_logprobs_N),
        advantages_N=torch.cat(
            [torch.full((len(c),), a) for (_, c), a in zip(rows, advantages, strict=True)]
        ),
        ref_logprobs_N=torch.as_tensor(batch.ref_logprobs_N),
    )
    (loss / batch.n_tokens).backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    return {name: parameter.grad for name, parameter in module.named_parameters()}


def test_on_policy_the_ratio_of_the_first_minibatch_is_exactly_one(make_engine, batch):
    plain = replace(FULL, kl_coefficient=0.0)
    on_policy = replace(batch, old_logprobs_N=None, ref_logprobs_N=None)
    stats = make_engine().update(on_policy, plain, learning_rate=1e-9)
    assert stats.ratio_sum == stats.n_tokens

    engine = make_engine()
    old = engine.at_tokens(on_policy, TokenValue.LOGPROBS, temperature=plain.temperature)
    [first, *_] = split_minibatches(replace(on_policy, old_logprobs_N=old), 1)
    scored = engine.update(first, plain, learning_rate=1e-9)
    assert scored.ratio_sum == scored.n_tokens


def test_scoring_before_an_update_changes_nothing_on_policy(make_engine, batch):
    plain = replace(FULL, kl_coefficient=0.0)
    own = replace(batch, old_logprobs_N=None, ref_logprobs_N=None)
    engine = make_engine()
    scored = replace(
        own,
        old_logprobs_N=engine.at_tokens(own, TokenValue.LOGPROBS, temperature=plain.temperature),
    )
    assert_same(gradients(make_engine(), own, plain), gradients(engine, scored, plain))


def test_minibatches_partition_the_batch(batch):
    for n in range(1, 7):
        parts = split_minibatches(batch, n)
        assert len(parts) == min(n, len(batch.groups))
        assert sum((part.groups for part in parts), ()) == batch.groups
        assert all(part.n_rollouts for part in parts)
        for name in ("rollout_logprobs_N", "old_logprobs_N", "ref_logprobs_N"):
            joined = np.concatenate([getattr(part, name) for part in parts])
            np.testing.assert_array_equal(joined, getattr(batch, name))
