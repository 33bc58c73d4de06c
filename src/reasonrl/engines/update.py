"""What all learner engines share: values at tokens, the loss on part of a batch, one AdamW step.

A batch holds its arrays in token order; an engine passes the indices of the tokens it computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from reasonrl.algo.logprobs import token_entropies, token_logprobs
from reasonrl.algo.loss import Objective, TokenSums, loss_sum
from reasonrl.engines.protocols import SUMS, RouterStats, TokenValue, TrainBatch
from reasonrl.errors import EngineError, NotFiniteError
from reasonrl.models.routing import Routing, balance_factor
from reasonrl.types import Logprobs

T = TypeVar("T")

MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""The names of the tensors that AdamW keeps for each parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSettings:
    """AdamW's constants, and how the local engine keeps its state (`local.optimizer`).

    The learning rate comes with each update.
    """

    betas: tuple[float, float]
    epsilon: float
    weight_decay: float
    max_gradient_norm: float
    eight_bits: bool = False
    offload: bool = False
    splits: bool = False


def adamw(parameters: Iterable[nn.Parameter], settings: OptimizerSettings) -> torch.optim.AdamW:
    """Return a new optimizer, without moments."""
    return torch.optim.AdamW(
        parameters,
        betas=settings.betas,
        eps=settings.epsilon,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def take_step(
    step: Callable[[float], None],
    parameters: Iterable[nn.Parameter],
    settings: OptimizerSettings,
    learning_rate: float,
) -> float:
    """Clip the gradient, call `step` with the learning rate; return the norm before clipping.

    Raises NotFiniteError when the norm is not finite; the weights then stay as they were.
    """
    norm: Tensor = nn.utils.clip_grad_norm_(parameters, settings.max_gradient_norm)
    if isinstance(norm, DTensor):
        norm = norm.full_tensor()
    if not torch.isfinite(norm):
        raise NotFiniteError(f"the gradient norm is {float(norm)}")
    step(learning_rate)
    return float(norm)


def step_of(optimizer: torch.optim.Optimizer) -> Callable[[float], None]:
    """Return the function that takes a step of torch's optimizer with a learning rate."""

    def step(learning_rate: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        optimizer.step()

    return step


def move_moments(optimizer: torch.optim.Optimizer, device: str) -> None:
    """Move what an optimizer keeps for each parameter to a device."""
    for state in optimizer.state.values():
        for name, value in state.items():
            state[name] = value.to(device)


def learning_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that learn, by name: all, or the adapters where there are any."""
    return {name: value for name, value in module.named_parameters() if value.requires_grad}


def gradients_of(parameters: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """Return gradients by parameter, unsharded: a collective call where ranks share them."""
    return {
        name: value.grad.full_tensor() if isinstance(value.grad, DTensor) else value.grad
        for name, value in parameters.items()
        if value.grad is not None
    }


def value_at(what: TokenValue, temperature: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the function from logits [N, V] and tokens [N] to the tokens' values, [N]."""
    if what is TokenValue.ENTROPIES:
        return lambda logits_NV, _tokens_N: token_entropies(logits_NV, temperature)
    return lambda logits_NV, tokens_N: token_logprobs(logits_NV, tokens_N, temperature)


def check_not_empty(batch: TrainBatch) -> None:
    """Raise EngineError for a batch without tokens: its token mean does not exist."""
    if batch.n_tokens == 0:
        raise EngineError(
            "an update needs at least one trained token",
            remedy="skip the update of a step without a signal",
        )


def kept(reference: T | None) -> T:
    """Return the reference; raise EngineError when the engine keeps none."""
    if reference is None:
        raise EngineError("no reference policy was kept", remedy="set kl_coefficient above 0")
    return reference


def loss_at(
    index_N: np.ndarray,
    batch: TrainBatch,
    objective: Objective,
    *,
    logprobs_N: Tensor,
    entropy_N: Tensor,
    advantages_N: Tensor,
) -> tuple[Tensor, TokenSums]:
    """Return the loss, summed over the batch's tokens at `index_N`, and the sums to record.

    A batch without `old_logprobs_N` uses the policy's own, so the ratio is exactly 1.
    """
    device = logprobs_N.device
    old_N = _at(batch.old_logprobs_N, index_N, device)
    return loss_sum(
        objective,
        logprobs_N=logprobs_N,
        entropy_N=entropy_N,
        old_logprobs_N=logprobs_N.detach() if old_N is None else old_N,
        advantages_N=advantages_N,
        ref_logprobs_N=_at(batch.ref_logprobs_N, index_N, device),
        weights_N=_at(batch.weights_N, index_N, device),
        anchors_N=_at(batch.anchors_N, index_N, device),
    )


def router_weight(module: nn.Module, objective: Objective) -> float:
    """Return the factor of the routers' loss: the model's own, or 0 where it is not asked for."""
    return balance_factor(cast(Any, module).config) if objective.balances_routers else 0.0


def router_stats(routing: Routing | None) -> RouterStats | None:
    """Return what is recorded of an update's routing; None for a model without experts."""
    if routing is None:
        return None
    chosen_YE = routing.chosen_YE
    return RouterStats(
        balance_loss=float(routing.balance_loss),
        busiest_share=float((chosen_YE / chosen_YE.sum(1, keepdim=True).clamp(min=1)).max()),
        idle_share=float((chosen_YE == 0).float().mean()),
    )


def as_row(sums: TokenSums) -> Tensor:
    """Return sums as one row in the order of `SUMS`, so that rows can be added up."""
    return torch.stack([getattr(sums, name) for name in SUMS])


def zero_row(device: str) -> Tensor:
    """Return the row of no tokens."""
    return torch.zeros(len(SUMS), dtype=torch.float64, device=device)


def by_name(row: Tensor) -> dict[str, float]:
    """Return the numbers of a row by the names of their sums."""
    return dict(zip(SUMS, row.tolist(), strict=True))


def _at(values_N: Logprobs | None, index_N: np.ndarray, device: torch.device) -> Tensor | None:
    return None if values_N is None else torch.as_tensor(values_N[index_N], device=device)
