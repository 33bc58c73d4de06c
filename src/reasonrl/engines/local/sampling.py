"""Sampling of whole groups with a key-value cache: prompts once, no padding, rows refilled.

A prompt is computed once and its cache copied into a row for each of its rollouts. A row that
finishes is given to the next waiting rollout; when no rollout waits, the batch shrinks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reasonrl.engines.local.rows import SampledRow, SamplingJob, TokenDraws
from reasonrl.models.attention import Branches, CachedRows, PackedGroups
from reasonrl.models.hf import LanguageModel
from reasonrl.types import Completion

# A row's first cache has room for this many new tokens; it doubles when the row needs more.
_FIRST_CAPACITY = 64
# Making the batch smaller copies the cache: it pays once fewer than this share of rows is live.
_SHRINK_BELOW = 0.8


@dataclass(slots=True)
class _Prefix:
    """A computed prompt: keys and values, [K, L, D] per layer, and the last hidden state."""

    cache: list[tuple[Tensor, Tensor]]
    hidden_D: Tensor
    rows_left: int


class Session:
    """The rows that run, the rollouts that wait, and the computed prompts they need."""

    def __init__(self, model: LanguageModel, job: SamplingJob, draws: TokenDraws) -> None:
        self.model, self.draws = model, draws
        self.prompts, self.sampling, self.token_budget = job.prompts, job.sampling, job.token_budget
        self.waiting = deque(job.rollouts)
        self.prefixes: dict[int, _Prefix] = {}
        n_rows = min(job.max_rows, len(self.waiting))
        heads, head_size = model.cache_shape
        like = model.head
        longest = max(len(prompt.tokens) for prompt in job.prompts)
        self.cache = CachedRows(
            rows=n_rows,
            capacity=longest + min(_FIRST_CAPACITY, job.sampling.max_new_tokens),
            n_layers=model.n_layers,
            heads=heads,
            head_size=head_size,
            like=like.new_empty(0, dtype=model.compute),
        )
        self.rows: list[SampledRow | None] = [None] * n_rows
        # The next tokens are sampled from hidden_RD; tokens_R are the ones sampled last.
        self.hidden_RD = like.new_zeros(n_rows, like.shape[1])
        self.tokens_R = torch.zeros(n_rows, dtype=torch.long, device=like.device)

    def refill(self) -> None:
        """Give free rows to waiting rollouts; compute their prompts where that is not done yet."""
        free = [slot for slot, row in enumerate(self.rows) if row is None]
        starting = [self.waiting.popleft() for _ in range(min(len(free), len(self.waiting)))]
        new = sorted({prompt for prompt, _ in starting} - self.prefixes.keys())
        for part in self._within_budget(new):
            self._prefill(part)
        for slot, (number, index) in zip(free, starting, strict=False):
            prefix = self.prefixes[number]
            self.cache.load(slot, prefix.cache)
            self.hidden_RD[slot] = prefix.hidden_D
            self.rows[slot] = self.draws.start(number, index)
            prefix.rows_left -= 1
            if prefix.rows_left == 0:
                del self.prefixes[number]

    def _within_budget(self, numbers: Sequence[int]) -> Iterator[list[int]]:
        """Cut prompts into parts of at most `token_budget` tokens; a longer prompt stays alone."""
        part: list[int] = []
        used = 0
        for number in numbers:
            length = len(self.prompts[number].tokens)
            if part and used + length > self.token_budget:
                yield part
                part, used = [], 0
            part.append(number)
            used += length
        if part:
            yield part

    def _prefill(self, numbers: Sequence[int]) -> None:
        prompts = [self.prompts[number].tokens for number in numbers]
        recorded: list[tuple[Tensor, Tensor]] = []
        layout = PackedGroups([Branches(len(prompt)) for prompt in prompts], recorded)
        device = self.model.head.device
        tokens = torch.as_tensor(np.concatenate(prompts), dtype=torch.long, device=device)[None]
        hidden_LD = self.model.hidden(tokens, layout.positions(device), layout)
        end = 0
        for number, prompt in zip(numbers, prompts, strict=True):
            start, end = end, end + len(prompt)
            self.prefixes[number] = _Prefix(
                cache=[(k[0, :, start:end], v[0, :, start:end]) for k, v in recorded],
                hidden_D=hidden_LD[end - 1],
                rows_left=len(self.prompts[number].members(self.sampling.group_size)),
            )

    def sample(self) -> list[SampledRow]:
        """Append one token to every live row; return the rows that end with it."""
        logits_RV = self.model.head_form.bound(self.hidden_RD @ self.model.head.T)
        self.tokens_R, over = self.draws.append(self.rows, logits_RV)
        done = []
        for slot in over:
            row = self.rows[slot]
            assert row is not None  # only rows end
            done.append(row)
            self.rows[slot] = None
            self.cache.clear(slot)
        return done

    def advance(self) -> None:
        """Run the model on the newest tokens; first make the batch smaller if it pays."""
        live = [slot for slot, row in enumerate(self.rows) if row is not None]
        if not live:
            return
        if not self.waiting and len(live) < _SHRINK_BELOW * len(self.rows):
            self.cache.keep(live)
            self.tokens_R = self.tokens_R[live]
            self.rows = [self.rows[slot] for slot in live]
        self.hidden_RD = self.model.hidden(self.tokens_R[None], self.cache.advance(), self.cache)

    @property
    def is_running(self) -> bool:
        return bool(self.waiting) or any(row is not None for row in self.rows)


@torch.no_grad()
def sample_groups(model: LanguageModel, job: SamplingJob) -> list[list[Completion]]:
    """Return the completions of each prompt of a job."""
    draws = TokenDraws(model, job)
    return draws.collect(job, _run(model, job, draws) if job.rollouts else ())


def _run(model: LanguageModel, job: SamplingJob, draws: TokenDraws) -> Iterator[SampledRow]:
    """Sample the rollouts of a job; yield each row as it ends."""
    session = Session(model, job, draws)
    while session.is_running:
        session.refill()
        yield from session.sample()
        session.advance()
