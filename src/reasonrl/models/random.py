"""Random transformers: `tiny` for tests and demos, a small one with a list of words for the lab.

Real Hugging Face models in every respect but their size: they are saved, loaded, sampled and
trained through the same code as any other, and built from a seed, so that two machines build the
same one. Called by `models.hf` and `lab`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoConfig,
    PreTrainedTokenizerFast,
)

from reasonrl.errors import ModelError
from reasonrl.models.families import FAMILIES

TINY = "tiny"
EOS, USER, ASSISTANT = "<eos>", "<user>", "<assistant>"
_TINY_EOS, _TINY_USER, _TINY_ASSISTANT = "<|eos|>", "<|user|>", "<|assistant|>"
_OWN_KEYS: Mapping[str, Mapping[str, Any]] = {
    "granite": {
        "embedding_multiplier": 1.5,
        "attention_multiplier": 0.25,
        "residual_multiplier": 0.8,
        "logits_scaling": 0.8,
    },
    "mistral": {"sliding_window": 16},
    "ministral": {
        "sliding_window": 16,
        "layer_types": ["sliding_attention", "full_attention"],
    },
    "ministral3": {
        "rope_parameters": {
            "rope_type": "yarn",
            "rope_theta": 1e6,
            "factor": 4.0,
            "original_max_position_embeddings": 64,
            "llama_4_scaling_beta": 0.1,
        },
    },
    "phi3": {
        "sliding_window": 16,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1e4,
            "partial_rotary_factor": 0.5,
        },
    },
    "gemma2": {"query_pre_attn_scalar": 16, "sliding_window": 16},
    "gemma3_text": {"query_pre_attn_scalar": 16, "sliding_window": 16},
    "olmo3": {"sliding_window": 16},
    "smollm3": {"no_rope_layers": [1, 0]},
    "qwen3_moe": {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64},
    "gpt_oss": {"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 16},
}
"""What a tiny model of a family has of its family's own, with the keys of its config."""
_NORMS_BEHIND = frozenset({"olmo2", "olmo3"})
"""Families whose blocks end with a norm and do not begin with one."""

_TINY_CONTEXT, _SMALL_CONTEXT = 4_096, 512  # tokens


def is_tiny(name: str) -> bool:
    """Return whether a model's name is `tiny` or `tiny:FAMILY`."""
    return name.partition(":")[0] == TINY


def tiny_family(name: str) -> str:
    """Return the family of `tiny:FAMILY`, llama for `tiny`; ModelError when it is unknown."""
    family = name.partition(":")[2] or "llama"
    if family not in FAMILIES:
        raise ModelError(
            f"{name!r} names no known family",
            where="model.name",
            expected="one of " + ", ".join(f"{TINY}:{known}" for known in FAMILIES),
        )
    return family


def build_tiny(
    seed: int = 0, *, family: str = "llama", head_size: int = 16
) -> tuple[Any, PreTrainedTokenizerFast]:
    """Return a model of 0.1M parameters, with weights drawn from the seed, and its tokenizer.

    The tokenizer reads bytes. The embeddings of the digits and the end of sequence share a
    direction, so that the model mostly writes a few digits and stops: a policy that knows nothing,
    yet is right now and then. vLLM computes heads of 32 and more on a CPU.
    """
    tokenizer = _byte_tokenizer()
    module = _draw(
        tokenizer,
        seed,
        family=family,
        favoured=dict.fromkeys("0123456789", 0.7) | {_TINY_EOS: 0.9, _TINY_ASSISTANT: 0.7},
        sizes={
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": head_size,
            "max_position_embeddings": _TINY_CONTEXT,
        },
    )
    return module, tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallShape:
    """The size of a small transformer."""

    width: int = 96
    layers: int = 2
    heads: int = 4
    inner: int = 256


def build_small(
    words: Sequence[str], opening: str, shape: SmallShape, *, seed: int
) -> tuple[Any, PreTrainedTokenizerFast]:
    """Return a model with weights drawn from the seed, and a tokenizer of words between spaces.

    A word's id is its index, after EOS, USER, ASSISTANT and `opening`, with which every answer
    begins.
    """
    tokenizer = _word_tokenizer(words, opening)
    module = _draw(
        tokenizer,
        seed,
        sizes={
            "hidden_size": shape.width,
            "intermediate_size": shape.inner,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.heads,
            "max_position_embeddings": _SMALL_CONTEXT,
        },
    )
    return module, tokenizer


