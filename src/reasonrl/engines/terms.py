"""The objective on some tokens of a batch: which of its arrays the loss is given, for all learners.

A batch holds what is known of each token by its place; an engine knows which tokens it computes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reasonrl.algo.loss import Objective, TokenSums, loss_sum
from reasonrl.engines.protocols import TrainBatch
from reasonrl.types import Logprobs


def loss_at(
    index_N: np.ndarray,
    batch: TrainBatch,
    objective: Objective,
    *,
    logprobs_N: Tensor,
    entropy_N: Tensor,
    advantages_N: Tensor,
) -> tuple[Tensor, TokenSums]:
    """Return the loss, summed over the batch's tokens at `index_N`, and what to record.

    Without `old_logprobs_N` the policy's own stand for them: the ratio is exactly 1.
    """
    device = logprobs_N.device
    old_N = _at(batch.old_logprobs_N, index_N, device)
    return loss_sum(
        objective,
        logprobs_N=logprobs_N,
        entropy_N=entropy_N,
        old_logprobs_N=logprobs_N.detach() if old_N is None else old_N,
        advantages_N=advantages_N,
        ref_logprobs_N=_at(batch.ref_logprobs_N, index_N, device),
        weights_N=_at(batch.weights_N, index_N, device),
        anchors_N=_at(batch.anchors_N, index_N, device),
    )


def _at(values_N: Logprobs | None, index_N: np.ndarray, device: torch.device) -> Tensor | None:
    return None if values_N is None else torch.as_tensor(values_N[index_N], device=device)
