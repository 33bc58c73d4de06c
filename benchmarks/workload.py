"""The workload of measured steps: fixed lengths, fixed advantages, plain AdamW."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from reasonrl.engines.local.rows import SampledRow, TokenDraws
from reasonrl.engines.protocols import TrainBatch, TrainGroup
from reasonrl.engines.update import OptimizerSettings
from reasonrl.types import Completion, Prompt

OPTIMIZER = OptimizerSettings(
    betas=(0.9, 0.999), epsilon=1e-8, weight_decay=0.0, max_gradient_norm=1.0
)


def fix_lengths(length: Callable[[SampledRow], int]) -> None:
    """Let the local engine end each rollout at a given length, whatever its tokens are."""

    def is_over(_draws: TokenDraws, row: SampledRow) -> bool:
        return len(row.tokens) == length(row)

    TokenDraws._is_over = is_over  # type: ignore[method-assign, assignment]


def train_batch(prompts: Sequence[Prompt], groups: Sequence[Sequence[Completion]]) -> TrainBatch:
    """Return all completions as one batch, with advantages evenly from -1 to 1 in each group."""
    return TrainBatch(
        groups=tuple(
            TrainGroup(
                prompt=prompt.tokens,
                completions=tuple(completion.tokens for completion in group),
                advantages=tuple(np.linspace(-1, 1, len(group)).tolist()),
            )
            for prompt, group in zip(prompts, groups, strict=True)
        ),
        rollout_logprobs_N=np.concatenate([one.logprobs for group in groups for one in group]),
    )
