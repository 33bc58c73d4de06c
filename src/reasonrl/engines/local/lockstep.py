"""Sampling with a model's own cache: rows of equal length, one token each at a time.

Nothing is padded, because recurrent models carry what they have read: rollouts whose prompts have
the same number of tokens run together, from the first token to the last. A prompt is computed once
for all its rollouts where the cache can be copied. Rows that end leave when enough have ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, groupby

import numpy as np
import torch

from reasonrl.engines.local.rows import SampledRow, SamplingJob, TokenDraws
from reasonrl.models.hf import LanguageModel
from reasonrl.models.library import LibraryModel
from reasonrl.types import Completion

# Leaving copies the cache: it pays once fewer than this share of rows is live.
_LEAVE_BELOW = 0.8

Member = tuple[int, int]
"""A prompt's number, and the index of a rollout in its group."""


@torch.no_grad()
def sample_in_lockstep(
    model: LanguageModel, library: LibraryModel, job: SamplingJob
) -> list[list[Completion]]:
    """Return the completions of each prompt of a job."""
    draws = TokenDraws(model, job)
    return draws.collect(
        job,
        chain.from_iterable(
            _run(library, draws, batch, job.token_budget) for batch in _equal_lengths(job)
        ),
    )


def _equal_lengths(job: SamplingJob) -> Iterator[list[Member]]:
    """Yield the rollouts of prompts of one length, at most `max_rows` at a time."""

    def length(member: Member) -> int:
        return len(job.prompts[member[0]].tokens)

    for _, same in groupby(sorted(job.rollouts, key=length), key=length):
        rollouts = list(same)
        for first in range(0, len(rollouts), job.max_rows):
            yield rollouts[first : first + job.max_rows]


def _run(
    library: LibraryModel, draws: TokenDraws, members: Sequence[Member], token_budget: int
) -> Iterator[SampledRow]:
    """Sample rollouts of one length side by side; yield each row as it ends."""
    rows: list[SampledRow | None] = [draws.start(number, index) for number, index in members]
    numbers = sorted({number for number, _ in members})
    prompts_PT = torch.from_numpy(
        np.stack([draws.prompts[number].tokens for number in numbers]).astype(np.int64)
    ).to(library.device)
    copies = torch.tensor([numbers.index(number) for number, _ in members], device=library.device)
    state, logits_RV = library.begin(prompts_PT, copies, token_budget=token_budget)
    while True:
        tokens_R, over = draws.append(rows, logits_RV)
        for slot in over:
            row = rows[slot]
            assert row is not None  # only rows end
            rows[slot] = None
            yield row
        live = [slot for slot, row in enumerate(rows) if row is not None]
        if not live:
            return
        if len(live) < _LEAVE_BELOW * len(rows):
            kept = torch.tensor(live, device=library.device)
            state.keep(kept)
            tokens_R, rows = tokens_R[kept], [rows[slot] for slot in live]
        logits_RV = state.step(tokens_R)
