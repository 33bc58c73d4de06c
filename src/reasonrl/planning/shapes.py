"""The shape of a decoder model, from which memory and time follow without loading weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MLP = ("gate", "up", "gate_up", "down")
"""The matrices of a layer's MLP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertsShape:
    """The experts of each layer but `dense_layers`: `chosen` of `number` take a token.

    `inner` is the width inside one expert. `has_bias`: router and experts have biases (gpt-oss).
    """

    number: int
    chosen: int
    inner: int
    dense_layers: int = 0
    has_bias: bool = False

    def parameters(self, hidden: int, experts: int) -> int:
        """Return the parameters of a layer's router and of some of its experts."""
        each = 3 * hidden * self.inner + (2 * self.inner + hidden if self.has_bias else 0)
        return self.number * (hidden + self.has_bias) + experts * each


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """The dimensions of a decoder. `tied`: embedding and LM head share weights.

    `qkv_bias`, `output_bias` and `mlp_bias`: these projections have biases. `qk_norm`: each layer
    has a norm for its queries and another for its keys, over a head (`"head"`, Qwen3) or over all
    heads together (`"all"`, OLMo 2). `norms` is the number of a layer's other norms. `is_fused`:
    one matrix makes queries, keys and values, another gate and up (Phi-3). `sinks`: each head has a
    sink (gpt-oss). With `experts`, `intermediate` is the width of the layers without any.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    intermediate: int
    vocabulary: int
    tied: bool
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    qk_norm: Literal["head", "all"] | None = None
    norms: int = 2
    is_fused: bool = False
    sinks: bool = False
    experts: ExpertsShape | None = None

    @property
    def query_size(self) -> int:
        return self.heads * self.head_size

    @property
    def kv_size(self) -> int:
        """The width of a layer's keys, and of its values."""
        return self.kv_heads * self.head_size

    @property
    def inner(self) -> int:
        """The width of the MLP that one token goes through."""
        return self.experts.chosen * self.experts.inner if self.experts else self.intermediate

    @property
    def dense_layers(self) -> int:
        """The layers with one MLP for all tokens."""
        return self.experts.dense_layers if self.experts else self.layers

    @property
    def linear_sizes(self) -> dict[str, tuple[int, int]]:
        """The inputs and outputs of a layer's matrices: q, k, v, o, and gate, up, down."""
        hidden, inner = self.hidden, self.intermediate
        if self.is_fused:
            return {
                "qkv": (hidden, self.query_size + 2 * self.kv_size),
                "o": (self.query_size, hidden),
                "gate_up": (hidden, 2 * inner),
                "down": (inner, hidden),
            }
        return {
            "q": (hidden, self.query_size),
            "k": (hidden, self.kv_size),
            "v": (hidden, self.kv_size),
            "o": (self.query_size, hidden),
            "gate": (hidden, inner),
            "up": (hidden, inner),
            "down": (inner, hidden),
        }

    @property
    def linear_parameters(self) -> int:
        """The parameters of a layer's matrices, without biases and norms; of its largest layer."""
        sizes = self.linear_sizes
        mlp = sum(inputs * outputs for name, (inputs, outputs) in sizes.items() if name in MLP)
        attention = sum(inputs * outputs for inputs, outputs in sizes.values()) - mlp
        return attention + max(mlp if self.dense_layers else 0, self._expert_parameters(None))

    def _expert_parameters(self, experts: int | None) -> int:
        """Return the parameters of a router and some experts, or all of them; 0 without any."""
        if self.experts is None:
            return 0
        return self.experts.parameters(
            self.hidden, self.experts.number if experts is None else experts
        )

    @property
    def layer_parameters(self) -> int:
        """The parameters of a layer; of the largest where layers differ."""
        biases = self.query_size + 2 * self.kv_size if self.qkv_bias else 0
        biases += self.hidden if self.output_bias else 0
        biases += 2 * self.intermediate + self.hidden if self.mlp_bias else 0
        norms = self.norms * self.hidden
        if self.qk_norm == "head":
            norms += 2 * self.head_size
        elif self.qk_norm == "all":
            norms += self.query_size + self.kv_size
        return self.linear_parameters + biases + norms + (self.heads if self.sinks else 0)

    @property
    def root_parameters(self) -> int:
        """The parameters outside the layers: embedding, last norm, LM head."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2) + self.hidden

    @property
    def parameters(self) -> int:
        all_alike = self.layers * self.layer_parameters + self.root_parameters
        if self.experts is None or not self.experts.dense_layers:
            return all_alike
        dense = 3 * self.hidden * self.intermediate
        largest = max(dense, self._expert_parameters(None))
        sparse_layers = self.layers - self.experts.dense_layers
        return (
            all_alike
            - self.experts.dense_layers * (largest - dense)
            - sparse_layers * (largest - self._expert_parameters(None))
        )

    @property
    def multiplied_parameters(self) -> int:
        """The parameters that every token is multiplied by: all except an untied embedding and the
        experts that do not take it."""
        idle = 0
        if self.experts is not None:
            per_layer = self._expert_parameters(None) - self._expert_parameters(self.experts.chosen)
            idle = (self.layers - self.experts.dense_layers) * per_layer
        return self.parameters - idle - (0 if self.tied else self.vocabulary * self.hidden)

    def kv_bytes(self, element_bytes: int = 2) -> int:
        """Return the bytes of one token's keys and values."""
        return 2 * self.layers * self.kv_size * element_bytes
