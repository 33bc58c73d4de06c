"""The families of models that the fast path knows: what differs between them, as data.

The fast path runs packed groups and cached rows through a model's own decoder, with the attention
of `models.attention` and the leaner layers of `models.layers`. A family may stand in the table once
`tests/contract/test_families.py` passes with it: packed and cached rows, ranks and exports then
score and learn as plain transformers does. Every other causal language model takes the plain path
(`engines.local.padded`). Loads neither torch nor transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What the layers of a family do differently from Llama's.

    With `keeps_attention` and `keeps_mlp` the layer runs transformers' own forward pass, and only
    the matrices and norms inside it are exchanged. `norm_shift` is added to the weights of norms.
    `windows`, `caps_scores`, `caps_logits` and `divides_logits` say that the config's keys for them
    mean something; other families ignore such keys. `scales_embeddings`: by the root of the width.
    `files_split_experts`: files have a matrix for each expert, a module one for all.
    """

    keeps_attention: bool = False
    keeps_mlp: bool = False
    norm_shift: float = 0.0
    windows: bool = False
    caps_scores: bool = False
    caps_logits: bool = False
    divides_logits: bool = False
    scales_embeddings: bool = False
    files_split_experts: bool = False


_GEMMA = Family(norm_shift=1.0, windows=True, caps_logits=True, scales_embeddings=True)

FAMILIES: Mapping[str, Family] = {
    "llama": Family(),
    "qwen2": Family(windows=True),
    "qwen3": Family(windows=True),
    "mistral": Family(windows=True),
    "ministral": Family(windows=True),
    # Queries grow with the logarithm of their position.
    "ministral3": Family(keeps_attention=True),
    # Norms over all heads together.
    "olmo2": Family(keeps_attention=True),
    "olmo3": Family(keeps_attention=True),
    # Some layers have no positions.
    "smollm3": Family(keeps_attention=True),
    # One matrix for queries, keys and values, and one for gate and up; Phi-4 is of this family.
    "phi3": Family(keeps_attention=True, keeps_mlp=True),
    "granite": Family(divides_logits=True),
    "gemma2": Family(
        norm_shift=1.0, windows=True, caps_scores=True, caps_logits=True, scales_embeddings=True
    ),
    "gemma3_text": _GEMMA,
    "qwen3_moe": Family(windows=True, files_split_experts=True),
    # Sinks in the softmax, experts with biases.
    "gpt_oss": Family(keeps_attention=True),
}
"""The families of the fast path, by the `model_type` of their config.json."""


def family_of(config: Any) -> Family:
    """Return the family of a transformers config that the fast path knows."""
    return FAMILIES[config.model_type]
