"""Cut a batch into microbatches and lay each out as one row of tokens without padding.

A microbatch holds whole groups, or parts of groups when one is larger than the budget; each prompt
stands once in it. A completion's last token is a target only, so it is not fed in.
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
    """Name some consecutive completions of one group, and where their tokens start in the batch."""

    prompt: Tokens
    completions: tuple[Tokens, ...]
    advantages: tuple[float, ...]
    first_token: int

    @property
    def n_trained(self) -> int:
        return sum(len(completion) for completion in self.completions)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Microbatch:
    """Hold one packed row. `predictors_N` are the places in the row that predict `targets_N`;
    `index_N` are the targets' places among the batch's trained tokens."""

    tokens_1L: Tensor
    layout: PackedGroups
    predictors_N: Tensor
    targets_N: Tensor
    advantages_N: Tensor
    index_N: Tensor
    n_rollouts: int


def microbatches(batch: TrainBatch, *, token_budget: int, device: str) -> Iterator[Microbatch]:
    """Yield the batch in order, each microbatch at most `token_budget` tokens where one fits."""
    waiting: list[Piece] = []
    used = 0
    for piece in _pieces(batch, token_budget):
        size = _fed(piece)
        if waiting and used + size > token_budget:
            yield _pack(waiting, device)
            waiting, used = [], 0
        waiting.append(piece)
        used += size
    if waiting:
        yield _pack(waiting, device)


def _fed(piece: Piece) -> int:
    return len(piece.prompt) + piece.n_trained - len(piece.completions)


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


def _pack(pieces: Sequence[Piece], device: str) -> Microbatch:
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

    def long(parts: Sequence[object]) -> Tensor:
        return torch.as_tensor(np.concatenate(parts), dtype=torch.long, device=device)  # type: ignore[arg-type]

    return Microbatch(
        tokens_1L=long(rows)[None],
        layout=PackedGroups(branches),
        predictors_N=long(predictors),
        targets_N=long(targets),
        advantages_N=torch.as_tensor(np.concatenate(advantages), device=device),
        index_N=long(index),
        n_rollouts=sum(len(piece.completions) for piece in pieces),
    )
