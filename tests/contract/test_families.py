"""Families of models: every way to compute one of them agrees with plain transformers."""

import tempfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from reasonrl.admission.agreement import GOAL, Way, agreements
from reasonrl.engines.trial import UPDATE
from reasonrl.errors import ModelError
from reasonrl.models.admission import Backend, admit
from reasonrl.models.families import FAMILIES
from reasonrl.models.hf import load_model, outline_model
from reasonrl.models.random import build_tiny, roughen

IN_PROCESS = (Way.PACKED, Way.CACHED, Way.PLAIN, Way.PLAIN_CACHED, Way.EXPORTED)


def saved(directory, family, **keys):
    """Save a random model of a family whose norms are not 1 and whose biases are not 0."""
    module, tokenizer = build_tiny(3, family=family)
    if keys:
        config = module.config
        for key, value in keys.items():
            setattr(config, key, value)
        torch.manual_seed(0)
        # Read again, because some configs derive other keys when they are made.
        again = AutoConfig.for_model(**{**config.to_dict(), "model_type": family})
        module = AutoModelForCausalLM.from_config(again)
    roughen(module, 1)
    module.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return str(directory)


def check(directory, backend, ways, *, gradient=GOAL):
    for agreement in agreements(directory, backend, ways=ways):
        assert agreement.is_near(gradient=gradient), agreement


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_scores_learns_samples_and_exports_as_plain_transformers(family, tmp_path):
    check(saved(tmp_path, family), Backend.NATIVE, IN_PROCESS)


@pytest.mark.parametrize("family", ["gemma2", "gpt_oss", "qwen3_moe"])
def test_ranks_agree_with_plain_transformers(family, tmp_path):
    check(saved(tmp_path, family), Backend.NATIVE, (Way.RANKS, Way.SHARED_ROW))


def rope(kind, **keys):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 1e4, **keys}}


LLAMA3 = rope(
    "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=64,
)  # fmt: skip
VARIANTS = {
    "llama, positions scaled as Llama 3.1": ("llama", LLAMA3),
    "llama, linear positions": ("llama", rope("linear", factor=4.0)),
    "qwen3, yarn": (
        "qwen3", rope("yarn", factor=4.0, original_max_position_embeddings=64),
    ),
    "llama, biases everywhere": ("llama", {"attention_bias": True, "mlp_bias": True}),
    "llama, another activation": ("llama", {"hidden_act": "gelu"}),
    "llama, untied": ("llama", {"tie_word_embeddings": False}),
    "llama, keys of other families": (
        "llama", {"sliding_window": 4, "final_logit_softcapping": 1.0, "logits_scaling": 3.0},
    ),
    "qwen2, windows in the last layer": (
        "qwen2",
        {"use_sliding_window": True, "sliding_window": 8,
         "layer_types": ["full_attention", "sliding_attention"]},
    ),
    "gemma2, low bounds": (
        "gemma2", {"attn_logit_softcapping": 0.5, "final_logit_softcapping": 0.5},
    ),
    "gemma3, bounded logits": ("gemma3_text", {"final_logit_softcapping": 0.5}),
    "qwen3_moe, a dense layer": ("qwen3_moe", {"mlp_only_layers": [0]}),
    "qwen3_moe, shares that sum to 1": ("qwen3_moe", {"norm_topk_prob": True}),
    "olmo2, untied": ("olmo2", {"tie_word_embeddings": False}),
}  # fmt: skip


@pytest.mark.parametrize(("family", "keys"), VARIANTS.values(), ids=VARIANTS)
def test_a_variant_of_a_family_agrees_with_plain_transformers(family, keys, tmp_path):
    check(saved(tmp_path, family, **keys), Backend.NATIVE, IN_PROCESS)


FAULTS = {
    "a window": ("mistral", {"windows": False}, ()),
    "windows of some layers": ("gemma3_text", {"windows": False}, ()),
    "the window of a kept attention": ("olmo3", {}, ("window",)),
    "a bound on scores": ("gemma2", {"caps_scores": False}, ()),
    "a bound on logits": ("gemma2", {"caps_logits": False}, ()),
    "sinks": ("gpt_oss", {}, ("sinks_H",)),
    "the scale of embeddings": ("gemma3_text", {"scales_embeddings": False}, ()),
    "the shift of norms": ("gemma2", {"norm_shift": 0.0}, ()),
    "the scale of logits": ("granite", {"divides_logits": False}, ()),
}
"""What is left out: fields of the family, and arguments of the softmax."""


