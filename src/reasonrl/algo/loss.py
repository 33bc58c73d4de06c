"""The MAGIC objective (report eq. 3.1), with the optional k3 penalty of eq. 2.4, and its variants.

Sums over tokens; the caller divides once by the token count of the whole update, so the gradient
does not depend on how the tokens were cut into microbatches.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reasonrl.algo.choices import Surrogate


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """The numbers of one step's objective. Plain data, because it crosses process borders.

    `entropy_coefficient` is alpha_k, `kl_coefficient` is beta; for routers see `models.routing`.
    """

    clip_low: float
    clip_high: float
    entropy_coefficient: float
    kl_coefficient: float
    temperature: float
    surrogate: Surrogate = Surrogate.PPO
    balances_routers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSums:
    """Sums over tokens, detached; divide by the token count for means. Scalars, float64."""

    policy: Tensor
    entropy: Tensor
    kl: Tensor
    ratio: Tensor
    clipped: Tensor


def k3(logprobs_N: Tensor, ref_logprobs_N: Tensor) -> Tensor:
    """Return the estimator exp(d) - d - 1 with d = ref - policy, [N], >= 0; report eq. 2.4."""
    delta_N = ref_logprobs_N - logprobs_N
    return torch.expm1(delta_N) - delta_N


def loss_sum(
    objective: Objective,
    *,
    logprobs_N: Tensor,
    entropy_N: Tensor,
    old_logprobs_N: Tensor,
    advantages_N: Tensor,
    ref_logprobs_N: Tensor | None = None,
    weights_N: Tensor | None = None,
    anchors_N: Tensor | None = None,
) -> tuple[Tensor, TokenSums]:
    """Return -sum{ w S + alpha H - beta k3 - a |log rho| } over tokens, and the sums to record.

    rho = exp(logprobs - old_logprobs), clipped to [1 - clip_low, 1 + clip_high]. The surrogate S is

        PPO, GSPO   min(rho A, clip(rho) A)       for GSPO the batch's old_logprobs make rho one
                                                  number per rollout (algo.sequence)
        CISPO       constant(clip(rho)) A log pi  (MiniMax-M1, arXiv 2506.13585, eq. 4)

    Without `weights_N` w is 1, without `anchors_N` a is 0. A token counts as clipped if S uses the
    bounded product: in PPO the token then has no policy gradient.
    Raises ValueError if beta is not 0 and there are no reference log-probabilities.
    """
    ratio_N = torch.exp(logprobs_N - old_logprobs_N)
    policy_N, clipped_N = _policy_term(objective, ratio_N, advantages_N, logprobs_N)
    if weights_N is not None:
        policy_N = policy_N * weights_N
    total = policy_N.sum()
    if anchors_N is not None:
        total = total - (anchors_N * (logprobs_N - old_logprobs_N).abs()).sum()
    if objective.entropy_coefficient != 0.0:
        total = total + objective.entropy_coefficient * entropy_N.sum()
    kl_sum = torch.zeros((), dtype=torch.float64, device=logprobs_N.device)
    if ref_logprobs_N is not None:
        kl_N = k3(logprobs_N, ref_logprobs_N)
        kl_sum = kl_N.detach().sum(dtype=torch.float64)
        total = total - objective.kl_coefficient * kl_N.sum()
    elif objective.kl_coefficient != 0.0:
        raise ValueError("kl_coefficient is not 0: pass reference log-probabilities")
    sums = TokenSums(
        policy=policy_N.detach().sum(dtype=torch.float64),
        entropy=entropy_N.detach().sum(dtype=torch.float64),
        kl=kl_sum,
        ratio=ratio_N.detach().sum(dtype=torch.float64),
        clipped=clipped_N.sum(dtype=torch.float64),
    )
    return -total, sums


def _policy_term(
    objective: Objective, ratio_N: Tensor, advantages_N: Tensor, logprobs_N: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the surrogate S of each token, and whether its bound is what S uses."""
    bounded_N = ratio_N.clamp(1 - objective.clip_low, 1 + objective.clip_high)
    if objective.surrogate is Surrogate.CISPO:
        return bounded_N.detach() * advantages_N * logprobs_N, bounded_N != ratio_N
    free_N, bound_N = ratio_N * advantages_N, bounded_N * advantages_N
    return torch.minimum(free_N, bound_N), bound_N < free_N
