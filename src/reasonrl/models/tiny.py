"""`tiny`: a random transformer of 0.1M parameters with a byte tokenizer, for tests and demos.

A real Hugging Face model in every respect but its size: it is saved, loaded, sampled and trained
through the same code as any other. Built from a seed, so that two machines build the same one.
Its random embeddings share a direction among the digits and the end of sequence, so that it mostly
writes a few digits and stops: a policy that knows nothing, yet is right now and then.
"""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

_SPECIAL = ("<|eos|>", "<|user|>", "<|assistant|>")
_TEMPLATE = (
    "{% for message in messages %}<|user|>{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def build_tiny(
    seed: int = 0, *, head_size: int = 16
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Return the model, with weights drawn from the seed, and its tokenizer.

    vLLM computes heads of 32 and more on a CPU.
    """
    tokenizer = _byte_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=head_size,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
        initializer_range=0.05,
    )
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        _lean(model, tokenizer)
    return model, tokenizer


def _lean(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    """Give the favoured tokens' embeddings a shared direction; the tied head then repeats it."""
    strengths = dict.fromkeys("0123456789", 0.7) | {_SPECIAL[0]: 0.9, _SPECIAL[2]: 0.7}
    direction = torch.nn.functional.normalize(torch.randn(model.config.hidden_size), dim=0)
    with torch.no_grad():
        for piece, strength in strengths.items():
            model.model.embed_tokens.weight[tokenizer.convert_tokens_to_ids(piece)] += (
                strength * direction
            )


def _byte_tokenizer() -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: number for number, piece in enumerate((*alphabet, *_SPECIAL))}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens(list(_SPECIAL))
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token=_SPECIAL[0],
        pad_token=_SPECIAL[0],
        chat_template=_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
