"""Which models can be trained here, and by which backend: decided by a model's config.

`admit` reads a config before any weight is read. It names the backend and says why, or refuses with
the nearest thing that works. `check_vocabulary` and `eos_ids_of` check what only the files know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from reasonrl.errors import ModelError
from reasonrl.models.families import FAMILIES

WantedBackend: TypeAlias = Literal["auto", "native", "transformers"]
"""The backend that a recipe asks for, as it is written there."""


class Backend(StrEnum):
    """How a model computes: through this package's layouts, or as transformers runs it."""

    NATIVE = "native"
    TRANSFORMERS = "transformers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The backend of a model, the reason in half a sentence, and the longest sequence in tokens."""

    backend: Backend
    reason: str
    context: int


_ROPES = frozenset({"default", "linear", "llama3", "yarn"})
"""Ways to scale positions whose frequencies do not depend on the length of a row."""

_LENGTH_ROPES = frozenset({"longrope", "dynamic"})
"""Ways that choose the frequencies by the longest position of a row; packed rows mix lengths."""

_UNLIMITED = 1 << 20
"""The context of a model whose config sets no limit: recurrent models have none."""

_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len")


def admit(config: Any, name: str, wanted: WantedBackend = "auto") -> Admission:
    """Return the backend that a model takes; its config is enough, so no weight has to be read.

    Raises ModelError for a model that no backend can train, and for one that the wanted backend
    cannot.
    """
    text = config.get_text_config()
    _check_can_learn(config, text, name)
    context = _context_of(text)
    obstacle = _obstacle(config)
    if obstacle is None and wanted != "transformers":
        reason = f"the family {config.model_type} is in the table"
        return Admission(backend=Backend.NATIVE, reason=reason, context=context)
    if obstacle is not None and wanted == "native":
        raise ModelError(
            f"{name!r} cannot be trained by the native backend: {obstacle}",
            where='model.backend = "native"',
            expected="one of " + ", ".join(sorted(FAMILIES)),
            remedy=f'set model.backend = "transformers"{_up_to(text)}',
        )
    reason = obstacle or "the recipe asks for it"
    return Admission(backend=Backend.TRANSFORMERS, reason=reason, context=context)


def _check_can_learn(config: Any, text: Any, name: str) -> None:
    """Refuse what no backend can train: quantised weights, encoders, encoder-decoders."""
    if quantised := getattr(config, "quantization_config", None):
        raise _refused(
            name,
            f"its weights are quantised ({_method(quantised)}), and only float weights can learn",
            'use the release with float weights; [model.lora] with frozen = "4bit" packs these '
            "for training",
        )
    if getattr(config, "is_encoder_decoder", False) or getattr(text, "is_encoder_decoder", False):
        raise _refused(
            name, "it is an encoder with a decoder", "choose a model that is a decoder alone"
        )
    if getattr(text, "is_decoder", True) is False and text.model_type in _ENCODERS:
        raise _refused(
            name,
            "it is an encoder: its tokens see later tokens",
            "choose a causal language model",
        )


_ENCODERS = frozenset(
    {
        "bert", "bert-generation", "big_bird", "camembert", "data2vec-text", "electra", "ernie",
        "megatron-bert", "rembert", "roberta", "roberta-prelayernorm", "roc_bert", "roformer",
        "xlm-roberta", "xlm-roberta-xl", "xmod",
    }
)  # fmt: skip
"""Families that are encoders unless their config says `is_decoder`."""


def _obstacle(config: Any) -> str | None:
    """Return why the native backend cannot run a model, None if it can."""
    if config.model_type not in FAMILIES:
        return f"the family {config.model_type} is not in the table of docs/models.md"
    for rope in sorted(_ropes(config)):
        if rope in _LENGTH_ROPES:
            return f"its positions ({rope}) depend on the length of a row, and packed rows mix them"
        if rope not in _ROPES:
            return f"its positions ({rope}) are not known"
    window = getattr(config, "sliding_window", None)
    if FAMILIES[config.model_type].windows and isinstance(window, int) and window < 1:
        return f"its window is of {window} tokens"
    if getattr(config, "use_bidirectional_attention", False):
        return "its tokens see later tokens"
    return None


def _ropes(config: Any) -> set[str]:
    """Return the kinds of positions of a model; some have a kind for each kind of layer."""
    parameters: Mapping[str, Any] = getattr(config, "rope_parameters", None) or {}
    nested = [value for value in parameters.values() if isinstance(value, Mapping)]
    return {str(each.get("rope_type", "default")) for each in (nested or [parameters])}


def _context_of(text: Any) -> int:
    """Return the longest sequence whose positions a model computes as it was trained.

    Positions that are chosen by a row's length are exact up to the length before scaling.
    """
    longest = next(
        (int(value) for key in _CONTEXT_KEYS if (value := getattr(text, key, None) or 0) > 0),
        _UNLIMITED,
    )
    if _ropes(text) & _LENGTH_ROPES:
        return min(longest, _unscaled_context(text) or longest)
    return longest


def _unscaled_context(text: Any) -> int | None:
    parameters = getattr(text, "rope_parameters", None) or {}
    for source in (
        parameters.get("original_max_position_embeddings"),
        getattr(text, "original_max_position_embeddings", None),
    ):
        if source:
            return int(source)
    return None


def _up_to(text: Any) -> str:
    unscaled = _unscaled_context(text) if _ropes(text) & _LENGTH_ROPES else None
    return f", which is exact up to {unscaled:,} tokens" if unscaled else ""


def _method(quantised: Any) -> str:
    method = quantised.get("quant_method") if isinstance(quantised, Mapping) else None
    return str(method or getattr(quantised, "quant_method", "unknown"))


def _refused(name: str, what: str, remedy: str) -> ModelError:
    return ModelError(
        f"{name!r} cannot be trained here: {what}",
        where="model.name",
        expected="a causal language model with float weights",
        remedy=remedy,
    )


def check_vocabulary(module: Any, tokenizer: Any, name: str) -> None:
    """Refuse a tokenizer with an id that no row of the embedding belongs to.

    The padding token may have none: it is often added, and no sequence is padded here.
    """
    rows = int(module.get_input_embeddings().weight.shape[0])
    ids = set(tokenizer.get_vocab().values()) - {tokenizer.pad_token_id, tokenizer.unk_token_id}
    largest = max(ids)
    if largest >= rows:
        raise ModelError(
            f"the tokenizer of {name!r} has ids up to {largest}, its embedding only {rows} rows",
            where="model.name",
            expected=f"ids below {rows}",
            remedy="resize the model's embedding, or use the tokenizer that came with the model",
        )


def eos_ids_of(module: Any, tokenizer: Any, name: str) -> frozenset[int]:
    """Return every id that ends a completion: the tokenizer's and the generation config's."""
    eos_ids: set[int] = set()
    for ids in (tokenizer.eos_token_id, module.generation_config.eos_token_id):
        if ids is not None:
            eos_ids.update([ids] if isinstance(ids, int) else ids)
    if not eos_ids:
        raise ModelError(
            f"{name!r} has no end-of-sequence token",
            where="model.name",
            expected="an eos_token in the tokenizer or eos_token_id in generation_config.json",
            remedy="set it in the model's files: without it every rollout is truncated",
        )
    return frozenset(eos_ids)
