"""A small batch about which engines can be asked: a few prompts, short completions, one objective.

For checks that hold one computation against another: of a card (`gpu`) and of a model
(`admission`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reasonrl.algo.loss import Objective
from reasonrl.engines.protocols import TrainBatch, TrainGroup
from reasonrl.models.hf import LanguageModel
from reasonrl.types import Completion, Message, Prompt, Sampling, Tokens

_TEXTS = (
    "1+1",
    "What is 12 + 7?",
    "a",
    "Name a prime above 10, please, and say in one sentence why it is a prime.",
)

SAMPLING = Sampling(max_new_tokens=32, group_size=4)
"""How checks sample: a few short completions of each prompt, at temperature 1."""


UPDATE = Objective(
    clip_low=0.2, clip_high=0.2, entropy_coefficient=0.0, kl_coefficient=0.0, temperature=1.0
)
"""The objective of a check's updates: the policy term alone."""


def prompts_of(model: LanguageModel) -> list[Prompt]:
    """Return prompts of uneven length; each prompt's seed is its index."""
    encode = model.tokenizer.encode_chat
    return [
        Prompt(tokens=encode([Message(role="user", content=text)]).tokens, seed=number)
        for number, text in enumerate(_TEXTS)
    ]


def batch_of(prompts: Sequence[Prompt], groups: Sequence[Sequence[Completion]]) -> TrainBatch:
    """Return sampled groups as a batch; in a group every other completion was good."""
    return TrainBatch(
        groups=tuple(
            TrainGroup(
                prompt=prompt.tokens,
                completions=tuple(completion.tokens for completion in group),
                advantages=tuple(1.0 if number % 2 else -1.0 for number in range(len(group))),
            )
            for prompt, group in zip(prompts, groups, strict=True)
        ),
        rollout_logprobs_N=np.concatenate([c.logprobs for group in groups for c in group]),
    )


def pairs_of(batch: TrainBatch) -> list[tuple[Tokens, Tokens]]:
    """Return the prompt and the completion of each rollout of a batch, in order."""
    return [(group.prompt, one) for group in batch.groups for one in group.completions]
