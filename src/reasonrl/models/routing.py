"""What the routers of a mixture of experts do with tokens, and the loss that balances them.

The loss is that of Switch Transformers (Fedus et al. 2021, eq. 4 to 6) as transformers computes it:
E sum_e f_e P_e, where f_e is the part of tokens whose chosen experts contain e and P_e the mean
probability that the routers give e, both over all layers together. When all experts get as many
tokens it is the number of experts that take one.

Axes: Y layers with experts, E experts, N tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_NUMBERS = ("num_experts", "num_local_experts", "n_routed_experts")
"""The words of configs for the number of experts."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Routing:
    """Sums over tokens, by layer and expert: how often each was chosen, and its probabilities."""

    chosen_YE: Tensor
    probs_YE: Tensor
    n_tokens: int

    @property
    def balance_loss(self) -> Tensor:
        """Return the loss of these tokens, a scalar; only the probabilities have a gradient."""
        layers, experts = self.chosen_YE.shape
        total = max(1, layers * self.n_tokens)
        return experts * (self.chosen_YE.sum(0) / total * self.probs_YE.sum(0) / total).sum()

    def detached(self) -> Routing:
        """Return the sums without gradient."""
        return Routing(
            chosen_YE=self.chosen_YE, probs_YE=self.probs_YE.detach(), n_tokens=self.n_tokens
        )


def number_of_experts(config: Any) -> int:
    """Return how many experts a layer has; 0 for a model without experts."""
    text = config.get_text_config()
    return int(next((number for key in _NUMBERS if (number := getattr(text, key, 0))), 0))


def chosen_experts(config: Any) -> int:
    """Return how many experts take a token; 0 for a model without experts."""
    chosen = getattr(config.get_text_config(), "num_experts_per_tok", 0)
    return int(chosen or 0) if number_of_experts(config) else 0


def balance_factor(config: Any) -> float:
    """Return the factor of the loss that a model's config sets, 0 without one."""
    return float(getattr(config.get_text_config(), "router_aux_loss_coef", 0.0) or 0.0)


def routing_at(logits: Sequence[Tensor], tokens_N: Tensor, chosen: int) -> Routing:
    """Return what routers did with some tokens of a row.

    `logits` are the routers' of each layer, [L, E]; `tokens_N` are indices of the row, which may
    repeat; `chosen` experts take a token.
    """
    probs_YNE = torch.stack(
        [layer.float().flatten(0, -2).index_select(0, tokens_N).softmax(-1) for layer in logits]
    )
    best_YNk = probs_YNE.detach().topk(chosen, dim=-1).indices
    chosen_YNE = torch.zeros_like(probs_YNE.detach()).scatter_(-1, best_YNk, 1.0)
    return Routing(chosen_YE=chosen_YNE.sum(1), probs_YE=probs_YNE.sum(1), n_tokens=len(tokens_N))


def total(routings: Sequence[Routing]) -> Routing | None:
    """Return the sums over parts of a batch, None for a model without experts."""
    if not routings:
        return None
    return Routing(
        chosen_YE=torch.stack([each.chosen_YE for each in routings]).sum(0),
        probs_YE=torch.stack([each.probs_YE for each in routings]).sum(0),
        n_tokens=sum(each.n_tokens for each in routings),
    )
