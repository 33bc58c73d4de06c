"""Mixtures of experts: the products of each expert with its tokens, and what a router does.

`register` adds an implementation of experts to transformers, which adds each expert's gradient in
place: autograd alone would make a gradient of all experts for every one of them. Called by
`models.layers`, so only where gradients may be added in place; under FSDP transformers' own runs.

Axes: L tokens, k experts of a token, E experts, I inputs, O outputs.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

from reasonrl.models.families import FAMILIES
from reasonrl.models.gradients import ExpertProduct

EXPERTS_NAME = "reasonrl"


def register() -> None:
    """Register `experts_implementation="reasonrl"`; repeated calls do no harm."""
    ALL_EXPERTS_FUNCTIONS.register(EXPERTS_NAME, _experts)


def splits_experts(module: nn.Module) -> bool:
    """Return whether a model's files have a matrix for each expert, where it has one for all."""
    family = FAMILIES.get(cast(Any, module).config.model_type)
    return family is not None and family.files_split_experts


def _experts(module: Any, hidden_LD: Tensor, chosen_Lk: Tensor, shares_Lk: Tensor) -> Tensor:
    """Return the sum of each token's experts, weighted by their shares, [L, D]."""
    out_LD = torch.zeros_like(hidden_LD)
    for expert in torch.unique(chosen_Lk).tolist():
        rows, places = torch.where(chosen_Lk == expert)
        opened = _product(module, "gate_up_proj", hidden_LD[rows], expert)
        closed = _product(module, "down_proj", module._apply_gate(opened), expert)
        weighted = closed * shares_Lk[rows, places, None]
        out_LD = out_LD.index_add(0, rows, weighted.to(out_LD.dtype))
    return out_LD


def _product(module: Any, name: str, x: Tensor, expert: int) -> Tensor:
    out = cast(
        Tensor,
        ExpertProduct.apply(x, getattr(module, name), expert, module.is_transposed),  # type: ignore[no-untyped-call]
    )
    if not module.has_bias:
        return out
    bias: Tensor = getattr(module, f"{name}_bias")[expert]
    return out + bias.to(x.dtype)
