"""The shape of a model from its name or its config.json, which is read as untrusted text.

A name is one of `published`, or a local directory. Nothing is fetched: `launch.outline` finds the
config.json of other names.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reasonrl.errors import ConfigError
from reasonrl.planning.published import SHAPES
from reasonrl.planning.shapes import ExpertsShape, ModelShape

CONFIG = "config.json"
_MAX_CONFIG_BYTES = 1 << 20

# The largest size of one dimension that is accepted; it is far above every real model.
_MAX_SIZE = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """What the layers of a family have, and what transformers assumes where a key is left out.

    `biases` names the key that says whether there are biases of a kind; a bool says it for all.
    """

    qkv_bias: bool | str = False
    output_bias: bool | str = False
    mlp_bias: bool | str = False
    qk_norm: Literal["head", "all"] | None = None
    norms: int = 2
    is_fused: bool = False
    sinks: bool = False
    head_size: int | None = None
    kv_heads: int | None = None
    tied: bool = False
    expert_width: str = ""


_ATTENTION, _MLP = "attention_bias", "mlp_bias"
_GEMMA: Mapping[str, Any] = {
    "qkv_bias": _ATTENTION, "output_bias": _ATTENTION, "norms": 4, "head_size": 256, "kv_heads": 4,
    "tied": True,
}  # fmt: skip

# The families of the native backend: models.families.FAMILIES, without importing torch.
FAMILIES: Mapping[str, _Family] = {
    "llama": _Family(qkv_bias=_ATTENTION, output_bias=_ATTENTION, mlp_bias=_MLP),
    "qwen2": _Family(qkv_bias=True, kv_heads=32),
    "qwen3": _Family(
        qkv_bias=_ATTENTION, output_bias=_ATTENTION, qk_norm="head", head_size=128, kv_heads=32
    ),
    "mistral": _Family(kv_heads=8),
    "ministral": _Family(kv_heads=8),
    "ministral3": _Family(kv_heads=8, head_size=128),
    "olmo2": _Family(qkv_bias=_ATTENTION, output_bias=_ATTENTION, qk_norm="all"),
    "olmo3": _Family(qkv_bias=_ATTENTION, output_bias=_ATTENTION, qk_norm="all"),
    "smollm3": _Family(
        qkv_bias=_ATTENTION, output_bias=_ATTENTION, mlp_bias=_MLP, kv_heads=4, tied=True
    ),
    "phi3": _Family(is_fused=True),
    "granite": _Family(qkv_bias=_ATTENTION, output_bias=_ATTENTION, mlp_bias=_MLP),
    "gemma2": _Family(**_GEMMA),
    "gemma3_text": _Family(**_GEMMA, qk_norm="head"),
    "qwen3_moe": _Family(
        qkv_bias=_ATTENTION, output_bias=_ATTENTION, qk_norm="head", kv_heads=4,
         expert_width="moe_intermediate_size",
    ),
    "gpt_oss": _Family(
        qkv_bias=_ATTENTION, output_bias=_ATTENTION, head_size=64, kv_heads=8, sinks=True,
         expert_width="intermediate_size",
    ),
}  # fmt: skip


def shape_of(name: str) -> ModelShape:
    """Return the shape of a model named as in a recipe: a published model or a local directory.

    Raises ConfigError for any other name.
    """
    shape = known_shape(name)
    if shape is not None:
        return shape
    raise unknown_shape(name, "the shape of this model is not known")


def known_shape(name: str) -> ModelShape | None:
    """Return the shape of a published model or of a local directory, None for any other name."""
    if name in SHAPES:
        return SHAPES[name]
    if Path(name).is_dir():
        return read_shape(Path(name) / CONFIG)
    return None


def unknown_shape(name: str, reason: str) -> ConfigError:
    """Return the error for a model without a shape, which names the models that are spelt alike."""
    near = difflib.get_close_matches(name, SHAPES, n=2)
    return ConfigError(
        reason,
        where=f"model.name = {name!r}",
        expected="a local directory with config.json, or a published model of the table "
        "(docs/planning.md)",
        remedy=(f"did you mean {' or '.join(near)}? " if near else "")
        + "Otherwise pass --set model.name=DIR with its config.json",
    )


def read_shape(path: Path) -> ModelShape:
    """Return the shape in a config.json; every number is checked."""
    return shape_in(_load_object(path), path)


def shape_in(config: Mapping[str, object], path: Path) -> ModelShape:
    """Return the shape in a config whose family the native backend knows; `path` is for errors."""
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise _unknown_family(path, kind)
    family = FAMILIES[kind]
    hidden, heads = _size(config, "hidden_size", path), _size(config, "num_attention_heads", path)
    kv_heads = _size(config, "num_key_value_heads", path, default=family.kv_heads or heads)
    if heads % kv_heads:
        raise _refused(path, f"num_key_value_heads = {kv_heads}", f"a divisor of {heads}")
    head_size = family.head_size or max(1, hidden // heads)

    def has(bias: bool | str) -> bool:
        return _flag(config, bias, path) if isinstance(bias, str) else bias

    return ModelShape(
        layers=_size(config, "num_hidden_layers", path),
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_size=_size(config, "head_dim", path, default=head_size),
        intermediate=_size(config, "intermediate_size", path),
        vocabulary=_size(config, "vocab_size", path),
        tied=_flag(config, "tie_word_embeddings", path, default=family.tied),
        qkv_bias=has(family.qkv_bias),
        output_bias=has(family.output_bias),
        mlp_bias=has(family.mlp_bias),
        qk_norm=family.qk_norm,
        norms=family.norms,
        is_fused=family.is_fused,
        sinks=family.sinks,
        experts=_experts(config, family, path) if family.expert_width else None,
    )


def _experts(config: Mapping[str, object], family: _Family, path: Path) -> ExpertsShape:
    layers = _size(config, "num_hidden_layers", path)
    # transformers writes one word and reads both.
    key = "num_experts" if config.get("num_experts") is not None else "num_local_experts"
    number = _size(config, key, path)
    chosen = _size(config, "num_experts_per_tok", path)
    if chosen > number:
        raise _refused(path, f"num_experts_per_tok = {chosen}", f"at most {number}")
    # gpt-oss has experts in every layer, and no such keys.
    named = [] if family.sinks else _list(config.get("mlp_only_layers") or [], path)
    apart = 1 if family.sinks else _size(config, "decoder_sparse_step", path, default=1)
    dense = [layer for layer in range(layers) if layer in named or (layer + 1) % apart]
    return ExpertsShape(
        number=number,
        chosen=chosen,
        inner=_size(config, family.expert_width, path),
        dense_layers=len(dense),
        has_bias=family.sinks,
    )


def _list(value: object, path: Path) -> list[object]:
    if not isinstance(value, list):
        raise _refused(path, f"mlp_only_layers = {_shown(value)}", "a list of layers")
    return value


def _unknown_family(path: Path, kind: object) -> ConfigError:
    """Return the error for a family without formulas; training may still take it."""
    return ConfigError(
        f"model_type = {_shown(kind)}: no plan for this family",
        where=str(path),
        expected="one of " + ", ".join(FAMILIES),
        remedy="`reasonrl model check` says whether it can be trained, and what its training state "
        "takes",
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


def _flag(config: Mapping[str, object], key: str, path: Path, *, default: bool = False) -> bool:
    value = config.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise _refused(path, f"{key} = {_shown(value)}", "true or false")
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
