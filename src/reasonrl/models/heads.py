"""How last hidden states become logits, where that is more than a product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reasonrl.models.families import family_of


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadForm:
    """How last hidden states h become logits z: s = W (h * scale), z = cap tanh(s / cap).

    Granite has a scale, Gemma 2 a cap; without a cap z = s.
    """

    scale: float = 1.0
    cap: float | None = None

    def bound(self, logits_NV: Tensor) -> Tensor:
        """Return logits within the cap."""
        return logits_NV if self.cap is None else torch.tanh(logits_NV / self.cap) * self.cap

    def bound_in_place(self, logits_NV: Tensor) -> Tensor | None:
        """Bring logits within the cap; return the derivative by them, None where it is 1."""
        if self.cap is None:
            return None
        logits_NV /= self.cap
        logits_NV.tanh_()
        slope_NV = 1 - logits_NV * logits_NV
        logits_NV *= self.cap
        return slope_NV


def head_form(config: Any) -> HeadForm:
    """Return the form of the head of a model that the native backend knows."""
    family = family_of(config)
    return HeadForm(
        scale=1.0 / config.logits_scaling if family.divides_logits else 1.0,
        cap=config.final_logit_softcapping if family.caps_logits else None,
    )
