"""Mixtures of experts: the loss of their routers, and what is recorded of them."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.models.qwen3_moe.modeling_qwen3_moe import load_balancing_loss_func

from reasonrl.engines.fsdp import FsdpLearner
from reasonrl.engines.fsdp.processes import run_on_ranks
from reasonrl.engines.local import LocalEngine
from reasonrl.engines.trial import SAMPLING, UPDATE, batch_of, prompts_of
from reasonrl.errors import EngineError
from reasonrl.models.hf import load_model, outline_model
from reasonrl.models.random import build_tiny, roughen
from reasonrl.models.routing import routing_at
from tests.conftest import OPTIMIZER

FACTOR = 0.5
BALANCED = replace(UPDATE, balances_routers=True)
UNCLIPPED = replace(OPTIMIZER, max_gradient_norm=1e30)


@pytest.fixture(params=["qwen3_moe", "gpt_oss"])
def name(request, tmp_path):
    module, tokenizer = build_tiny(3, family=request.param)
    module.config.router_aux_loss_coef = FACTOR
    roughen(module, 1)
    module.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return str(tmp_path)


def engine(name, backend="native", token_budget=100_000):
    model = load_model(name, backend=backend)
    return LocalEngine(model, UNCLIPPED, token_budget=token_budget, max_rows=16)


def sampled(of):
    prompts = prompts_of(of.model)
    return batch_of(prompts, of.generate(prompts, SAMPLING))


def test_the_loss_is_that_of_transformers():
    torch.manual_seed(0)
    logits = tuple(torch.randn(50, 6) for _ in range(3))
    every = torch.arange(50)
    ours = routing_at(logits, every, chosen=2).balance_loss
    theirs = load_balancing_loss_func(logits, num_experts=6, top_k=2)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)
    # Even routers choose each expert as often: the loss is the number of chosen experts.
    even = (torch.eye(6).repeat(4, 1) + torch.eye(6).roll(1, 1).repeat(4, 1)) * 9
    assert float(routing_at((even,), torch.arange(24), chosen=2).balance_loss) == pytest.approx(2)


def by_hand(name, batch):
    """Return the gradient of policy and router terms through plain transformers and autograd."""
    plain = AutoModelForCausalLM.from_pretrained(name, attn_implementation="eager").eval()
    loss, routers = torch.zeros(()), []
    for group in batch.groups:
        for completion, advantage in zip(group.completions, group.advantages, strict=True):
            whole = torch.as_tensor(np.concatenate((group.prompt, completion))).long()
            out = plain.model(whole[None], output_router_logits=True)
            places = slice(len(group.prompt) - 1, len(whole) - 1)
            logprobs = torch.log_softmax(plain.lm_head(out.last_hidden_state[0, places]), -1)
            chosen = logprobs.gather(-1, whole[len(group.prompt) :, None])
            loss = loss - advantage * chosen.sum() / batch.n_tokens
            routers.append([layer[places] for layer in out.router_logits])
    logits = tuple(torch.cat(layers) for layers in zip(*routers, strict=True))
    experts = logits[0].shape[1]
    balance = load_balancing_loss_func(logits, experts, plain.config.num_experts_per_tok)
    (loss + FACTOR * balance).backward()
    return {key: value.grad for key, value in plain.named_parameters()}, float(balance.detach())


@pytest.mark.parametrize("backend", ["native", "transformers"])
def test_the_gradient_with_the_loss_of_routers_is_that_of_plain_transformers(name, backend):
    batch = sampled(engine(name))
    wanted, balance = by_hand(name, batch)
    of = engine(name, backend)
    if backend == "transformers":  # padded rows of one part, so that the loss has one part too
        of._computation.backward = partial(whole_batch, of._computation)
    stats = of.update(batch, BALANCED, learning_rate=0.0)
    assert stats.routers.balance_loss == pytest.approx(balance, rel=1e-5)
    most = max(float(gradient.abs().max()) for gradient in wanted.values())
    for key, gradient in wanted.items():
        distance = float((of.gradients()[key] - gradient).abs().max())
        assert distance < 1e-5 * max(float(gradient.abs().max()), 1e-3 * most), key


def whole_batch(computation, micro, temperature, chunk_loss, *, router_weight):
    """Run `backward` with all rows in one part."""
    from reasonrl.engines.local import plain

    cut = plain._padded
    try:
        plain._padded = partial(cut, at_least=1 << 30)
        return type(computation).backward(
            computation, micro, temperature, chunk_loss, router_weight=router_weight
        )
    finally:
        plain._padded = cut


def test_without_the_loss_routers_learn_from_the_policy_alone(name):
    batch = sampled(engine(name))
    gradients = {}
    for balances in (False, True):
        of = engine(name)
        of.update(batch, replace(UPDATE, balances_routers=balances), learning_rate=0.0)
        gradients[balances] = {key: value.clone() for key, value in of.gradients().items()}
    key = next(key for key in gradients[True] if key.endswith(("gate.weight", "router.weight")))
    assert float((gradients[True][key] - gradients[False][key]).abs().max()) > 1e-4


def test_what_routers_did_is_recorded(name):
    of = engine(name)
    stats = of.update(sampled(of), UPDATE, learning_rate=0.0)
    assert 1.0 <= stats.routers.balance_loss <= 4.0
    assert 0.25 <= stats.routers.busiest_share <= 1.0
    assert 0.0 <= stats.routers.idle_share < 1.0
    assert engine("tiny").update(sampled(engine("tiny")), UPDATE, learning_rate=0).routers is None


def be_rank(name, batch, file, ranks):
    learner = FsdpLearner(
        partial(outline_model, name), partial(load_model, name), ranks, UNCLIPPED,
        token_budget=100_000,
    )  # fmt: skip
    stats = learner.update(batch, BALANCED, learning_rate=0.0)
    gradients = learner.gradients()
    if ranks.rank == 0:
        row = torch.tensor([stats.routers.balance_loss, stats.routers.busiest_share])
        save_file({"": row, **gradients}, file)


def test_a_rank_has_the_same_loss_of_routers(tmp_path, name):
    of = engine(name)
    batch = sampled(of)
    stats = of.update(batch, BALANCED, learning_rate=0.0)
    file = tmp_path / "values.safetensors"
    run_on_ranks(partial(be_rank, name, batch, file), world=1, device="cpu", where="test")
    ranked = load_file(file)
    found = ranked.pop("").tolist()
    assert found == pytest.approx([stats.routers.balance_loss, stats.routers.busiest_share])
    for key, gradient in of.gradients().items():
        distance = float((ranked[key] - gradient).abs().max())
        assert distance < 1e-5 * max(float(gradient.abs().max()), 1e-3), key


def test_routers_that_are_not_handed_out_are_not_silently_left_unbalanced(name):
    of = engine(name, "transformers")
    batch = sampled(of)
    of._computation._library.n_chosen = 0
    with pytest.raises(EngineError, match=r'router_loss = "model".*hand out'):
        of.update(batch, BALANCED, learning_rate=0.0)
