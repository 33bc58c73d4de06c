"""The local engine: one module samples and learns, in one process, on a CPU or one GPU.

It implements both protocols. Sampler and learner share their weights, so `load_weights` only sets
the version, and `rollout_logprobs` equal `old_logprobs` up to float32 rounding.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Self

import numpy as np
from torch import Tensor

from reasonrl.algo.loss import Objective, TokenSums
from reasonrl.engines.checksums import Checksums
from reasonrl.engines.local.computation import Computation, computation_of
from reasonrl.engines.local.optimizer import Optimizer
from reasonrl.engines.local.rows import SamplingJob
from reasonrl.engines.local.scoring import own_checksums, score_batch, score_pairs
from reasonrl.engines.packing import Microbatch, microbatches
from reasonrl.engines.process import free_blocks
from reasonrl.engines.protocols import Finished, Progress, TokenValue, TrainBatch, UpdateStats
from reasonrl.engines.tensor_files import check_names, read_whole, write_whole
from reasonrl.engines.update import (
    OptimizerSettings,
    as_row,
    by_name,
    check_not_empty,
    gradients_of,
    kept,
    learning_parameters,
    loss_at,
    router_stats,
    router_weight,
    take_step,
    zero_row,
)
from reasonrl.engines.weights import COMPUTE_DTYPES, WEIGHT, Compute, LiveTensors, Weights
from reasonrl.errors import EngineError
from reasonrl.models import layers
from reasonrl.models.hf import LanguageModel
from reasonrl.models.lora import has_adapters, store_frozen, without_adapters
from reasonrl.models.routing import Routing, total
from reasonrl.types import Completion, Logprobs, Prompt, Sampling, Tokens


class LocalEngine:
    """Sample and learn on one module.

    `token_budget` bounds the tokens of a microbatch, `max_rows` the rollouts sampled side by side;
    both trade memory for speed and change no result beyond rounding. So does `recompute`: it keeps
    one tensor per layer for the backward pass and computes the others again. The layers compute in
    `compute`; weights, their gradients, the head and the optimizer stay float32. With `packs` the
    matrices beside adapters are kept in 4 bits. The model moves to `device`, if one is given.
    """

    def __init__(
        self,
        model: LanguageModel,
        optimizer: OptimizerSettings,
        *,
        token_budget: int,
        max_rows: int,
        compute: Compute = "float32",
        recompute: bool = False,
        keep_reference: bool = False,
        reference: LanguageModel | None = None,
        packs: bool = False,
        device: str | None = None,
    ) -> None:
        dtype = COMPUTE_DTYPES[compute]
        device = device or str(model.device)
        self._computation = computation_of(model, dtype)
        self.model = self._computation.model
        self._is_adapted = has_adapters(model.module)
        if packs:
            layers.pack_frozen(model.module, device)
        if self._is_adapted:
            store_frozen(model.module, dtype)
        self.token_budget = token_budget
        self.max_rows = max_rows
        self.version = 0
        self._settings = optimizer
        # A model moves once it has its last form, which may be a fraction of its first one.
        self._device = device
        model.module.to(device)
        self._reference: Computation | None = None
        if reference is not None:
            self._reference = _frozen(computation_of(reference, dtype))
            reference.module.to(device)
        elif keep_reference and self._is_adapted:
            # Without its adapters the model is the one that training started from.
            self._reference = self._computation
        elif keep_reference:
            self._reference = _frozen(copy.deepcopy(self._computation))
        if recompute:
            layers.recompute_activations(model.module)
        self._parameters = learning_parameters(model.module)
        self._optimizer = Optimizer(self._parameters, optimizer)
        free_blocks(device)

    # sampling

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, *, on_finished: Finished | None = None
    ) -> list[list[Completion]]:
        return self._computation.sample(
            SamplingJob(
                prompts=prompts,
                sampling=sampling,
                max_rows=self.max_rows,
                token_budget=self.token_budget,
                version=self.version,
                on_finished=on_finished,
            )
        )

    def score(
        self, pairs: Sequence[tuple[Tokens, Tokens]], *, temperature: float
    ) -> list[Logprobs]:
        return score_pairs(self._computation, pairs, temperature, token_budget=self.token_budget)

    def checksums(self) -> Checksums:
        return own_checksums(self.model)

    def load_weights(self, weights: Weights, *, version: int) -> None:
        if not (
            isinstance(weights.tensors, LiveTensors) and weights.tensors.are_of(self.model.module)
        ):
            raise EngineError(
                "the local engine was given another module's weights",
                expected="its own weights(): sampler and learner share one module",
            )
        self.version = version

    # learning

    def at_tokens(self, batch: TrainBatch, what: TokenValue, *, temperature: float) -> Logprobs:
        is_reference = what is TokenValue.REFERENCE_LOGPROBS
        computation = kept(self._reference) if is_reference else self._computation
        with without_adapters(computation.model.module) if is_reference else nullcontext():
            return score_batch(
                computation, batch, what, temperature=temperature, token_budget=self.token_budget
            )

    def update(
        self,
        batch: TrainBatch,
        objective: Objective,
        *,
        learning_rate: float,
        progress: Progress | None = None,
    ) -> UpdateStats:
        check_not_empty(batch)
        self._optimizer.zero_grad(keeps_memory=True)
        logprobs_N, entropies_N = np.empty((2, batch.n_tokens), dtype=np.float32)
        sums: list[TokenSums] = []
        routings: list[Routing] = []
        n_microbatches = 0
        for micro in self._microbatches(batch):
            n_microbatches += 1
            part_sums, routing = self._backward(micro, batch, objective, logprobs_N, entropies_N)
            sums.extend(part_sums)
            routings += [routing] if routing else []
            if progress:
                progress(micro.n_rollouts)
        with layers.writing_weights(self.model.module):
            gradient_norm = take_step(
                self._optimizer.step, self._parameters.values(), self._settings, learning_rate
            )
        return UpdateStats.of(
            batch,
            by_name(sum(map(as_row, sums), zero_row(self._device))),
            n_microbatches=n_microbatches,
            gradient_norm=gradient_norm,
            logprobs_N=logprobs_N,
            entropies_N=entropies_N,
            routers=router_stats(total(routings)),
        )

    def _backward(
        self,
        micro: Microbatch,
        batch: TrainBatch,
        objective: Objective,
        logprobs_N: Logprobs,
        entropies_N: Logprobs,
    ) -> tuple[list[TokenSums], Routing | None]:
        """Add a microbatch's gradient of loss_sum / n_tokens; write its part of the arrays."""
        sums = []

        def chunk_loss(part: slice, logprobs: Tensor, entropy: Tensor) -> Tensor:
            index = micro.index_N[part].cpu().numpy()
            logprobs_N[index] = logprobs.detach().cpu().numpy()
            entropies_N[index] = entropy.detach().cpu().numpy()
            loss, part_sums = loss_at(
                index,
                batch,
                objective,
                logprobs_N=logprobs,
                entropy_N=entropy,
                advantages_N=micro.advantages_N[part],
            )
            sums.append(part_sums)
            return loss / batch.n_tokens

        routing = self._computation.backward(
            micro,
            objective.temperature,
            chunk_loss,
            router_weight=router_weight(self.model.module, objective)
            * len(micro.targets_N)
            / batch.n_tokens,
        )
        return sums, routing

    def _microbatches(self, batch: TrainBatch) -> Iterator[Microbatch]:
        return microbatches(batch, token_budget=self.token_budget, device=self._device)

    # state

    def gradients(self) -> dict[str, Tensor]:
        """Return the gradients of the last update by parameter, as far as they were not clipped."""
        return gradients_of(self._parameters)

    def weights(self) -> Weights:
        return Weights(
            tensors=LiveTensors(self.model.module, self._exact),
            version=self.version,
            dtype=self.model.compute,
        )

    def _exact(self, name: str, tensor: Tensor) -> Tensor:
        """Return a weight with the bits that its parameter alone does not have."""
        return self._optimizer.weight(name) if name in self._parameters else tensor

    def save(self, directory: Path) -> None:
        # One at a time leaves the GPU, where split weights exist in two halves only.
        write_whole(directory, {name: value.cpu() for name, value in self._optimizer.state()})

    def load(self, directory: Path, *, with_moments: bool = True) -> None:
        state = read_whole(directory)
        if not with_moments:
            state = {name: value for name, value in state.items() if name.startswith(WEIGHT)}
        self.load_state_dict(state, where=directory)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors of weights and moments by flat names."""
        return dict(self._optimizer.state())

    def load_state_dict(self, state: Mapping[str, Tensor], *, where: Path | None = None) -> None:
        check_names(state, self._parameters, where=where)
        with layers.writing_weights(self.model.module):
            self._optimizer.load(state)

    def reset_optimizer(self) -> None:
        self._optimizer.reset()

    def rest(self) -> None:
        """Leave the GPU to a sampler: weights and moments wait in the host's memory."""
        self._move("cpu")

    def return_to_work(self) -> None:
        self._move(self._device)

    def _move(self, device: str) -> None:
        self._optimizer.zero_grad(keeps_memory=False)
        for computation in filter(None, (self._computation, self._reference)):
            module = computation.model.module
            with layers.writing_weights(module):
                module.to(device)
        self._optimizer.move(device)
        free_blocks(self._device)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing: this engine holds nothing outside its process."""


def _frozen(computation: Computation) -> Computation:
    """Return the computation of a model that never learns."""
    model = computation.model
    store_frozen(model.module.requires_grad_(False), model.compute)
    return computation