def save_small_copy(config: Any, directory: Path, *, layers: int, limit: float) -> int | None:
    """Save a random model of a config with its first layers and a tokenizer of bytes.

    Returns its parameters, or None without writing where these are more than `limit`.
    """
    tokenizer = _byte_tokenizer()
    n_layers = config.num_hidden_layers
    for key, value in vars(config).items():
        if isinstance(value, list) and len(value) == n_layers:
            setattr(config, key, value[:layers])
    config.num_hidden_layers = layers
    config.vocab_size = len(tokenizer)
    config.bos_token_id = config.pad_token_id = None
    config.eos_token_id = tokenizer.eos_token_id
    model_class = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    with torch.device("meta"):
        parameters = int(sum(weight.numel() for weight in model_class(config).parameters()))
    if parameters > limit:
        return None
    module = model_class(config)
    roughen(module, seed=0)
    module.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return parameters


def save_rough(family: str, directory: Path | str) -> None:
    """Save a tiny model of a family in which faults of norms and biases show (`roughen`)."""
    module, tokenizer = build_tiny(3, family=family)
    roughen(module, seed=1)
    module.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def roughen(module: Any, seed: int) -> None:
    """Move norms away from 1 and biases from 0, where a fault in either would not show."""
    with torch.random.fork_rng(devices=()), torch.no_grad():
        torch.manual_seed(seed)
        for parameter in module.parameters():
            if parameter.ndim == 1:
                parameter += 0.3 * torch.randn_like(parameter)


def word_ids(words: Sequence[str], opening: str) -> dict[str, int]:
    """Return the id of each word and of the four special ones."""
    return {word: index for index, word in enumerate((EOS, USER, ASSISTANT, opening, *words))}


def _draw(
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    *,
    family: str = "llama",
    sizes: Mapping[str, int],
    favoured: Mapping[str, float] | None = None,
) -> Any:
    """Return a model of a family whose weights follow from the seed; `sizes` are config keys."""
    config = AutoConfig.for_model(
        family,
        vocab_size=len(tokenizer),
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
        initializer_range=0.05,
        **sizes,
        **_OWN_KEYS.get(family, {}),
    )
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        module = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)](config)
        if family in _NORMS_BEHIND:
            _quieten(module)
        if favoured:
            _lean(module, tokenizer, favoured)
    return module


def _quieten(module: Any) -> None:
    """Make norms behind blocks small: at 1 the blocks would drown the embedding."""
    with torch.no_grad():
        for layer in module.model.layers:
            layer.post_attention_layernorm.weight.fill_(0.1)
            layer.post_feedforward_layernorm.weight.fill_(0.1)


def _lean(module: Any, tokenizer: PreTrainedTokenizerFast, favoured: Mapping[str, float]) -> None:
    """Give the favoured tokens' embeddings a shared direction; the tied head then repeats it."""
    direction = torch.nn.functional.normalize(torch.randn(module.config.hidden_size), dim=0)
    with torch.no_grad():
        for piece, strength in favoured.items():
            module.model.embed_tokens.weight[tokenizer.convert_tokens_to_ids(piece)] += (
                strength * direction
            )


def _byte_tokenizer() -> PreTrainedTokenizerFast:
    special = [_TINY_EOS, _TINY_USER, _TINY_ASSISTANT]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: index for index, piece in enumerate((*alphabet, *special))}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens(special)
    return _with_template(raw, _TINY_EOS, _TINY_USER, _TINY_ASSISTANT)


def _word_tokenizer(words: Sequence[str], opening: str) -> PreTrainedTokenizerFast:
    raw = Tokenizer(models.WordLevel(vocab=word_ids(words, opening), unk_token=EOS))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.add_special_tokens([EOS, USER, ASSISTANT, opening])
    return _with_template(raw, EOS, USER, ASSISTANT + opening)


def _with_template(raw: Tokenizer, eos: str, user: str, answer: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer whose chat marks each turn with `user` and then begins the answer."""
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token=eos,
        pad_token=eos,
        chat_template=(
            f"{{% for message in messages %}}{user}{{{{ message['content'] }}}}{{% endfor %}}"
            f"{{% if add_generation_prompt %}}{answer}{{% endif %}}"
        ),
        clean_up_tokenization_spaces=False,
    )
