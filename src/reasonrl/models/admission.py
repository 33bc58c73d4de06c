"""Which models can be trained here: the checks that a model and its tokenizer must pass."""

from __future__ import annotations

from typing import Any

from reasonrl.errors import ModelError

FAMILIES = frozenset({"llama", "qwen2", "qwen3"})
"""The families that tests compare with transformers."""


def check_family(module: Any, name: str) -> None:
    """Refuse a model that is not known to be a plain decoder: full causal attention, unscaled head.

    Other models may load and then compute another function here than in transformers (scaled
    logits, biased heads, attention windows, recurrent layers). `FAMILIES` names the families that
    tests compare with transformers.
    """
    config = module.config
    is_windowed = bool(getattr(config, "use_sliding_window", False))
    is_plain_mlp = config.hidden_act == "silu" and not getattr(config, "mlp_bias", False)
    if config.model_type not in FAMILIES or is_windowed or not is_plain_mlp:
        raise ModelError(
            f"{name!r} ({config.model_type}) is not known to be a plain causal decoder",
            where="model.name",
            expected="full attention, a SiLU-gated MLP without biases, and one of "
            + ", ".join(sorted(FAMILIES)),
            remedy="choose another model",
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