@pytest.mark.parametrize(("family", "fields", "arguments"), FAULTS.values(), ids=FAULTS)
def test_what_is_left_out_of_a_family_is_seen(family, fields, arguments, tmp_path, monkeypatch):
    """The goal is small enough, and the random models are rough enough, to see each fault."""
    from reasonrl.models import attention

    keys = {"attn_logit_softcapping": 0.5, "final_logit_softcapping": 2.0}
    name = saved(tmp_path, family, **(keys if family == "gemma2" else {}))
    monkeypatch.setitem(FAMILIES, family, replace(FAMILIES[family], **fields))
    real = attention.scores_of

    def without(scale, **given):
        return real(scale, **{key: value for key, value in given.items() if key not in arguments})

    monkeypatch.setattr(attention, "scores_of", without)
    (gap,) = agreements(name, Backend.NATIVE, ways=(Way.PACKED,))
    assert gap.nats > 10 * GOAL
    assert not gap.is_near()


PLAIN = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512},
    "gpt_neox": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
                 "intermediate_size": 48, "max_position_embeddings": 512},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8},
    "qwen3_5_text": {
        "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
        "linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 8,
        "linear_value_head_dim": 8, "max_position_embeddings": 512,
    },
    "glm4": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
             "max_position_embeddings": 512, "pad_token_id": None},
    "rwkv": {"hidden_size": 32, "num_hidden_layers": 2, "attention_hidden_size": 32,
             "context_length": 512},
}  # fmt: skip
"""Families that have nothing of their own here: other positions, hybrids, recurrent models."""


def other(directory, family, **keys):
    """Save a random model of a family beside the byte tokenizer."""
    tokenizer = build_tiny()[1]
    config = AutoConfig.for_model(
        family, vocab_size=len(tokenizer), bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, **keys,
    )  # fmt: skip
    torch.manual_seed(0)
    module = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    roughen(module, 1)
    module.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return str(directory)


@pytest.mark.parametrize("family", PLAIN)
def test_a_family_that_nobody_prepared_takes_the_plain_path_and_agrees(family, tmp_path):
    name = other(tmp_path, family, **PLAIN[family])
    model = outline_model(name)
    assert model.backend is Backend.TRANSFORMERS
    assert family in model.reason
    # The gradient of linear attention goes back through products over the whole row: 1.1e-5 were
    # measured on an AMD EPYC, where all other families stay below 1e-5.
    gradient = 2 * GOAL if family == "qwen3_5_text" else GOAL
    ways = (Way.PLAIN, Way.PLAIN_CACHED, Way.EXPORTED)
    check(name, Backend.TRANSFORMERS, ways, gradient=gradient)


@pytest.mark.parametrize("kind", ["longrope", "dynamic"])
def test_positions_that_depend_on_the_row_take_the_plain_path_up_to_their_own_length(
    kind, tmp_path
):
    own = {"short_factor": [1.0] * 8, "long_factor": [4.0] * 8} if kind == "longrope" else {}
    keys = rope(kind, factor=4.0, original_max_position_embeddings=256, **own)
    name = saved(tmp_path, "llama", **keys, max_position_embeddings=1024)
    model = outline_model(name)
    assert model.backend is Backend.TRANSFORMERS
    assert model.context == 256
    check(name, Backend.TRANSFORMERS, (Way.PLAIN, Way.PLAIN_CACHED))
    with pytest.raises(ModelError, match=rf"{kind}.*exact up to 256 tokens") as refused:
        load_model(name, backend="native")
    assert 'model.backend = "transformers"' in str(refused.value)


def test_the_backend_that_a_recipe_wants_is_taken_or_refused(tmp_path):
    llama = AutoConfig.for_model("llama")
    assert admit(llama, "x").backend is Backend.NATIVE
    assert admit(llama, "x", "transformers").backend is Backend.TRANSFORMERS
    with pytest.raises(ModelError, match=r"the family gpt2 is not in the table of docs/models\.md"):
        admit(AutoConfig.for_model("gpt2"), "x", "native")


