"""Cut a batch into microbatches and lay each out as one row of tokens without padding.

A microbatch holds whole groups, or parts of a group that alone exceeds the budget; it holds each
prompt once. A completion's last token is only a target, so the model does not run on it.
`microbatches` cuts a batch in order; `share_out` cuts it for ranks that must all take part in the
same number of rounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reasonrl.engines.protocols import TrainBatch, TrainGroup
from reasonrl.models.attention import Branches, PackedGroups
from reasonrl.types import Tokens


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive completions of one group, and where their tokens start in the batch."""

    prompt: Tokens
    completions: tuple[Tokens, ...]
    advantages: tuple[float, ...]
    first_token: int

    @property
    def n_trained(self) -> int:
        return sum(len(completion) for completion in self.completions)

    @property
    def n_fed(self) -> int:
        """Return the number of tokens that the model runs on."""
        return len(self.prompt) + self.n_trained - len(self.completions)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Microbatch:
    """One packed row. `predictors_N` are the positions in the row that predict `targets_N`;
    `index_N` are the targets' indices among the batch's trained tokens."""

    tokens_1L: Tensor
    layout: PackedGroups
    predictors_N: Tensor
    targets_N: Tensor
    advantages_N: Tensor
    index_N: Tensor
    n_rollouts: int


def microbatches(batch: TrainBatch, *, token_budget: int, device: str) -> Iterator[Microbatch]:
    """Yield the batch in order, in microbatches of at most `token_budget` tokens where possible."""
    waiting: list[Piece] = []
    used = 0
    for piece in _pieces(batch, token_budget):
        if waiting and used + piece.n_fed > token_budget:
            yield pack(waiting, device=device)
            waiting, used = [], 0
        waiting.append(piece)
        used += piece.n_fed
    if waiting:
        yield pack(waiting, device=device)


def share_out(batch: TrainBatch, *, token_budget: int, ranks: int) -> list[list[list[Piece]]]:
    """Return rounds; each holds one share of the batch for every rank, and a share may be empty.

    Ranks wait for each other in every round, so the largest pieces are given out first, each to
    the share with the fewest tokens. A share exceeds the budget only if it is a single piece.
    """
    pieces = sorted(_pieces(batch, token_budget), key=lambda piece: -piece.n_fed)
    n_rounds = max(1, -(-sum(piece.n_fed for piece in pieces) // (token_budget * ranks)))
    while True:
        shares: list[list[Piece]] = [[] for _ in range(n_rounds * ranks)]
        sizes = [0] * len(shares)
        for piece in pieces:
            least = sizes.index(min(sizes))
            shares[least].append(piece)
            sizes[least] += piece.n_fed
        fits = all(
            size <= token_budget or len(share) == 1
            for size, share in zip(sizes, shares, strict=True)
        )
        if fits:
            return [shares[first : first + ranks] for first in range(0, len(shares), ranks)]
        n_rounds += 1


def _pieces(batch: TrainBatch, token_budget: int) -> Iterator[Piece]:
    """Yield groups, cut between completions where a group alone exceeds the budget."""
    first_token = 0
    for group in batch.groups:
        start, used = 0, len(group.prompt)
        for number, completion in enumerate(group.completions):
            size = len(completion) - 1
            if number > start and used + size > token_budget:
                yield (cut := _cut(group, start, number, first_token))
                first_token += cut.n_trained
                start, used = number, len(group.prompt)
            used += size
        yield (cut := _cut(group, start, len(group.completions), first_token))
        first_token += cut.n_trained


def _cut(group: TrainGroup, start: int, end: int, first_token: int) -> Piece:
    return Piece(
        group.prompt, group.completions[start:end], group.advantages[start:end], first_token
    )


def pack(pieces: Sequence[Piece], *, device: str, multiple_of: int = 1) -> Microbatch:
    """Lay pieces out as one row; padding to `multiple_of` tokens is a group of its own."""
    rows: list[Tokens] = []
    branches, predictors, targets, advantages, index = [], [], [], [], []
    at = 0
    for piece in pieces:
        rows.append(piece.prompt)
        last_of_prompt = at + len(piece.prompt) - 1
        at += len(piece.prompt)
        fed = []
        for completion, advantage in zip(piece.completions, piece.advantages, strict=True):
            n_fed = len(completion) - 1
            predictors.append([last_of_prompt, *range(at, at + n_fed)])
            targets.append(completion)
            advantages.append(np.full(len(completion), advantage, dtype=np.float32))
            if n_fed:
                rows.append(completion[:-1])
                fed.append(n_fed)
            at += n_fed
        branches.append(Branches(len(piece.prompt), tuple(fed)))
        index.append(np.arange(piece.first_token, piece.first_token + piece.n_trained))
    if missing := -at % multiple_of if at else multiple_of:
        rows.append(np.zeros(missing, dtype=np.int32))
        branches.append(Branches(missing))

    def long(parts: Sequence[Sequence[int] | np.ndarray]) -> Tensor:
        whole = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
        return torch.as_tensor(whole, dtype=torch.long, device=device)

    return Microbatch(
        tokens_1L=long(rows)[None],
        layout=PackedGroups(branches),
        predictors_N=long(predictors),
        targets_N=long(targets),
        advantages_N=torch.as_tensor(
            np.concatenate(advantages) if advantages else np.zeros(0, np.float32), device=device
        ),
        index_N=long(index),
        n_rollouts=sum(len(piece.completions) for piece in pieces),
    )


def batch_of_pairs(pairs: Sequence[tuple[Tokens, Tokens]]) -> TrainBatch:
    """Return prompts and completions as a batch to score: all advantages are 0."""
    return TrainBatch(
        groups=tuple(
            TrainGroup(prompt=prompt, completions=(completion,), advantages=(0.0,))
            for prompt, completion in pairs
        ),
        rollout_logprobs_N=np.zeros(
            sum(len(completion) for _, completion in pairs), dtype=np.float32
        ),
    )


def first_completions(batch: TrainBatch, *, n: int, max_tokens: int) -> list[tuple[Tokens, Tokens]]:
    """Return n prompts with the beginning of their first completion, for scoring.

    A completion of two tokens or more loses its last one: some engines need room for one more token
    after the sequence that they score.
    """
    firsts = ((group.prompt, group.completions[0]) for group in batch.groups[:n])
    return [
        (prompt, completion[: min(max_tokens, max(1, len(completion) - 1))])
        for prompt, completion in firsts
    ]
