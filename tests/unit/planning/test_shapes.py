"""The shape in a config.json, which is read as hostile text; errors say what to do."""

import json
import os

import pytest

from reasonrl.errors import ConfigError
from reasonrl.models.random import build_tiny
from reasonrl.planning.configs import FAMILIES, shape_of
from reasonrl.planning.published import SHAPES

QWEN_7B = {
    "model_type": "qwen2",
    "hidden_size": 3584,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "num_hidden_layers": 28,
    "intermediate_size": 18944,
    "vocab_size": 152064,
    "tie_word_embeddings": False,
}


def test_a_config_of_a_local_directory_is_read(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(QWEN_7B))
    assert shape_of(str(tmp_path)) == SHAPES["deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"]


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize(
    "keys",
    [{}, {"attention_bias": True}, {"mlp_bias": True}, {"tie_word_embeddings": False},
     {"mlp_only_layers": [0]}],
    ids=["", "attention_bias", "mlp_bias", "untied", "a dense layer"],
)  # fmt: skip
def test_a_config_of_each_family_has_the_parameters_of_the_model_that_it_makes(
    family, keys, tmp_path
):
    module, _ = build_tiny(family=family)
    for key, value in keys.items():
        setattr(module.config, key, value)
    module = type(module)(module.config)
    module.config.save_pretrained(tmp_path)
    expected = sum(weight.numel() for weight in module.parameters())
    assert shape_of(str(tmp_path)).parameters == expected


def test_the_families_are_those_of_the_native_backend():
    from reasonrl.models import families

    assert FAMILIES.keys() == families.FAMILIES.keys()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"hidden_size": None}, "hidden_size = null"),
        ({"hidden_size": "3584"}, "hidden_size"),
        ({"hidden_size": True}, "hidden_size = true"),
        ({"hidden_size": -1}, "hidden_size = -1"),
        ({"hidden_size": 1e9}, "hidden_size"),
        ({"hidden_size": float("nan")}, "hidden_size = NaN"),
        ({"vocab_size": 1 << 30}, "vocab_size"),
        ({"vocab_size": 10**4000}, "an integer of"),
        ({"num_key_value_heads": 3}, "a divisor of 28"),
        ({"num_key_value_heads": 0}, "num_key_value_heads = 0"),
        ({"tie_word_embeddings": "no"}, "true or false"),
        ({"model_type": "mamba"}, "one of llama"),
        ({"model_type": ["qwen2"]}, "model_type"),
        ({"model_type": "llama", "attention_bias": 1}, "attention_bias = 1"),
        # transformers assumes 32 key-value heads where Qwen's config.json names none.
        ({"num_key_value_heads": None}, "num_key_value_heads = 32.*a divisor of 28"),
    ],
)
def test_a_config_that_makes_no_model_is_refused_by_its_key(change, match, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({**QWEN_7B, **change}))
    with pytest.raises(ConfigError, match=match):
        shape_of(str(tmp_path))


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"a":' + b"9" * 5_000 + b"}", b" " * 2**21]
)
def test_a_config_that_is_no_object_is_refused(raw, tmp_path):
    (tmp_path / "config.json").write_bytes(raw)
    with pytest.raises(ConfigError, match=r"config\.json"):
        shape_of(str(tmp_path))


def test_a_pipe_in_place_of_a_config_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(ConfigError, match="not a plain file"):
        shape_of(str(tmp_path))


def test_an_unknown_model_is_an_error_that_says_what_to_do():
    with pytest.raises(ConfigError, match=r"did you mean Skywork/Skywork-OR1-7B .*model\.name=DIR"):
        shape_of("Skywork/Skywork-OR1-8B")


def test_a_family_without_formulas_is_refused_by_its_name(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(QWEN_7B | {"model_type": "gpt2"}))
    with pytest.raises(ConfigError, match=r'model_type = "gpt2": no plan.*reasonrl model check'):
        shape_of(str(tmp_path))


def test_padded_rows_are_not_planned(tmp_path):
    from reasonrl.planning.gpus import gpu_of
    from reasonrl.planning.plan import plan
    from reasonrl.recipe.named import recipe_path
    from reasonrl.recipe.toml import load_recipe

    recipe = load_recipe(recipe_path("tiny"), ['model.backend="transformers"'])
    with pytest.raises(ConfigError, match="no plan for padded rows"):
        plan(recipe, SHAPES["tiny"], gpu_of("H100"))


def test_idle_experts_are_memory_and_no_work():
    shape = SHAPES["Qwen/Qwen3-30B-A3B"]
    assert shape.parameters == 30_532_122_624
    # 30.5B in all, of which 3.3B act on a token (Qwen3 report, table 2), the embedding among them.
    assert shape.multiplied_parameters == pytest.approx(3.3e9 - 0.31e9, rel=0.03)
