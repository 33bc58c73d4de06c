"""The local engine's AdamW, and how it keeps weights and moments between two steps.

Every step is taken in float32, so the settings decide about memory and about little else:

- plainly: weights and moments in float32, 4 + 8 bytes a parameter;
- `offload`: moments wait in the host's memory and come to the GPU one parameter at a time. The
  arithmetic is the same, and so is every bit of the result;
- `eight_bits`: moments wait as 8-bit codes of blocks (Dettmers et al. 2022), 2 bytes a parameter;
- `splits`: a matrix of the decoder is a bfloat16 tensor, with which its layer computes, and the 16
  bits that were cut off. Together they are the float32 weight, and no second copy is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from reasonrl.engines.local.codes import Codes, from_codes, to_codes
from reasonrl.engines.update import OptimizerSettings
from reasonrl.engines.weights import CODED_MOMENT, MOMENT, WEIGHT
from reasonrl.models.lora import is_layer_matrix

_FIRST, _SECOND, _STEP = "exp_avg", "exp_avg_sq", "step"


@dataclass(slots=True, kw_only=True, eq=False)
class _Moments:
    """The moments of one parameter, and the number of its steps."""

    step: Tensor
    first: Tensor | Codes
    second: Tensor | Codes


class Optimizer:
    """AdamW over the parameters of one module, by name."""

    def __init__(self, parameters: Mapping[str, nn.Parameter], settings: OptimizerSettings) -> None:
        self._parameters = parameters
        self._settings = settings
        self._moments: dict[str, _Moments] = {}
        self._low: dict[str, Tensor] = {}
        if settings.splits:
            for name, parameter in parameters.items():
                if is_layer_matrix(name, parameter):
                    self._split(name, parameter.detach())
                    parameter.grad_dtype = torch.float32

    def zero_grad(self, *, keeps_memory: bool) -> None:
        """Drop the gradients, or fill them with zeros: new pages cost more than writing zeros."""
        for parameter in self._parameters.values():
            if keeps_memory and parameter.grad is not None:
                parameter.grad.zero_()
            else:
                parameter.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Take a step on the gradients as they are; a parameter that never had any stays.

        A parameter that had some before has a gradient of zeros: an expert to which no token goes
        moves on by its moments, in a resumed run as in an uninterrupted one.
        """
        names = [
            name
            for name, value in self._parameters.items()
            if value.grad is not None or name in self._moments
        ]
        settings = self._settings
        alone = settings.offload or settings.eight_bits or settings.splits
        for group in [[name] for name in names] if alone else [names]:
            self._step(group, learning_rate)

    def _step(self, names: list[str], learning_rate: float) -> None:
        weights = [self.weight(name) for name in names]
        opened = [self._open(name) for name in names]
        adamw(
            weights,
            [_gradient(self._parameters[name]) for name in names],
            [first for _, first, _ in opened],
            [second for _, _, second in opened],
            [],
            [step for step, _, _ in opened],
            fused=True,
            amsgrad=False,
            maximize=False,
            lr=learning_rate,
            beta1=self._settings.betas[0],
            beta2=self._settings.betas[1],
            eps=self._settings.epsilon,
            weight_decay=self._settings.weight_decay,
        )
        for name, weight, (step, first, second) in zip(names, weights, opened, strict=True):
            if name in self._low:
                self._split(name, weight)
            self._close(name, step, first, second)

    def _open(self, name: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return a parameter's steps and moments in float32, beside the parameter."""
        parameter = self._parameters[name]
        device = parameter.device
        if name not in self._moments:
            first, second = (torch.zeros_like(parameter, dtype=torch.float32) for _ in range(2))
            return torch.zeros((), device=device), first, second
        kept = self._moments[name]
        first, second = (
            from_codes(moment.to(str(device))) if isinstance(moment, Codes) else moment.to(device)
            for moment in (kept.first, kept.second)
        )
        return kept.step.to(device), first, second

    def _close(self, name: str, step: Tensor, first: Tensor, second: Tensor) -> None:
        """Keep a parameter's steps and moments as the settings say."""
        device = "cpu" if self._settings.offload else str(first.device)
        if self._settings.eight_bits:
            codes = (to_codes(first, is_signed=True), to_codes(second, is_signed=False))
            kept = _Moments(step=step, first=codes[0].to(device), second=codes[1].to(device))
        else:
            kept = _Moments(step=step, first=first.to(device), second=second.to(device))
        self._moments[name] = kept

    # weights

    def weight(self, name: str) -> Tensor:
        """Return a parameter's float32 weight: the parameter itself, or both parts of it."""
        high = self._parameters[name].detach()
        if name not in self._low:
            return high
        bits = (high.view(torch.int16).to(torch.int32) << 16) + self._low[name]
        return bits.view(torch.float32)

    def set_weight(self, name: str, weight: Tensor) -> None:
        """Write a parameter's float32 weight."""
        if name in self._low:
            self._split(name, weight.to(self._parameters[name].device))
        else:
            self._parameters[name].detach().copy_(weight)

    def _split(self, name: str, weight: Tensor) -> None:
        """Keep a float32 weight as its bfloat16 neighbour, and what is missing to it, in 16 bits.

        A weight half way between two neighbours goes to the larger one.
        """
        bits = weight.view(torch.int32)
        high = (bits + (1 << 15)) >> 16
        self._low[name] = (bits - (high << 16)).to(torch.int16)
        self._parameters[name].data = high.to(torch.int16).view(torch.bfloat16)

    # state

    def move(self, device: str) -> None:
        """Move to a device; offloaded moments stay with the host."""
        self._low = {name: low.to(device) for name, low in self._low.items()}
        if self._settings.offload:
            return
        for kept in self._moments.values():
            kept.step = kept.step.to(device)
            kept.first, kept.second = kept.first.to(device), kept.second.to(device)

    def reset(self) -> None:
        """Drop the moments: the next step is that of a new optimizer."""
        self._moments = {}

    def state(self) -> Iterator[tuple[str, Tensor]]:
        """Yield weights, and moments as they are kept, by the names of a checkpoint."""
        prefix = CODED_MOMENT if self._settings.eight_bits else MOMENT
        for name in self._parameters:
            yield WEIGHT + name, self.weight(name)
            if (kept := self._moments.get(name)) is None:
                continue
            yield f"{prefix}{_STEP}.{name}", kept.step
            for moment, value in ((_FIRST, kept.first), (_SECOND, kept.second)):
                if isinstance(value, Codes):
                    yield f"{prefix}{moment}_scales.{name}", value.scales_B
                    value = value.codes_N
                yield f"{prefix}{moment}.{name}", value

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take weights, and moments in whatever form they were kept, from a checkpoint."""
        self.reset()
        for name, parameter in self._parameters.items():
            self.set_weight(name, state[WEIGHT + name])
            device = parameter.device
            if (key := f"{MOMENT}{_STEP}.{name}") in state:
                first, second = (
                    state[f"{MOMENT}{moment}.{name}"].to(device, copy=True)
                    for moment in (_FIRST, _SECOND)
                )
                self._close(name, state[key].to(device, copy=True), first, second)
            elif (key := f"{CODED_MOMENT}{_STEP}.{name}") in state:
                self._load_codes(name, state, state[key].to(device, copy=True))

    def _load_codes(self, name: str, state: Mapping[str, Tensor], step: Tensor) -> None:
        first, second = (
            Codes(
                codes_N=state[f"{CODED_MOMENT}{moment}.{name}"].to(step.device, copy=True),
                scales_B=state[f"{CODED_MOMENT}{moment}_scales.{name}"].to(step.device, copy=True),
                is_signed=moment == _FIRST,
            )
            for moment in (_FIRST, _SECOND)
        )
        if not self._settings.eight_bits:
            self._close(name, step, from_codes(first), from_codes(second))
            return
        device = "cpu" if self._settings.offload else str(step.device)
        self._moments[name] = _Moments(step=step, first=first.to(device), second=second.to(device))


def _gradient(parameter: nn.Parameter) -> Tensor:
    if parameter.grad is None:
        return torch.zeros_like(parameter, dtype=torch.float32)
    return parameter.grad
