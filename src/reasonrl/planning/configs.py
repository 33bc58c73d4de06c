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

from reasonrl.errors import ConfigError
from reasonrl.planning.published import SHAPES
from reasonrl.planning.shapes import ModelShape

CONFIG = "config.json"
_MAX_CONFIG_BYTES = 1 << 20

# The largest size of one dimension that is accepted; it is far above every real model.
_MAX_SIZE = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """What the layers of a family have, and what transformers assumes where a key is left out."""

    qkv_bias: bool = False
    qk_norm: bool = False
    head_size: int | None = None
    kv_heads: int | None = None


# The families that training admits: models.hf.FAMILIES, without importing torch.
FAMILIES: Mapping[str, _Family] = {
    "llama": _Family(),
    "qwen2": _Family(qkv_bias=True, kv_heads=32),
    "qwen3": _Family(qk_norm=True, head_size=128, kv_heads=32),
}


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
    config = _load_object(path)
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise _refused(path, f"model_type = {_shown(kind)}", "one of " + ", ".join(FAMILIES))
    family = FAMILIES[kind]
    _check_plain(config, path)
    hidden, heads = _size(config, "hidden_size", path), _size(config, "num_attention_heads", path)
    kv_heads = _size(config, "num_key_value_heads", path, default=family.kv_heads or heads)
    if heads % kv_heads:
        raise _refused(path, f"num_key_value_heads = {kv_heads}", f"a divisor of {heads}")
    head_size = family.head_size or max(1, hidden // heads)
    is_biased = kind != "qwen2" and _flag(config, "attention_bias", path)
    return ModelShape(
        layers=_size(config, "num_hidden_layers", path),
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_size=_size(config, "head_dim", path, default=head_size),
        intermediate=_size(config, "intermediate_size", path),
        vocabulary=_size(config, "vocab_size", path),
        tied=_flag(config, "tie_word_embeddings", path),
        qkv_bias=family.qkv_bias or is_biased,
        output_bias=is_biased,
        qk_norm=family.qk_norm,
    )


def _check_plain(config: Mapping[str, object], path: Path) -> None:
    """Refuse the layers that training refuses: windows, biases in the MLP, other activations."""
    for key in ("use_sliding_window", "mlp_bias"):
        if _flag(config, key, path):
            raise _refused(path, f"{key} = true", "false: training refuses this model")
    activation = config.get("hidden_act", "silu")
    if activation != "silu":
        raise _refused(path, f"hidden_act = {_shown(activation)}", '"silu"')


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


def _flag(config: Mapping[str, object], key: str, path: Path) -> bool:
    value = config.get(key, False)
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
