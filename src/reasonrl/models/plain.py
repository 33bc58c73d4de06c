"""Scores of a model directory under plain transformers, without this package's layers.

For the check that an exported model is the trained one, and for the check of a GPU. Called by
`launch.check_export` and `gpu.scores`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as hf_logging

from reasonrl.models.files import exact_attention
from reasonrl.models.template import ChatForm
from reasonrl.models.tokenizer import ChatTokenizer
from reasonrl.types import Logprobs, Message, Tokens


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlainScore:
    """The score of one answer under plain transformers.

    `prompt` are the turns as its tokenizer encodes them, `text` is the answer as it decodes it;
    `logprobs` belong to the answer's tokens, `best` to the likeliest token at each position.
    """

    prompt: Tokens
    text: str
    logprobs: Logprobs
    best: Logprobs


@torch.no_grad()
def score_plainly(
    directory: Path,
    answers: Sequence[tuple[Sequence[Message], Tokens]],
    form: ChatForm,
    *,
    adapter: Path | None = None,
    base: Path | None = None,
) -> list[PlainScore]:
    """Load a directory and score answers, each given as the turns before it and its tokens.

    `form` is how turns become a prompt, by the chat template of the directory. With an `adapter`
    the model is that of `base`, with the adapter on it.
    """
    hf_logging.disable_progress_bar()
    raw = AutoTokenizer.from_pretrained(directory)
    tokenizer = ChatTokenizer(raw, where=str(directory), form=form)
    start = base or directory
    attention = exact_attention(AutoConfig.from_pretrained(start))
    module = AutoModelForCausalLM.from_pretrained(
        start, dtype=torch.float32, attn_implementation=attention
    )
    if adapter is not None:
        from peft import PeftModel

        module = PeftModel.from_pretrained(module, str(adapter))
    module.eval()
    scores = []
    for turns, answer in answers:
        prompt = tokenizer.encode_chat(turns).tokens
        chosen, best = _scored(module, prompt, answer)
        scores.append(
            PlainScore(prompt=prompt, text=tokenizer.decode(answer), logprobs=chosen, best=best)
        )
    return scores


@torch.no_grad()
def plain_logprobs(
    directory: str, pairs: Sequence[tuple[Tokens, Tokens]], *, device: str
) -> list[Logprobs]:
    """Load a directory in float32 on a device, and score (prompt, completion) pairs one by one.

    The attention is that of transformers' own formulas, without any kernel.
    """
    module = _eager(directory).to(device)
    return [_scored(module, prompt, completion)[0] for prompt, completion in pairs]


def plain_gradients(
    directory: str, pairs: Sequence[tuple[Tokens, Tokens]], advantages: Sequence[float]
) -> tuple[list[Logprobs], dict[str, Tensor]]:
    """Score (prompt, completion) pairs one by one as `plain_logprobs` does, on a CPU.

    Also return the gradient, by parameter, of minus the mean over all completions' tokens of
    advantage times log-probability.
    """
    module = _eager(directory)
    # transformers drops the gradient of the padding token's embedding, and no row is padded here.
    module.get_input_embeddings().padding_idx = None
    n_tokens = sum(len(completion) for _, completion in pairs)
    scores = []
    for (prompt, completion), advantage in zip(pairs, advantages, strict=True):
        chosen = _logprobs(module, prompt, completion)[1]
        (chosen.sum() * (-advantage / n_tokens)).backward()  # type: ignore[no-untyped-call]
        scores.append(chosen.detach().numpy())
    return scores, {
        name: parameter.grad
        for name, parameter in module.named_parameters()
        if parameter.grad is not None
    }


def _eager(directory: str) -> Any:
    """Load a model whose attention is that of transformers' own formulas, without any kernel."""
    hf_logging.disable_progress_bar()
    module = AutoModelForCausalLM.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager"
    )
    return module.eval()


def _scored(module: Any, prompt: Tokens, answer: Tokens) -> tuple[Logprobs, Logprobs]:
    """Return the log-probabilities of an answer's tokens, and of the likeliest ones there."""
    logprobs, chosen = _logprobs(module, prompt, answer)
    return chosen.cpu().numpy(), logprobs.max(dim=1).values.cpu().numpy()


def _logprobs(module: Any, prompt: Tokens, answer: Tokens) -> tuple[Tensor, Tensor]:
    """Return the log-probabilities of all tokens at an answer's places, and of the answer's."""
    tokens = torch.as_tensor(
        np.concatenate((prompt, answer)), dtype=torch.long, device=module.device
    )
    logits = module(tokens[None], use_cache=False).logits[0, len(prompt) - 1 : -1].float()
    logprobs = torch.log_softmax(logits, dim=-1)
    return logprobs, logprobs.gather(1, tokens[len(prompt) :, None])[:, 0]
