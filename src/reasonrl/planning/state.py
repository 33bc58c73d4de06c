"""What a parameter costs while it learns: weight, gradient, moments, on the GPU and on the host.

An optimizer, a type of the parameters, or adapters are numbers of a `TrainingState`; the formulas
of memory ask no other question about them. Called by `layout`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reasonrl.planning.shapes import MLP, ModelShape

_FLOAT32 = 4
_BFLOAT16 = 2

MOMENT_BLOCK = 256
"""The numbers of an 8-bit moment that share a float32 scale."""

FOUR_BITS = 0.5 + _FLOAT32 / 64
"""The bytes of a number in 4 bits, with a float32 scale for each block of 64."""

LINEAR = ("q", "k", "v", "o", "gate", "up", "down")
"""The matrices of a decoder layer, all of which an adapter can stand beside."""

FUSED = ("qkv", "gate_up")
"""What Phi-3 has in place of q, k and v, and of gate and up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """Pairs of thin matrices, `rank` wide, beside the `targets` of every layer (LoRA).

    The model itself is frozen: its layers take `layer_bytes` a parameter, embedding and head are
    float32.
    """

    rank: int
    layer_bytes: float
    targets: tuple[str, ...] = LINEAR

    def parameters(self, shape: ModelShape) -> int:
        """Return the parameters of all adapters: rank * (inputs + outputs) for each matrix.

        Experts get none: they are no linear layers.
        """
        return self.rank * sum(
            (inputs + outputs) * (shape.dense_layers if name in MLP else shape.layers)
            for name, (inputs, outputs) in shape.linear_sizes.items()
            if self.targets == LINEAR or name in self.targets
        )

    def frozen_bytes(self, shape: ModelShape) -> float:
        """Return the bytes of the frozen model."""
        layers = shape.layers * shape.layer_parameters
        return float(self.layer_bytes * layers + _FLOAT32 * shape.root_parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingState:
    """The bytes of each trained parameter on the GPU, and of its moments on the host.

    The trained parameters are all parameters of the model, or those of the `adapters`.
    `weight_bytes` contain whatever the update needs beside the weight itself. Without
    `keeps_copies` the weights are already in the type that layers compute in.
    """

    weight_bytes: float = _FLOAT32
    gradient_bytes: float = _FLOAT32
    moment_bytes: float = 2 * _FLOAT32
    host_bytes: float = 0.0
    keeps_copies: bool = True
    adapters: Adapters | None = None

    def trained(self, shape: ModelShape) -> int:
        """Return the number of trained parameters."""
        return self.adapters.parameters(shape) if self.adapters else shape.parameters

    def weights(self, shape: ModelShape) -> float:
        """Return the bytes of all weights, frozen ones included."""
        frozen = self.adapters.frozen_bytes(shape) if self.adapters else 0.0
        return self.weight_bytes * self.trained(shape) + frozen

    def gradients(self, shape: ModelShape) -> float:
        return self.gradient_bytes * self.trained(shape)

    def moments(self, shape: ModelShape) -> float:
        """Return the bytes of the moments on the GPU."""
        return self.moment_bytes * self.trained(shape)

    def on_host(self, shape: ModelShape) -> float:
        """Return the bytes of the moments on the host."""
        return self.host_bytes * self.trained(shape)

    def copies(self, shape: ModelShape, element_bytes: int) -> float:
        """Return the bytes of the copies that layers keep in the narrower type they compute in.

        Only the matrices have copies. Frozen layers are in that type already.
        """
        has_none = element_bytes >= _FLOAT32 or self.adapters is not None or not self.keeps_copies
        return 0.0 if has_none else float(element_bytes * shape.layers * shape.linear_parameters)

    def reference(self, shape: ModelShape, layer_bytes: int) -> float:
        """Return the bytes of a reference policy whose matrices take `layer_bytes` a number.

        Adapters need none: without them the model is the reference.
        """
        if self.adapters:
            return 0.0
        matrices = shape.layers * shape.linear_parameters
        return float(layer_bytes * matrices + _FLOAT32 * (shape.parameters - matrices))


def adamw() -> TrainingState:
    """Return AdamW in float32: 16 bytes a parameter."""
    return TrainingState()


def adamw_8bit() -> TrainingState:
    """Return AdamW with moments of one byte, and a float32 scale for each block of a moment."""
    return TrainingState(moment_bytes=2 * (1 + _FLOAT32 / MOMENT_BLOCK))


def with_moments_on_host(state: TrainingState) -> TrainingState:
    """Return a state whose moments lie in the host's memory and not on the GPU."""
    return replace(state, moment_bytes=0.0, host_bytes=state.moment_bytes + state.host_bytes)


def in_bfloat16(state: TrainingState) -> TrainingState:
    """Return a state whose matrices are in bfloat16, each number with the 16 bits cut off from it.

    Together they are the float32 weight, so its bytes are the same; but layers compute with the
    first half, and need no copy. Gradients are added up in float32.
    """
    return replace(state, weight_bytes=2 * _BFLOAT16, keeps_copies=False)


def lora(
    rank: int, *, compute_bytes: float, targets: tuple[str, ...] = LINEAR, state: TrainingState
) -> TrainingState:
    """Return a state in which only adapters learn, each of their parameters as in `state`.

    `compute_bytes` are those of a number that the layers compute with, or that they are stored in.
    """
    adapters = Adapters(rank=rank, layer_bytes=compute_bytes, targets=targets)
    return replace(state, adapters=adapters)
