"""The local engine: one module samples and learns, in one process, on a CPU or one GPU.

It serves both protocols. Since sampler and learner share their weights, `load_weights` only counts
versions, and `rollout_logprobs` equal `old_logprobs` up to float32 rounding.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal, Self

import numpy as np
import psutil
import torch
from torch import Tensor

from reasonrl.algo.head import backward_through_head, chunks
from reasonrl.algo.logprobs import token_logprobs
from reasonrl.algo.loss import Objective, TokenSums, loss_sum
from reasonrl.engines.local.packing import Microbatch, microbatches
from reasonrl.engines.local.sampling import sample_groups
from reasonrl.engines.protocols import Finished, Progress, TrainBatch, TrainGroup, UpdateStats
from reasonrl.engines.weights import Weights
from reasonrl.errors import CheckpointError, EngineError
from reasonrl.models import layers
from reasonrl.models.hf import LanguageModel
from reasonrl.types import Completion, Logprobs, Prompt, Sampling, Tokens

_WEIGHT, _MOMENT = "weight.", "adam."


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSettings:
    """Hold AdamW's constants. The learning rate comes with each update."""

    betas: tuple[float, float]
    epsilon: float
    weight_decay: float
    max_gradient_norm: float


class LocalEngine:
    """Sample and learn on one module.

    `token_budget` bounds the tokens of a microbatch, `max_rows` the rollouts sampled side by side;
    both trade memory for speed and change no result beyond rounding. So does `recompute`: it keeps
    one tensor a layer for the backward pass and computes the others again. `compute` is what the
    layers calculate in; weights, their gradients, the head and the optimizer stay float32.
    """

    def __init__(
        self,
        model: LanguageModel,
        optimizer: OptimizerSettings,
        *,
        token_budget: int,
        max_rows: int,
        compute: Literal["float32", "bfloat16"] = "float32",
        recompute: bool = False,
        keep_reference: bool = False,
    ) -> None:
        dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[compute]
        layers.exchange(model.module, dtype)
        self.model = replace(model, compute=dtype)
        self.token_budget = token_budget
        self.max_rows = max_rows
        self.version = 0
        self._settings = optimizer
        self._device = str(model.head.device)
        self._reference = (
            replace(self.model, module=copy.deepcopy(model.module)) if keep_reference else None
        )
        if recompute:
            layers.recompute_activations(model.module)
        self._parameters = dict(model.module.named_parameters())
        self.reset_optimizer()

    # sampling

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, *, on_finished: Finished | None = None
    ) -> list[list[Completion]]:
        return sample_groups(
            self.model,
            prompts,
            sampling,
            max_rows=self.max_rows,
            token_budget=self.token_budget,
            version=self.version,
            on_finished=on_finished,
        )

    def score(
        self, pairs: Sequence[tuple[Tokens, Tokens]], *, temperature: float
    ) -> list[Logprobs]:
        groups = tuple(
            TrainGroup(prompt=prompt, completions=(completion,), advantages=(0.0,))
            for prompt, completion in pairs
        )
        lengths = [len(completion) for _, completion in pairs]
        batch = TrainBatch(
            groups=groups, rollout_logprobs_N=np.zeros(sum(lengths), dtype=np.float32)
        )
        flat = self.logprobs(batch, temperature=temperature)
        return np.split(flat, np.cumsum(lengths)[:-1])

    def load_weights(self, weights: Weights, *, version: int) -> None:
        own = self.model.module.state_dict()
        for name, tensor in weights.tensors.items():
            if own[name].data_ptr() != tensor.data_ptr():
                raise EngineError(
                    "the local engine was sent another module's weights",
                    where=name,
                    expected="the learner's own tensors: both sides share one module here",
                )
        self.version = version

    # learning

    def logprobs(self, batch: TrainBatch, *, temperature: float) -> Logprobs:
        return self._score(self.model, batch, temperature)

    def reference_logprobs(self, batch: TrainBatch, *, temperature: float) -> Logprobs:
        if self._reference is None:
            raise EngineError("no reference policy was kept", remedy="set kl_coefficient above 0")
        return self._score(self._reference, batch, temperature)

    @torch.no_grad()
    def _score(self, model: LanguageModel, batch: TrainBatch, temperature: float) -> Logprobs:
        found = np.empty(batch.n_tokens, dtype=np.float32)
        for micro in self._microbatches(batch):
            hidden_ND = _hidden(model, micro)
            for part in chunks(len(micro.targets_N)):
                logits = hidden_ND[part] @ model.head.T
                logprobs = token_logprobs(logits, micro.targets_N[part], temperature)
                found[micro.index_N[part].cpu().numpy()] = logprobs.cpu().numpy()
        return found

    def update(
        self,
        batch: TrainBatch,
        objective: Objective,
        *,
        learning_rate: float,
        progress: Progress | None = None,
    ) -> UpdateStats:
        if batch.n_tokens == 0:
            raise EngineError("an update needs at least one trained token")
        self._optimizer.zero_grad(set_to_none=False)  # kept: new pages cost more than zeros
        logprobs_N = np.empty(batch.n_tokens, dtype=np.float32)
        sums: list[TokenSums] = []
        n_microbatches = 0
        for micro in self._microbatches(batch):
            n_microbatches += 1
            sums.extend(self._backward(micro, batch, objective, logprobs_N))
            if progress:
                progress(micro.n_rollouts)
        gradient_norm = self._step(learning_rate)
        return UpdateStats(
            n_tokens=batch.n_tokens,
            n_microbatches=n_microbatches,
            policy_sum=sum(float(part.policy) for part in sums),
            entropy_sum_nats=sum(float(part.entropy) for part in sums),
            kl_sum=sum(float(part.kl) for part in sums),
            ratio_sum=sum(float(part.ratio) for part in sums),
            clipped_sum=sum(float(part.clipped) for part in sums),
            gradient_norm=gradient_norm,
            logprobs_N=logprobs_N,
        )

    def _backward(
        self, micro: Microbatch, batch: TrainBatch, objective: Objective, logprobs_N: Logprobs
    ) -> list[TokenSums]:
        """Add one microbatch's gradient of loss_sum / n_tokens; fill in its log-probabilities."""
        hidden_ND = _hidden(self.model, micro)
        sums = []

        def chunk_loss(part: slice, logprobs: Tensor, entropy: Tensor) -> Tensor:
            index = micro.index_N[part].cpu().numpy()
            logprobs_N[index] = logprobs.detach().cpu().numpy()
            old = self._given(batch.old_logprobs_N, index)
            loss, part_sums = loss_sum(
                objective,
                logprobs_N=logprobs,
                entropy_N=entropy,
                old_logprobs_N=logprobs.detach() if old is None else old,
                advantages_N=micro.advantages_N[part],
                ref_logprobs_N=self._given(batch.ref_logprobs_N, index),
            )
            sums.append(part_sums)
            return loss / batch.n_tokens

        at_hidden_ND = backward_through_head(
            hidden_ND.detach(),
            self.model.head,
            micro.targets_N,
            objective.temperature,
            chunk_loss,
        )
        hidden_ND.backward(at_hidden_ND)  # type: ignore[no-untyped-call]
        return sums

    def _step(self, learning_rate: float) -> float:
        """Clip the gradient, take one optimizer step, return the norm before clipping."""
        norm = torch.nn.utils.clip_grad_norm_(
            self._parameters.values(), self._settings.max_gradient_norm
        )
        if not torch.isfinite(norm):
            raise EngineError(
                f"the gradient norm is {float(norm)}",
                expected="a finite number",
                remedy="lower the learning rate; the last checkpoint is from before this step",
            )
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._optimizer.step()
        layers.forget_copies(self.model.module)
        return float(norm)

    def _microbatches(self, batch: TrainBatch) -> Iterator[Microbatch]:
        return microbatches(batch, token_budget=self.token_budget, device=self._device)

    def _given(self, values_N: Logprobs | None, index: np.ndarray) -> Tensor | None:
        return None if values_N is None else torch.as_tensor(values_N[index], device=self._device)

    # state

    def weights(self) -> Weights:
        return Weights(tensors=self.model.module.state_dict(), version=self.version)

    def state_dict(self) -> dict[str, Tensor]:
        state = {_WEIGHT + name: value.detach() for name, value in self._parameters.items()}
        for name, parameter in self._parameters.items():
            for moment, value in self._optimizer.state.get(parameter, {}).items():
                state[f"{_MOMENT}{moment}.{name}"] = value
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        expected = {_WEIGHT + name for name in self._parameters}
        if missing := expected - state.keys():
            raise CheckpointError(
                f"{len(missing)} weights are missing, {min(missing)} among them",
                remedy="the checkpoint belongs to another model",
            )
        self.reset_optimizer()
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                parameter.copy_(state[_WEIGHT + name])
                moments = {
                    moment: state[key].to(parameter.device, copy=True)
                    for moment in ("step", "exp_avg", "exp_avg_sq")
                    if (key := f"{_MOMENT}{moment}.{name}") in state
                }
                if moments:
                    self._optimizer.state[parameter] = moments
        layers.forget_copies(self.model.module)

    def reset_optimizer(self) -> None:
        settings = self._settings
        self._optimizer = torch.optim.AdamW(
            self._parameters.values(),
            betas=settings.betas,
            eps=settings.epsilon,
            weight_decay=settings.weight_decay,
            fused=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hold nothing that outlives the process."""


def _hidden(model: LanguageModel, micro: Microbatch) -> Tensor:
    """Return the hidden states that predict the microbatch's targets, [N, D]."""
    positions = micro.layout.positions(micro.tokens_1L.device)
    hidden_LD = model.hidden(micro.tokens_1L, positions, micro.layout)
    # index_select, not indexing: places repeat, and its backward adds them in a fixed order
    return hidden_LD.index_select(0, micro.predictors_N)


def use_threads(threads: int) -> int:
    """Set the threads of this process, 0 for all cores; return their number."""
    wanted = threads or psutil.cpu_count() or 1
    torch.set_num_threads(wanted)
    return wanted