@pytest.mark.parametrize("family", ["bert", "t5", "bart"])
def test_what_is_no_causal_language_model_is_refused_by_its_config(family):
    with pytest.raises(ModelError, match="it is an encoder"):
        admit(AutoConfig.for_model(family), "x")


def test_a_model_whose_tokens_see_later_tokens_is_refused_by_a_trial():
    from reasonrl.engines.local import LocalEngine
    from tests.conftest import OPTIMIZER

    with tempfile.TemporaryDirectory() as directory:
        name = saved(directory, "llama")
        model = load_model(name, backend="transformers")
        for layer in model.module.model.layers:
            layer.self_attn.is_causal = False
        with pytest.raises(ModelError, match="tokens see later tokens"):
            LocalEngine(model, OPTIMIZER, token_budget=100, max_rows=4)


def engine_of(name, backend="auto", **options):
    from reasonrl.engines.local import LocalEngine
    from tests.conftest import OPTIMIZER

    return LocalEngine(
        load_model(name, backend=backend), OPTIMIZER, token_budget=512, max_rows=16, **options
    )


def sampled(engine):
    from reasonrl.engines.trial import SAMPLING, batch_of, prompts_of

    prompts = prompts_of(engine.model)
    return batch_of(prompts, engine.generate(prompts, SAMPLING))


def logprobs(engine, batch):
    from reasonrl.engines.protocols import TokenValue

    return engine.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)


