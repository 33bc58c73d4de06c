"""Sampling of whole groups with a key-value cache: prompts once, no padding, rows refilled.

A prompt is computed once and its cache copied into a row for each of its rollouts. A row that
finishes leaves at once, and the next waiting rollout takes its place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reasonrl.engines.local.rows import SampledRow, SamplingJob, TokenDraws
from reasonrl.models.attention import Branches, PackedGroups
from reasonrl.models.cache import CachedRows
from reasonrl.models.hf import LanguageModel
from reasonrl.types import Completion


@dataclass(slots=True)
class _Prefix:
    """A computed prompt: keys and values, [K, L, D] per layer, and the last hidden state."""

    cache: list[tuple[Tensor, Tensor]]
    hidden_D: Tensor
    rows_left: int


class Session:
    """The rows that run, the rollouts that wait, and the computed prompts they need.

    The next tokens are sampled from `hidden_RD`, in the order of `rows`.
    """

    def __init__(self, model: LanguageModel, job: SamplingJob, draws: TokenDraws) -> None:
        self.model, self.job, self.draws = model, job, draws
        self.waiting = deque(job.rollouts)
        self.prefixes: dict[int, _Prefix] = {}
        heads, head_size = model.cache_shape
        like = model.head
        self.cache = CachedRows[SampledRow](
            n_layers=model.n_layers,
            heads=heads,
            head_size=head_size,
            like=like.new_empty(0, dtype=model.compute),
        )
        self.rows: list[SampledRow] = []
        self.hidden_RD = like.new_zeros(0, like.shape[1])

    def refill(self) -> None:
        """Start waiting rollouts where there is room; compute prompts that are not computed yet."""
        n_starting = min(self.job.max_rows - len(self.rows), len(self.waiting))
        if not n_starting:
            return
        starting = [self.waiting.popleft() for _ in range(n_starting)]
        new = sorted({prompt for prompt, _ in starting} - self.prefixes.keys())
        for part in self._within_budget(new):
            self._prefill(part)
        begun = [self.draws.start(number, index) for number, index in starting]
        prefixes = [self.prefixes[number] for number, _ in starting]
        self.cache.load([(row, prefix.cache) for row, prefix in zip(begun, prefixes, strict=True)])
        self.rows += begun
        self.hidden_RD = torch.cat(
            (self.hidden_RD, torch.stack([prefix.hidden_D for prefix in prefixes]))
        )
        for number, _ in starting:
            self.prefixes[number].rows_left -= 1
            if self.prefixes[number].rows_left == 0:
                del self.prefixes[number]

    def _within_budget(self, numbers: Sequence[int]) -> Iterator[list[int]]:
        """Cut prompts into parts of at most `token_budget` tokens; a longer prompt stays alone."""
        part: list[int] = []
        used = 0
        for number in numbers:
            length = len(self.job.prompts[number].tokens)
            if part and used + length > self.job.token_budget:
                yield part
                part, used = [], 0
            part.append(number)
            used += length
        if part:
            yield part

    def _prefill(self, numbers: Sequence[int]) -> None:
        prompts = [self.job.prompts[number].tokens for number in numbers]
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
                rows_left=len(self.job.prompts[number].members(self.job.sampling.group_size)),
            )

    def sample(self) -> list[SampledRow]:
        """Append one token to every row; return the rows that end with it."""
        logits_RV = self.model.head_form.bound(self.hidden_RD @ self.model.head.T)
        _, slots = self.draws.append(self.rows, logits_RV)
        over = [self.rows[slot] for slot in slots]
        if over:
            self.cache.drop(frozenset(over))
        return over

    def advance(self) -> None:
        """Run the model on the newest tokens."""
        self.rows, positions_1R = self.cache.advance()
        if not self.rows:
            self.hidden_RD = self.hidden_RD[:0]
            return
        device = self.hidden_RD.device
        tokens_1R = torch.tensor([[row.tokens[-1] for row in self.rows]], device=device)
        self.hidden_RD = self.model.hidden(tokens_1R, positions_1R, self.cache)

    @property
    def is_running(self) -> bool:
        return bool(self.waiting or self.rows)


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
