"""Which models can be trained here: the checks that a model and its tokenizer must pass."""

from __future__ import annotations

from typing import Any

from reasonrl.errors import ModelError

FAMILIES = frozenset({"llama", "qwen2", "qwen3"})
"""The families that tests compare with transformers."""


_ROPES = frozenset({"default", "linear", "llama3", "yarn"})
"""Ways to scale positions whose frequencies do not depend on the length of a row. `longrope` and
`dynamic` choose them by the longest position of a row, and packed rows mix lengths."""


def check_config(config: Any, name: str) -> None:
    """Refuse a model that would compute another function here than in transformers.

    Its config is enough, so no weight has to be read. Raises ModelError with what is not known
    here: the family, attention windows, another MLP, or positions that depend on the row.
    """
    if config.model_type not in FAMILIES:
        raise _refused(name, f"its family, {config.model_type}, is not known to be a plain decoder")
    if getattr(config, "quantization_config", None):
        raise _refused(name, "its weights are quantised, and only float weights can learn")
    if getattr(config, "use_sliding_window", False):
        raise _refused(name, "its layers attend to a window of the last tokens only")
    if config.hidden_act != "silu" or getattr(config, "mlp_bias", False):
        raise _refused(name, "its MLP is not gated by SiLU, or has biases")
    rope = (config.rope_parameters or {}).get("rope_type", "default")
    if rope not in _ROPES:
        raise _refused(name, f"its positions ({rope}) depend on the length of a row")


def _refused(name: str, what: str) -> ModelError:
    return ModelError(
        f"{name!r} cannot be trained here: {what}",
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
