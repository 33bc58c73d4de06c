"""AdamW and the step that every learner engine takes: clip, check, update."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from reasonrl.errors import EngineError

MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What AdamW keeps for each parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSettings:
    """Hold AdamW's constants. The learning rate comes with each update."""

    betas: tuple[float, float]
    epsilon: float
    weight_decay: float
    max_gradient_norm: float


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
    optimizer: torch.optim.Optimizer,
    parameters: Iterable[nn.Parameter],
    settings: OptimizerSettings,
    learning_rate: float,
) -> float:
    """Clip the gradient, take one optimizer step, return the norm before clipping.

    Raises EngineError when the norm is not finite; the weights are then untouched.
    """
    norm: Tensor = nn.utils.clip_grad_norm_(parameters, settings.max_gradient_norm)
    if isinstance(norm, DTensor):
        norm = norm.full_tensor()
    if not torch.isfinite(norm):
        raise EngineError(
            f"the gradient norm is {float(norm)}",
            expected="a finite number",
            remedy="lower the learning rate; the last checkpoint is from before this step",
        )
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.step()
    return float(norm)