@pytest.mark.parametrize("backend", ["native", "transformers"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_computes_in_bfloat16_as_in_float32_up_to_its_rounding(family, backend, tmp_path):
    name = saved(tmp_path, family)
    exact, rounded = engine_of(name, backend), engine_of(name, backend, compute="bfloat16")
    batch = sampled(rounded)
    gaps = abs(logprobs(rounded, batch) - logprobs(exact, batch))
    assert 1e-6 < gaps.mean() < 0.05
    assert abs(batch.rollout_logprobs_N - logprobs(rounded, batch)).mean() < 0.05
    norms = [each.update(batch, UPDATE, learning_rate=0.0).gradient_norm
             for each in (exact, rounded)]  # fmt: skip
    assert norms[1] == pytest.approx(norms[0], rel=0.1)


@pytest.mark.parametrize("backend", ["native", "transformers"])
@pytest.mark.parametrize("family", FAMILIES)
def test_recomputing_changes_no_gradient_of_a_family(family, backend, tmp_path):
    name = saved(tmp_path, family)
    kept, again = engine_of(name, backend), engine_of(name, backend, recompute=True)
    batch = sampled(kept)
    for each in (kept, again):
        each.update(batch, UPDATE, learning_rate=0.0)
    for key, gradient in kept.gradients().items():
        torch.testing.assert_close(again.gradients()[key], gradient, rtol=0, atol=1e-7)


ADAPTED = {
    **{family: (family, {}) for family in FAMILIES},
    "experts beside a dense layer": ("qwen3_moe", {"mlp_only_layers": [0]}),
}


@pytest.mark.parametrize("backend", ["native", "transformers"])
@pytest.mark.parametrize(("family", "keys"), ADAPTED.values(), ids=ADAPTED)
def test_adapters_of_a_family_are_exported_as_they_compute(family, keys, backend, tmp_path):
    check_adapters(saved(tmp_path / "base", family, **keys), backend, tmp_path)


@pytest.mark.parametrize("family", ["gpt2", "glm4", "qwen3_5_text"])
def test_adapters_of_other_families_are_exported_as_they_compute(family, tmp_path):
    check_adapters(other(tmp_path / "base", family, **PLAIN[family]), "transformers", tmp_path)


def check_adapters(name, backend, tmp_path):
    from reasonrl.engines.local import LocalEngine
    from reasonrl.engines.trial import pairs_of
    from reasonrl.models.lora import LoraSettings, add_adapters
    from reasonrl.models.plain import plain_logprobs
    from tests.conftest import OPTIMIZER

    model = load_model(name, backend=backend)
    add_adapters(model.module, LoraSettings(rank=4, alpha=8), seed=0)
    engine = LocalEngine(model, OPTIMIZER, token_budget=512, max_rows=16)
    batch = sampled(engine)
    before = logprobs(engine, batch)
    for _ in range(2):
        engine.update(batch, UPDATE, learning_rate=3e-2)
    learned = logprobs(engine, batch)
    assert abs(learned - before).max() > 0.01
    engine.model.save(tmp_path / "merged")
    plain = np.concatenate(plain_logprobs(str(tmp_path / "merged"), pairs_of(batch), device="cpu"))
    assert abs(learned - plain).max() < GOAL


def test_a_family_that_hands_no_layout_to_its_attention_cannot_be_in_the_table(
    tmp_path, monkeypatch
):
    from reasonrl.models import families
    from reasonrl.models.families import Family

    keys = {
        "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512,
    }  # fmt: skip
    name = other(tmp_path, "stablelm", **keys)
    added = {**FAMILIES, "stablelm": Family(keeps_attention=True, keeps_mlp=True)}
    for module in ("families", "admission"):
        monkeypatch.setattr(f"reasonrl.models.{module}.FAMILIES", added)
    assert families.FAMILIES is added
    with pytest.raises(ModelError, match="take the family out of the table"):
        sampled(engine_of(name))


def test_an_export_of_bounded_scores_is_checked_against_bounded_scores(tmp_path):
    """transformers' default attention leaves the bound out."""
    from reasonrl.models.plain import score_plainly
    from reasonrl.models.template import ChatForm
    from reasonrl.types import Message

    name = saved(tmp_path, "gemma2", attn_logit_softcapping=0.5)
    engine = engine_of(name)
    turns = [Message(role="user", content="What is 12 + 7?")]
    prompt = engine.model.tokenizer.encode_chat(turns).tokens
    answer = np.arange(40, 80, dtype=np.int32)
    (ours,) = engine.score([(prompt, answer)], temperature=1.0)
    (plain,) = score_plainly(tmp_path, [(turns, answer)], ChatForm())
    assert abs(ours - plain.logprobs).max() < GOAL


CACHES = {"llama": True, "qwen3_5_text": True, "mamba": True, "gpt2": True, "rwkv": False}


@pytest.mark.parametrize("compute", ["float32", "bfloat16"])
@pytest.mark.parametrize(("family", "has_cache"), CACHES.items())
def test_a_cache_is_used_where_it_can_be_gone_on_from(family, has_cache, compute, tmp_path):
    name = other(tmp_path, family, **PLAIN[family]) if family in PLAIN else saved(tmp_path, family)
    engine = engine_of(name, "transformers", compute=compute)
    assert engine._computation._library.has_cache is has_cache


def test_adapters_beside_experts_are_refused(tmp_path):
    from reasonrl.errors import ConfigError
    from reasonrl.models.lora import LoraSettings, add_adapters

    model = load_model(saved(tmp_path, "qwen3_moe"))
    targets = ("q_proj", "gate_proj", "up_proj", "down_proj")
    with pytest.raises(ConfigError, match=r"model\.lora\.targets.*experts.*none of gate_proj"):
        add_adapters(model.module, LoraSettings(rank=4, alpha=8, targets=targets), seed=0)


def test_the_plain_backend_computes_logits_in_float32_in_bfloat16_too(tmp_path):
    engine = engine_of(saved(tmp_path, "llama"), "transformers", compute="bfloat16")
    tokens = torch.arange(10)[None]
    with torch.no_grad():
        assert engine._computation._library.logits(tokens).dtype == torch.float32


@pytest.mark.parametrize("family", ["mamba", "gpt2"])
def test_a_frozen_reference_is_the_policy_in_bfloat16_too(family, tmp_path):
    from reasonrl.engines.protocols import TokenValue

    name = other(tmp_path, family, **PLAIN[family])
    engine = engine_of(name, "transformers", compute="bfloat16", keep_reference=True)
    batch = sampled(engine)
    reference = engine.at_tokens(batch, TokenValue.REFERENCE_LOGPROBS, temperature=1.0)
    np.testing.assert_allclose(reference, logprobs(engine, batch), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("keys", "backend"),
    [({"sliding_window": 0}, Backend.TRANSFORMERS), ({"sliding_window": 1}, Backend.NATIVE),
     ({"sliding_window": None}, Backend.NATIVE)],
)  # fmt: skip
def test_a_window_of_no_token_is_not_native(keys, backend):
    assert admit(AutoConfig.for_model("mistral", **keys), "x").backend is backend


def test_a_context_is_a_positive_number():
    config = AutoConfig.for_model("llama")
    config.max_position_embeddings = -5
    assert admit(config, "x").context > 0
