"""A small random transformer that knows a list of words, for the lab to train.

A real Hugging Face model in every respect but its size, as `tiny` is; its tokenizer reads and
writes words with spaces between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from reasonrl.models import attention
from reasonrl.models.hf import LanguageModel, settled

EOS, USER, ASSISTANT = "<eos>", "<user>", "<assistant>"
_CONTEXT = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallShape:
    """Say how large the transformer is."""

    width: int = 96
    layers: int = 2
    heads: int = 4
    inner: int = 256


def build_small(
    words: Sequence[str], opening: str, shape: SmallShape, *, seed: int, name: str
) -> LanguageModel:
    """Return a model with weights drawn from the seed; a word's id is its place, after EOS, USER,
    ASSISTANT and `opening`, with which every answer begins."""
    attention.register()
    tokenizer = _word_tokenizer(words, opening)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=_CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
        initializer_range=0.05,
    )
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        module = LlamaForCausalLM(config)
    return settled(module, tokenizer, name)


def word_ids(words: Sequence[str], opening: str) -> dict[str, int]:
    """Return each word's id, those of the four special ones among them."""
    return {word: number for number, word in enumerate((EOS, USER, ASSISTANT, opening, *words))}


def _word_tokenizer(words: Sequence[str], opening: str) -> PreTrainedTokenizerFast:
    raw = Tokenizer(models.WordLevel(vocab=word_ids(words, opening), unk_token=EOS))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.add_special_tokens([EOS, USER, ASSISTANT, opening])
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token=EOS,
        pad_token=EOS,
        chat_template=(
            f"{{% for message in messages %}}{USER}{{{{ message['content'] }}}}{{% endfor %}}"
            f"{{% if add_generation_prompt %}}{ASSISTANT}{opening}{{% endif %}}"
        ),
        clean_up_tokenization_spaces=False,
    )
