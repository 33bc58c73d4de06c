"""The shape of a decoder model, from which memory and time follow without loading weights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """The dimensions of a llama-like decoder. `tied`: embedding and LM head share weights.

    `qkv_bias` and `output_bias`: the projections of the attention have biases. `qk_norm`: each
    layer has a norm over the heads of its queries, and another over those of its keys (Qwen3).
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
    qk_norm: bool = False

    @property
    def query_size(self) -> int:
        return self.heads * self.head_size

    @property
    def kv_size(self) -> int:
        """The width of a layer's keys, and of its values."""
        return self.kv_heads * self.head_size

    @property
    def linear_sizes(self) -> dict[str, tuple[int, int]]:
        """The inputs and outputs of a layer's matrices: q, k, v, o, and gate, up, down."""
        hidden, inner = self.hidden, self.intermediate
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
        """The parameters of a layer's matrices, without biases and norms."""
        return sum(inputs * outputs for inputs, outputs in self.linear_sizes.values())

    @property
    def layer_parameters(self) -> int:
        biases = self.query_size + 2 * self.kv_size if self.qkv_bias else 0
        biases += self.hidden if self.output_bias else 0
        norms = 2 * self.hidden + (2 * self.head_size if self.qk_norm else 0)
        return self.linear_parameters + biases + norms

    @property
    def root_parameters(self) -> int:
        """The parameters outside the layers: embedding, last norm, LM head."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2) + self.hidden

    @property
    def parameters(self) -> int:
        return self.layers * self.layer_parameters + self.root_parameters

    @property
    def multiplied_parameters(self) -> int:
        """The parameters that every token is multiplied by: all except an untied embedding."""
        return self.parameters - (0 if self.tied else self.vocabulary * self.hidden)

    def kv_bytes(self, element_bytes: int = 2) -> int:
        """Return the bytes of one token's keys and values."""
        return 2 * self.layers * self.kv_size * element_bytes
