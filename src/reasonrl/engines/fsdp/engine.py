"""One rank of the FSDP2 engine. Every method is collective: all ranks call it, with the same batch.

Each rank takes its share of the batch's tokens; sums and log-probabilities are added over ranks,
so that every rank returns the same result. Implements the learner's protocol, on CPUs with gloo
and on GPUs with nccl.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np
import torch
from torch import Tensor

from reasonrl.algo.loss import Objective, TokenSums
from reasonrl.engines.fsdp import policy, state
from reasonrl.engines.fsdp.ranks import Ranks
from reasonrl.engines.fsdp.sequence import RowPart, part_of
from reasonrl.engines.fsdp.weights import layout_of_module, pieces_of, weights_of
from reasonrl.engines.packing import Microbatch, pack, share_out
from reasonrl.engines.process import free_blocks
from reasonrl.engines.protocols import Progress, TokenValue, TrainBatch, UpdateStats
from reasonrl.engines.transfer import ShareLayout
from reasonrl.engines.update import (
    OptimizerSettings,
    adamw,
    as_row,
    by_name,
    check_not_empty,
    gradients_of,
    kept,
    learning_parameters,
    loss_at,
    move_moments,
    router_stats,
    router_weight,
    step_of,
    take_step,
    value_at,
    zero_row,
)
from reasonrl.engines.weights import COMPUTE_DTYPES, Compute, Weights
from reasonrl.models.heads import head_form
from reasonrl.models.hf import LanguageModel
from reasonrl.models.lora import has_adapters, without_adapters
from reasonrl.models.routing import Routing, total
from reasonrl.types import Logprobs

Build: TypeAlias = Callable[[], LanguageModel]
"""Makes a model: without its weights on every rank, with them on rank 0."""


class FsdpLearner:
    """A rank's share of policy and optimizer.

    `outline` returns the model on the meta device; `load` reads it, and only rank 0 calls it. The
    options are those of the local engine. `token_budget` bounds this rank's tokens of a microbatch:
    a row that `sequence_parallel` ranks share may be `sequence_parallel` times longer.
    """

    def __init__(
        self,
        outline: Build,
        load: Build,
        ranks: Ranks,
        optimizer: OptimizerSettings,
        *,
        token_budget: int,
        compute: Compute = "float32",
        recompute: bool = False,
        keep_reference: bool = False,
        reference: tuple[Build, Build] | None = None,
    ) -> None:
        self.version = 0
        self.ranks = ranks
        self.token_budget = token_budget
        self._compute = COMPUTE_DTYPES[compute]
        self._settings = optimizer

        def build(outline: Build, load: Build) -> torch.nn.Module:
            return policy.shard(outline(), load, ranks, compute=self._compute, recompute=recompute)

        self.module = build(outline, load)
        self._reference = None
        if keep_reference and has_adapters(self.module) and reference is None:
            # Without its adapters the policy is the one that training started from.
            self._reference = self.module
        elif keep_reference:
            self._reference = build(*(reference or (outline, load))).requires_grad_(False)
        self._parameters = learning_parameters(self.module)
        self.reset_optimizer()

    # learning

    @torch.no_grad()
    def at_tokens(self, batch: TrainBatch, what: TokenValue, *, temperature: float) -> Logprobs:
        is_reference = what is TokenValue.REFERENCE_LOGPROBS
        module = kept(self._reference) if is_reference else self.module
        work = policy.read(value_at(what, temperature), head_form(module.config))
        values_N = np.zeros(batch.n_tokens, dtype=np.float32)
        with without_adapters(module) if is_reference else nullcontext():
            for micro, part in self._rounds(batch):
                part_N = module(part, micro.targets_N[part.chosen_N], work=work)
                values_N[_batch_index(micro, part)] = part_N.cpu().numpy()
        if is_reference:
            # FSDP keeps the embedding and the head gathered, for a backward pass that never comes.
            policy.drop_gathered(module)
        return self._over_ranks(values_N)

    def update(
        self,
        batch: TrainBatch,
        objective: Objective,
        *,
        learning_rate: float,
        progress: Progress | None = None,
    ) -> UpdateStats:
        check_not_empty(batch)
        self._optimizer.zero_grad()
        logprobs_N, entropies_N = np.zeros((2, batch.n_tokens), dtype=np.float32)
        sums: list[TokenSums] = []
        routings: list[Routing] = []
        n_rounds = 0
        for micro, part in self._rounds(batch):
            n_rounds += 1
            self._backward(micro, part, batch, objective, (logprobs_N, entropies_N), sums, routings)
            if progress and self.ranks.part == 0:
                progress(micro.n_rollouts)
        with policy.writing_weights(self.module):
            gradient_norm = take_step(
                step_of(self._optimizer), self._parameters.values(), self._settings, learning_rate
            )
        rows = [zero_row(self.ranks.device), *map(as_row, sums)]
        return UpdateStats.of(
            batch,
            by_name(self.ranks.total(torch.stack(rows).sum(0))),
            n_microbatches=n_rounds,
            gradient_norm=gradient_norm,
            logprobs_N=self._over_ranks(logprobs_N),
            entropies_N=self._over_ranks(entropies_N),
            routers=router_stats(self.ranks.routing(total(routings))),
        )

    def _backward(
        self,
        micro: Microbatch,
        part: RowPart,
        batch: TrainBatch,
        objective: Objective,
        values: tuple[Logprobs, Logprobs],
        sums: list[TokenSums],
        routings: list[Routing],
    ) -> None:
        """Add the gradient of this rank's part; FSDP reduces it over ranks and shards it.

        The part's log-probabilities and entropies are written into the two arrays of `values`.
        FSDP takes the mean over ranks, but the objective has one global denominator, so the loss is
        multiplied by the number of ranks.
        """
        index_N = _batch_index(micro, part)
        logprobs_N, entropies_N = values
        advantages_N = micro.advantages_N[part.chosen_N]
        scale = self.ranks.world / batch.n_tokens

        def chunk_loss(block: slice, logprobs: Tensor, entropy: Tensor) -> Tensor:
            index = index_N[block]
            logprobs_N[index] = logprobs.detach().cpu().numpy()
            entropies_N[index] = entropy.detach().cpu().numpy()
            loss, block_sums = loss_at(
                index,
                batch,
                objective,
                logprobs_N=logprobs,
                entropy_N=entropy,
                advantages_N=advantages_N[block],
            )
            sums.append(block_sums)
            return loss * scale

        form = head_form(self.module.config)
        work = policy.learn(
            objective.temperature,
            chunk_loss,
            form,
            router_weight=router_weight(self.module, objective) * scale,
            on_routing=routings.append,
        )
        self.module(part, micro.targets_N[part.chosen_N], work=work).backward()

    def _rounds(self, batch: TrainBatch) -> Iterator[tuple[Microbatch, RowPart]]:
        """Yield this rank's part of every round, a padding row where it has no share."""
        ranks = self.ranks
        budget = self.token_budget * ranks.sequence_parallel
        for shares in share_out(batch, token_budget=budget, ranks=ranks.n_rows):
            micro = pack(
                shares[ranks.row], device=ranks.device, multiple_of=ranks.sequence_parallel
            )
            part = part_of(
                micro, part=ranks.part, parts=ranks.sequence_parallel, group=ranks.row_group
            )
            yield micro, part

    def _over_ranks(self, mine_N: Logprobs) -> Logprobs:
        """Return the values of all tokens; each token is computed by one rank and 0 elsewhere."""
        total = self.ranks.total(torch.as_tensor(mine_N, device=self.ranks.device))
        return total.cpu().numpy()

    # weights and state

    @property
    def device(self) -> str:
        return self.ranks.device

    def gradients(self) -> dict[str, Tensor]:
        """Return the gradients of the last update, unsharded, as far as they were not clipped."""
        return gradients_of(self._parameters)

    def weights(self) -> Weights:
        tensors = dict(weights_of(self.module, self._compute))
        return Weights(tensors=tensors, version=self.version)

    def layout(self) -> ShareLayout:
        """Return how the ranks hold what `pieces` yields; no collective call."""
        return layout_of_module(self.module, self._compute, ranks=self.ranks.world)

    def pieces(self, layout: ShareLayout) -> Iterator[dict[str, Tensor]]:
        """Yield this rank's rows of the weights by name, bucket by bucket, as samplers compute."""
        return pieces_of(self.module, layout, self._compute, rank=self.ranks.rank)

    def save(self, directory: Path) -> None:
        state.save(directory, self._parameters, self._optimizer)

    def load(self, directory: Path) -> None:
        stored = state.check(directory, self._parameters)
        self.reset_optimizer()
        with policy.writing_weights(self.module):
            state.load(
                directory, stored, self._parameters, self._optimizer, device=self.ranks.device
            )

    def reset_optimizer(self) -> None:
        self._optimizer = adamw(self._parameters.values(), self._settings)

    def rest(self) -> None:
        """Leave the GPU to the samplers: move this rank's share to the host's memory."""
        self._move("cpu")

    def return_to_work(self) -> None:
        self._move(self.ranks.device)

    def _move(self, device: str) -> None:
        self._optimizer.zero_grad()
        policy.move(self.module, device)
        if self._reference is not None and self._reference is not self.module:
            policy.move(self._reference, device)
        move_moments(self._optimizer, device)
        free_blocks(self.ranks.device)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.ranks.leave()


def _batch_index(micro: Microbatch, part: RowPart) -> np.ndarray:
    """Return the indices of a part's targets among the batch's trained tokens."""
    return micro.index_N[part.chosen_N].cpu().numpy()
