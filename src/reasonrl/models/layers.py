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
from torch.utils.checkpoint import checkpoint
from transformers.activations import SiLUActivation
from transformers.modeling_layers import GradientCheckpointingLayer

from reasonrl.models import experts
from reasonrl.models.attention import Layout
from reasonrl.models.families import Family, family_of
from reasonrl.models.four_bits import PackedLinear
from reasonrl.models.gradients import GatedProduct, Lookup, Normalise, Product, Rotation
from reasonrl.models.routing import chosen_experts
from reasonrl.models.scores import scores_of


def exchange(module: nn.Module, compute: torch.dtype) -> None:
    """Exchange the embedding, attention, norm and MLP layers of a decoder, in place."""
    body: Any = module.get_submodule("model")
    family = family_of(body.config)
    scale = float(body.config.hidden_size) ** 0.5 if family.scales_embeddings else 1.0
    body.embed_tokens = _Embedding(body.embed_tokens.weight, compute, scale)
    for layer in body.layers:
        if not family.keeps_attention:
            layer.self_attn = _Attention(layer.self_attn, family)
        if hasattr(layer.mlp, "experts"):
            layer.mlp.forward = partial(_in_dtype_of_input, layer.mlp.forward)
        elif not family.keeps_mlp:
            layer.mlp = _mlp(layer.mlp)
        _exchange_leaves(layer, family)
    body.norm = _norm(body.norm, family)
    if chosen_experts(body.config):
        experts.register()
        body.config._experts_implementation = experts.EXPERTS_NAME


def _exchange_leaves(module: nn.Module, family: Family) -> None:
    """Exchange the matrices and norms that still are transformers' own, wherever they stand."""
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, _linear(child))
        elif type(child).__name__.endswith("RMSNorm"):
            setattr(module, name, _norm(child, family))
        elif hasattr(child, "base_layer"):
            child.base_layer = _linear(child.base_layer)
        else:
            _exchange_leaves(child, family)


def _in_dtype_of_input(forward: Callable[[Tensor], Any], x: Tensor) -> Any:
    """Run a block whose own parameters are float32 in the dtype of its input."""
    with torch.autocast(x.device.type, x.dtype, enabled=x.dtype != torch.float32):
        return forward(x)


def pack_frozen(module: nn.Module, device: str) -> None:
    """Store the matrices that adapters stand beside in 4 bits on a device, in place, one by one."""
    for layer in list(module.modules()):
        base = getattr(layer, "base_layer", None)
        if isinstance(base, _Linear | nn.Linear):
            cast(Any, layer).base_layer = PackedLinear(base.weight.detach().to(device), base.bias)


def recompute_activations(module: nn.Module) -> None:
    """Let every decoder layer keep only its input, and run again in the backward pass."""
    for layer in module.modules():
        if isinstance(layer, GradientCheckpointingLayer):
            layer.forward = partial(_checkpointed, layer.forward)


def _checkpointed(forward: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
    if not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    out: Tensor = checkpoint(forward, *args, use_reentrant=False, **kwargs)
    return out


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
    def __init__(self, weight: nn.Parameter, compute: torch.dtype, scale: float) -> None:
        super().__init__(weight)
        # Samplers that compute in bfloat16 have the factor in it, too.
        self.compute, self.scale = compute, float(torch.tensor(scale).to(compute))

    def forward(self, tokens: Tensor) -> Tensor:
        out = _run(Lookup, self.weight, tokens)
        return (out if self.scale == 1.0 else out * self.scale).to(self.compute)


class _Linear(_Layer):
    def __init__(self, weight: nn.Parameter, bias: nn.Parameter | None) -> None:
        super().__init__(weight)
        self.bias = bias

    def forward(self, x: Tensor) -> Tensor:
        out = _run(Product, x, self.weight, self.cast(x.dtype))
        return out if self.bias is None else out + self.bias.to(x.dtype)


class _Attention(nn.Module):
    """Project, rotate by position, and attend as the layout decides."""

    def __init__(self, attention: Any, family: Family) -> None:
        super().__init__()
        self.layer_idx, self.head_dim = attention.layer_idx, attention.head_dim
        config = attention.config
        window = getattr(attention, "sliding_window", getattr(config, "sliding_window", None))
        self.scores = scores_of(
            attention.scaling,
            window=window if family.windows else None,
            cap=config.attn_logit_softcapping if family.caps_scores else None,
        )
        self.q_proj, self.k_proj = _linear(attention.q_proj), _linear(attention.k_proj)
        self.v_proj, self.o_proj = _linear(attention.v_proj), _linear(attention.o_proj)
        if hasattr(attention, "q_norm"):  # Qwen3, Gemma 3
            self.q_norm = _norm(attention.q_norm, family)
            self.k_norm = _norm(attention.k_norm, family)

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
            _run(Rotation, each, cos[:, :, None], sin[:, :, None]).transpose(1, 2)
            for each in (query, key)
        )
        out = layout.attend(self.layer_idx, query, key, value.transpose(1, 2), self.scores)
        return self.o_proj(out.reshape(*hidden_states.shape[:-1], -1)), None


class _OpenMLP(nn.Module):
    """The gated MLP with another gate than SiLU, with biases, or with adapters on its matrices."""

    def __init__(self, mlp: Any) -> None:
        super().__init__()
        self.act_fn = mlp.act_fn
        self.gate_proj, self.up_proj = _linear(mlp.gate_proj), _linear(mlp.up_proj)
        self.down_proj = _linear(mlp.down_proj)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))
        return out


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
        return _run(GatedProduct, x, *weights, *casts)


class _Norm(_Layer):
    def __init__(self, weight: nn.Parameter, epsilon: float, shift: float) -> None:
        super().__init__(weight)
        self.variance_epsilon, self.shift = epsilon, shift

    def forward(self, x: Tensor) -> Tensor:
        return _run(Normalise, x, self.weight, self.variance_epsilon, self.shift)


def _run(function: type[Function], *args: object) -> Tensor:
    return cast(Tensor, function.apply(*args))  # type: ignore[no-untyped-call]


def _linear(module: Any) -> nn.Module:
    """Return a leaner layer; an adapter stays, around the leaner layer that it adds to."""
    if hasattr(module, "base_layer"):
        module.base_layer = _linear(module.base_layer)
        return cast(nn.Module, module)
    return _Linear(module.weight, module.bias)


def _mlp(module: Any) -> nn.Module:
    parts = (module.gate_proj, module.up_proj, module.down_proj)
    is_adapted = any(hasattr(part, "base_layer") for part in parts)
    has_bias = any(getattr(part, "bias", None) is not None for part in parts)
    is_silu = isinstance(module.act_fn, nn.SiLU | SiLUActivation)
    return _GatedMLP(module) if is_silu and not (is_adapted or has_bias) else _OpenMLP(module)


def _norm(module: Any, family: Family) -> _Norm:
    # Gemma's norms name their epsilon otherwise.
    epsilon = getattr(module, "variance_epsilon", None) or module.eps
    return _Norm(module.weight, epsilon, family.norm_shift)
