"""The forward and backward passes of the leaner layers, as functions of autograd.

Each function takes the float32 weight too, so that autograd asks for its gradient. The backward
pass adds the gradient into `weight.grad` in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import FunctionCtx
from torch.nn.functional import silu


def gradient_of(weight: Tensor) -> Tensor:
    """Return the tensor that accumulates a weight's gradient; it starts as zeros."""
    if weight.grad is None:
        weight.grad = torch.zeros_like(weight, dtype=torch.float32)
    return weight.grad


class Lookup(Function):
    """Return rows of the embedding; the backward pass touches these rows only."""

    @staticmethod
    def forward(ctx: FunctionCtx, weight_VD: Tensor, tokens: Tensor) -> Tensor:
        ctx.save_for_backward(tokens)
        ctx.weight = weight_VD  # type: ignore[attr-defined]
        return nn.functional.embedding(tokens, weight_VD)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[None, None]:
        (tokens,) = ctx.saved_tensors
        rows = g.flatten(0, -2)
        gradient_of(ctx.weight).index_add_(0, tokens.flatten(), rows.to(ctx.weight.dtype))
        return None, None


class Product(Function):
    """Return x W^T."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, cast: Tensor) -> Tensor:
        ctx.save_for_backward(x, cast)
        ctx.weight = weight  # type: ignore[attr-defined]
        return x @ cast.T

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        x, cast = ctx.saved_tensors
        _add_product(ctx.weight, g, x)
        return g @ cast, None, None


class ExpertProduct(Function):
    """Return x W_e^T for one of many experts; the backward pass touches W_e only.

    The weight is [E, O, I], or [E, I, O] where `is_transposed`.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, weight: Tensor, expert: int, is_transposed: bool
    ) -> Tensor:
        ctx.save_for_backward(x)
        ctx.weight, ctx.expert = weight, expert  # type: ignore[attr-defined]
        ctx.is_transposed = is_transposed  # type: ignore[attr-defined]
        matrix = weight[expert].to(x.dtype)
        return x @ (matrix if is_transposed else matrix.T)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None]:
        (x,) = ctx.saved_tensors
        if ctx.weight.requires_grad:
            gradient = gradient_of(ctx.weight)[ctx.expert]
            gradient += x.T @ g if ctx.is_transposed else g.T @ x
        matrix = ctx.weight[ctx.expert].to(g.dtype)
        return g @ (matrix.T if ctx.is_transposed else matrix), None, None, None


class FrozenProduct(Function):
    """Return x W^T for a frozen matrix, which is made anew for each pass and kept for none."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, matrix: Callable[[torch.dtype], Tensor]) -> Tensor:
        ctx.matrix = matrix  # type: ignore[attr-defined]
        return x @ matrix(x.dtype).T

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return g @ ctx.matrix(g.dtype), None


class GatedProduct(Function):
    """Return (silu(x G^T) * x U^T) D^T; only the two products are kept for the backward pass."""

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        x: Tensor,
        gate: Tensor,
        up: Tensor,
        down: Tensor,
        gate_cast: Tensor,
        up_cast: Tensor,
        down_cast: Tensor,
    ) -> Tensor:
        gated, raised = x @ gate_cast.T, x @ up_cast.T
        ctx.save_for_backward(x, gated, raised, gate_cast, up_cast, down_cast)
        ctx.weights = (gate, up, down)  # type: ignore[attr-defined]
        return silu(gated).mul_(raised) @ down_cast.T

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, gated, raised, gate_cast, up_cast, down_cast = ctx.saved_tensors
        gate, up, down = ctx.weights
        at_product = g @ down_cast
        active = silu(gated)
        at_raised = at_product * active
        _add_product(down, g, active.mul_(raised))
        at_gated = torch.ops.aten.silu_backward(at_product.mul_(raised), gated)
        _add_product(gate, at_gated, x)
        _add_product(up, at_raised, x)
        at_x = at_gated @ gate_cast
        at_x += at_raised @ up_cast
        return at_x, None, None, None, None, None, None


class Normalise(Function):
    """Return x / rms(x) * (w + shift), in float32 inside."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, weight: Tensor, epsilon: float, shift: float
    ) -> Tensor:
        wide = x.float()
        scale: Tensor = (torch.linalg.vecdot(wide, wide)[..., None] / x.shape[-1] + epsilon).rsqrt()
        ctx.save_for_backward(x, scale)
        ctx.weight, ctx.shift = weight, shift  # type: ignore[attr-defined]
        out = (wide * scale).mul_(weight + shift)
        return out.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None]:
        x, scale = ctx.saved_tensors
        unit = x.float() * scale
        wide = g.float()
        if ctx.weight.requires_grad:
            gradient_of(ctx.weight).add_((wide * unit).flatten(0, -2).sum(0))
        at_unit = wide * (ctx.weight + ctx.shift)
        shared = torch.linalg.vecdot(at_unit, unit)[..., None] / x.shape[-1]
        at_x = at_unit.sub_(unit.mul_(shared)).mul_(scale)
        return at_x.to(x.dtype), None, None, None


class WideAttention(Function):
    """Return the attention of narrow queries, keys and values, computed in float32.

    Only the inputs are kept; the backward pass computes the attention again.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attend: Callable[[Tensor, Tensor, Tensor], Tensor],
    ) -> Tensor:
        ctx.save_for_backward(query, key, value)
        ctx.attend = attend  # type: ignore[attr-defined]
        return attend(query.float(), key.float(), value.float()).to(query.dtype)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        wide = [each.detach().float().requires_grad_() for each in ctx.saved_tensors]
        with torch.enable_grad():
            out = ctx.attend(*wide)
        gradients = torch.autograd.grad(out, wide, g.float())
        return (*(each.to(g.dtype) for each in gradients), None)


class Rotation(Function):
    """Turn each pair (x_i, x_{i + D/2}) of a head by its position's angle."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _rotated(x, cos, sin, 1.0)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _rotated(g, cos, sin, -1.0), None, None


def _rotated(x: Tensor, cos: Tensor, sin: Tensor, direction: float) -> Tensor:
    half = x.shape[-1] // 2
    out = x * cos
    out[..., :half].addcmul_(x[..., half:], sin[..., :half], value=-direction)
    out[..., half:].addcmul_(x[..., :half], sin[..., half:], value=direction)
    return out


def _add_product(weight: Tensor, g: Tensor, x: Tensor) -> None:
    """Add g^T x, summed over tokens, to the float32 gradient of a weight that is not frozen."""
    if not weight.requires_grad:
        return
    g_LN, x_LM = g.flatten(0, -2), x.flatten(0, -2)
    gradient = gradient_of(weight)
    if g.dtype == gradient.dtype:
        gradient.addmm_(g_LN.T, x_LM)
    else:
        gradient += g_LN.T @ x_LM
