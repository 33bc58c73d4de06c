"""Adapters: the equations that they must satisfy, next to the weights that they stand for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from reasonrl.algo.loss import Objective
from reasonrl.engines.local import LocalEngine
from reasonrl.engines.local.optimizer import Optimizer
from reasonrl.engines.protocols import TokenValue
from reasonrl.errors import ConfigError
from reasonrl.models.four_bits import rounded
from reasonrl.models.hf import load_model
from reasonrl.models.lora import LoraSettings, add_adapters, policy_tensors
from reasonrl.types import Sampling
from tests.conftest import OPTIMIZER, TEXTS, batch_of, prompts_of

PLAIN = Objective(
    clip_low=0.2, clip_high=0.2, entropy_coefficient=0.01, kl_coefficient=0.0, temperature=1.0
)
DOWN = "model.layers.1.mlp.down_proj"
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
UNCLIPPED = replace(OPTIMIZER, max_gradient_norm=1e9)


def engine(settings: LoraSettings | None, **options) -> LocalEngine:
    model = load_model("tiny", seed=1)
    if settings is not None:
        add_adapters(model.module, settings, seed=5)
    return LocalEngine(model, UNCLIPPED, token_budget=4096, max_rows=64, **options)


def sampled(of: LocalEngine):
    prompts = prompts_of(of, TEXTS)
    return batch_of(prompts, of.generate(prompts, Sampling(max_new_tokens=12, group_size=6)))


def gradients(of: LocalEngine, batch) -> dict[str, torch.Tensor]:
    """The gradients of an update that moves nothing."""
    of.update(batch, PLAIN, learning_rate=0.0)
    return {name: value.grad.clone() for name, value in of._parameters.items()}


def adapter(of: LocalEngine, path: str, letter: str) -> torch.nn.Parameter:
    return of._parameters[f"{path}.lora_{letter}.default.weight"]


@pytest.mark.parametrize("compute", ["float32", "bfloat16"])
def test_an_adapters_gradient_is_the_full_models_projected(compute):
    """dL/dB = s dL/dW A^T and dL/dA = s B^T dL/dW, at any B."""
    lora = engine(LoraSettings(rank=4, alpha=8), compute=compute)
    with torch.no_grad():
        for name, value in lora._parameters.items():
            if "lora_B" in name:
                value.normal_(std=0.02, generator=torch.Generator().manual_seed(len(name)))
    whole = engine(None, compute=compute)
    whole.model.module.load_state_dict(dict(lora.weights().tensors.items()))
    batch = sampled(whole)
    of_adapters, of_weights = gradients(lora, batch), gradients(whole, batch)
    # Merged weights are rounded to bfloat16 once more.
    close = 1e-5 if compute == "float32" else 0.15
    for layer in LINEAR:
        block = "mlp" if layer in ("gate_proj", "up_proj", "down_proj") else "self_attn"
        path = f"model.layers.0.{block}.{layer}"
        a, b = adapter(lora, path, "A").detach(), adapter(lora, path, "B").detach()
        at_weight = of_weights[f"{path}.weight"]
        for letter, expected in (("B", 2.0 * at_weight @ a.T), ("A", 2.0 * b.T @ at_weight)):
            mine = of_adapters[f"{path}.lora_{letter}.default.weight"]
            assert (mine - expected).norm() <= close * expected.norm(), (layer, letter)


class Descent(Optimizer):
    """Plain gradient descent in the place of AdamW."""

    def __init__(self, of: LocalEngine) -> None:
        super().__init__(of._parameters, UNCLIPPED)

    def step(self, learning_rate: float) -> None:
        for value in self._parameters.values():
            value.data -= learning_rate * value.grad


def test_sgd_on_b_is_sgd_on_w_when_a_is_the_identity():
    """20 steps on one layer, everything else frozen; weights equal to 1e-6."""
    whole = engine(None)
    wide = whole._parameters[f"{DOWN}.weight"].shape[1]
    lora = engine(LoraSettings(rank=wide, alpha=wide, targets=("down_proj",)))
    with torch.no_grad():
        adapter(lora, DOWN, "A").copy_(torch.eye(wide))
    for of, name in ((whole, f"{DOWN}.weight"), (lora, f"{DOWN}.lora_B.default.weight")):
        for other, value in of._parameters.items():
            value.requires_grad_(other == name)
        of._parameters = {name: of._parameters[name]}
        of._optimizer = Descent(of)
    batch = sampled(whole)
    before = whole.weights().tensors[f"{DOWN}.weight"].clone()
    for _ in range(20):
        for of in (whole, lora):
            of.update(batch, PLAIN, learning_rate=0.05)
    mine, other = (of.weights().tensors[f"{DOWN}.weight"] for of in (lora, whole))
    assert (other - before).abs().max() > 1e-3
    torch.testing.assert_close(mine, other, rtol=0, atol=1e-6)


def test_only_adapters_learn_and_are_saved(tmp_path):
    of = engine(LoraSettings(rank=4, alpha=8))
    frozen = {k: v.clone() for k, v in of.model.module.state_dict().items() if ".lora_" not in k}
    of.update(sampled(of), PLAIN, learning_rate=1e-2)
    state = of.state_dict()
    assert all(".lora_" in name for name in state)
    assert sum(name.startswith("weight.") for name in state) == 2 * 2 * len(LINEAR)
    for name, value in frozen.items():
        assert torch.equal(of.model.module.state_dict()[name], value), name


def test_the_reference_of_adapters_is_the_model_without_them_and_no_copy():
    of = engine(LoraSettings(rank=4, alpha=8), keep_reference=True)
    batch = sampled(of)
    start = of.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)
    for _ in range(3):
        of.update(batch, PLAIN, learning_rate=1e-2)
    reference, policy = (
        of.at_tokens(batch, what, temperature=1.0)
        for what in (TokenValue.REFERENCE_LOGPROBS, TokenValue.LOGPROBS)
    )
    np.testing.assert_array_equal(reference, start)
    assert np.abs(policy - start).max() > 0.05
    assert of._reference is of._computation
    assert all(value.requires_grad for value in of._parameters.values())


def test_frozen_matrices_are_stored_in_the_dtype_that_layers_compute_in():
    of = engine(LoraSettings(rank=4, alpha=8), compute="bfloat16")
    types = {name: value.dtype for name, value in of.model.module.named_parameters()}
    assert types[f"{DOWN}.base_layer.weight"] == torch.bfloat16
    assert types[f"{DOWN}.lora_A.default.weight"] == torch.float32
    assert types["model.embed_tokens.weight"] == torch.float32


def test_a_seed_decides_the_adapters():
    first, second = (adapter(engine(LoraSettings(rank=4, alpha=8)), DOWN, "A") for _ in range(2))
    assert torch.equal(first, second)


def test_names_that_no_layer_has_are_refused():
    with pytest.raises(ConfigError, match=r"model\.lora\.targets.*all-linear"):
        engine(LoraSettings(rank=4, alpha=8, targets=("query",)))


def packed(**options) -> LocalEngine:
    model = load_model("tiny", seed=1)
    add_adapters(model.module, LoraSettings(rank=4, alpha=8, is_packed=True), seed=5)
    return LocalEngine(model, UNCLIPPED, token_budget=4096, max_rows=64, **options)


@pytest.mark.parametrize("compute", ["float32", "bfloat16"])
def test_matrices_in_4_bits_compute_what_the_rounded_ones_do(compute):
    """Log-probabilities and gradients, beside an engine that keeps the same numbers whole."""
    mine, other = (packed(packs=packs, compute=compute) for packs in (True, False))
    batch = sampled(other)
    scores = [of.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0) for of in (mine, other)]
    np.testing.assert_allclose(*scores, rtol=0, atol=2e-5 if compute == "float32" else 0.05)
    first, second = gradients(mine, batch), gradients(other, batch)
    close = 1e-5 if compute == "float32" else 0.1
    for name, value in second.items():
        assert (first[name] - value).norm() <= close * value.norm().clamp(min=1e-6), name
    sent, whole = (dict(of.weights().tensors.items()) for of in (mine, other))
    assert sent.keys() == whole.keys() == load_model("tiny").module.state_dict().keys()
    if compute == "float32":
        assert all(torch.equal(sent[name], whole[name]) for name in sent)


def test_matrices_in_4_bits_take_a_seventh_of_the_bytes():
    def matrices(of: LocalEngine) -> int:
        state = of.model.module.state_dict()
        return sum(v.nbytes for k, v in state.items() if ".base_layer." in k)

    assert matrices(packed(packs=True)) < matrices(packed(packs=False)) / 7


def test_packing_again_gives_the_same_bits():
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(96, 160, generator=generator) * 0.02
    once = rounded(weight)
    assert torch.equal(rounded(once), once)
    assert 0.05 < (once - weight).norm() / weight.norm() < 0.15


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_rows_of_merged_weights_are_those_of_the_whole_weights(family):
    """Matrices of GPT-2 are stored as [inputs, outputs], so that rows belong to A."""
    size = {"n_embd": 32, "n_layer": 1, "n_head": 4} if family == "gpt2" else {
        "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1,
        "num_attention_heads": 4,
    }  # fmt: skip
    config = AutoConfig.for_model(family, vocab_size=40, **size)
    module = AutoModelForCausalLM.from_config(config)
    add_adapters(module, LoraSettings(rank=4, alpha=8), seed=5)
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(generator=draw)
        whole = dict(policy_tensors(module))
        rows = dict(policy_tensors(module, wanted=lambda value: value[5:9]))
    assert rows.keys() == whole.keys()
    for name, value in whole.items():
        torch.testing.assert_close(rows[name], value[5:9], msg=name)
