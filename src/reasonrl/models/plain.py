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
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as hf_logging

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
    module = AutoModelForCausalLM.from_pretrained(base or directory, dtype=torch.float32)
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
    hf_logging.disable_progress_bar()
    module = AutoModelForCausalLM.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager"
    )
    module.to(device).eval()
    return [_scored(module, prompt, completion)[0] for prompt, completion in pairs]


def _scored(module: Any, prompt: Tokens, answer: Tokens) -> tuple[Logprobs, Logprobs]:
    """Return the log-probabilities of an answer's tokens, and of the likeliest ones there."""
    tokens = torch.as_tensor(
        np.concatenate((prompt, answer)), dtype=torch.long, device=module.device
    )
    logits = module(tokens[None]).logits[0, len(prompt) - 1 : -1].float()
    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(1, tokens[len(prompt) :, None])[:, 0]
    return chosen.cpu().numpy(), logprobs.max(dim=1).values.cpu().numpy()
