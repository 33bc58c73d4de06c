"""Leaner layers for a decoder: the same mathematics in less time and memory.

Hugging Face's modules keep every intermediate tensor for autograd and make each weight's gradient
as a new tensor before adding it. These layers keep only their inputs and add into `weight.grad` in
place. Parameters, their names and the results stay; only `forward` is exchanged. The embedding's
output decides the dtype that the layers compute in, float32 or bfloat16; parameters and their
gradients stay float32.

Wrappers that wait for autograd to deliver gradients (FSDP, DDP) do not see gradients that are added
in place, so an engine that uses such a wrapper must not call `exchange`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import FunctionCtx
from torch.nn.functional import silu
from torch.utils.checkpoint import checkpoint

from reasonrl.models.attention import Layout


def exchange(module: nn.Module, compute: torch.dtype) -> None:
    """Exchange the embedding, attention, norm and MLP layers of a decoder, in place."""
    body: Any = module.get_submodule("model")
    body.embed_tokens = _Embedding(body.embed_tokens.weight, compute)
    for layer in body.layers:
        layer.self_attn = _Attention(layer.self_attn)
        layer.mlp = _GatedMLP(layer.mlp)
        layer.input_layernorm = _norm(layer.input_layernorm)
        layer.post_attention_layernorm = _norm(layer.post_attention_layernorm)
    body.norm = _norm(body.norm)


def recompute_activations(module: nn.Module) -> None:
    """Let every decoder layer keep only its input, and run again in the backward pass."""
    body: Any = module.get_submodule("model")
    for layer in body.layers:
        layer.forward = partial(_checkpointed, layer.forward)


def _checkpointed(forward: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
    if not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    out: Tensor = checkpoint(forward, *args, use_reentrant=False, **kwargs)
    return out


def gradient_of(weight: Tensor) -> Tensor:
    """Return the tensor that accumulates a weight's gradient; it starts as zeros."""
    if weight.grad is None:
        weight.grad = torch.zeros_like(weight)
    return weight.grad


@contextmanager
def writing_weights(module: nn.Module) -> Iterator[None]:
    """Write a module's weights in this context; at its end the layers drop their bfloat16 copies.

    Every write needs it: fused optimizers do not count up a tensor's version, so no layer can
    notice by itself that its copy is stale.
    """
    try:
        with torch.no_grad():
            yield
    finally:
        for layer in module.modules():
            if isinstance(layer, _Layer):
                layer.copy = None


class _Layer(nn.Module):
    """A weight and, when computing in bfloat16, its copy, valid until `writing_weights`."""

    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight
        self.copy: Tensor | None = None

    def cast(self, dtype: torch.dtype) -> Tensor:
        if self.weight.dtype == dtype:
            return self.weight.detach()
        if self.copy is None:
            self.copy = self.weight.detach().to(dtype)
        return self.copy


class _Embedding(_Layer):
    def __init__(self, weight: nn.Parameter, compute: torch.dtype) -> None:
        super().__init__(weight)
        self.compute = compute

    def forward(self, tokens: Tensor) -> Tensor:
        out = _run(_Lookup, self.weight, tokens)
        return out.to(self.compute)


class _Linear(_Layer):
    def __init__(self, weight: nn.Parameter, bias: nn.Parameter | None) -> None:
        super().__init__(weight)
        self.bias = bias

    def forward(self, x: Tensor) -> Tensor:
        out = _run(_Product, x, self.weight, self.cast(x.dtype))
        return out if self.bias is None else out + self.bias.to(x.dtype)


class _Attention(nn.Module):
    """Project, rotate by position, and attend as the layout decides."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.layer_idx, self.head_dim = attention.layer_idx, attention.head_dim
        self.scaling = attention.scaling
        self.q_proj, self.k_proj = _linear(attention.q_proj), _linear(attention.k_proj)
        self.v_proj, self.o_proj = _linear(attention.v_proj), _linear(attention.o_proj)
        if hasattr(attention, "q_norm"):  # Qwen3
            self.q_norm, self.k_norm = _norm(attention.q_norm), _norm(attention.k_norm)

    def forward(
        self,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        layout: Layout,
        **_unused: object,  # masks and caches of other back ends
    ) -> tuple[Tensor, None]:
        heads = (*hidden_states.shape[:-1], -1, self.head_dim)
        query, key = (project(hidden_states).view(heads) for project in (self.q_proj, self.k_proj))
        value = self.v_proj(hidden_states).view(heads)
        if hasattr(self, "q_norm"):
            query, key = self.q_norm(query), self.k_norm(key)
        cos, sin = position_embeddings
        query, key = (
            _run(_Rotation, each, cos[:, :, None], sin[:, :, None]).transpose(1, 2)
            for each in (query, key)
        )
        out = layout.attend(self.layer_idx, query, key, value.transpose(1, 2), self.scaling)
        return self.o_proj(out.reshape(*hidden_states.shape[:-1], -1)), None


class _GatedMLP(nn.Module):
    def __init__(self, mlp: Any) -> None:
        super().__init__()
        self.gate_proj = _Linear(mlp.gate_proj.weight, None)
        self.up_proj = _Linear(mlp.up_proj.weight, None)
        self.down_proj = _Linear(mlp.down_proj.weight, None)

    def forward(self, x: Tensor) -> Tensor:
        layers = (self.gate_proj, self.up_proj, self.down_proj)
        weights = (layer.weight for layer in layers)
        casts = (layer.cast(x.dtype) for layer in layers)
        return _run(_GatedProduct, x, *weights, *casts)


class _Norm(_Layer):
    def __init__(self, weight: nn.Parameter, epsilon: float) -> None:
        super().__init__(weight)
        self.variance_epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return _run(_Normalise, x, self.weight, self.variance_epsilon)


def _run(function: type[Function], *args: object) -> Tensor:
    return cast(Tensor, function.apply(*args))  # type: ignore[no-untyped-call]


def _linear(module: Any) -> _Linear:
    return _Linear(module.weight, module.bias)


def _norm(module: Any) -> _Norm:
    return _Norm(module.weight, module.variance_epsilon)


# The functions. Each takes the float32 weight too, so that autograd asks for its gradient.


class _Lookup(Function):
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


class _Product(Function):
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


class _GatedProduct(Function):
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


class _Normalise(Function):
    """Return x / rms(x) * w, in float32 inside."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        wide = x.float()
        scale: Tensor = (torch.linalg.vecdot(wide, wide)[..., None] / x.shape[-1] + epsilon).rsqrt()
        ctx.save_for_backward(x, scale)
        ctx.weight = weight  # type: ignore[attr-defined]
        out = (wide * scale).mul_(weight)
        return out.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        x, scale = ctx.saved_tensors
        unit = x.float() * scale
        wide = g.float()
        gradient_of(ctx.weight).add_((wide * unit).flatten(0, -2).sum(0))
        at_unit = wide * ctx.weight
        shared = torch.linalg.vecdot(at_unit, unit)[..., None] / x.shape[-1]
        at_x = at_unit.sub_(unit.mul_(shared)).mul_(scale)
        return at_x.to(x.dtype), None, None


class _Rotation(Function):
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
    """Add g^T x, summed over tokens, to the weight's float32 gradient."""
    g_LN, x_LM = g.flatten(0, -2), x.flatten(0, -2)
    gradient = gradient_of(weight)
    if g.dtype == gradient.dtype:
        gradient.addmm_(g_LN.T, x_LM)
    else:
        gradient += g_LN.T @ x_LM
