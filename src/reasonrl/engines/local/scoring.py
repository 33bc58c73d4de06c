"""Values of given tokens under a module of this process, without gradient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from reasonrl.engines.checksums import Checksums, checksum
from reasonrl.engines.local.computation import Computation
from reasonrl.engines.packing import batch_of_pairs, microbatches
from reasonrl.engines.protocols import TokenValue, TrainBatch
from reasonrl.engines.update import value_at
from reasonrl.models.hf import LanguageModel
from reasonrl.models.lora import policy_tensors
from reasonrl.types import Logprobs, Tokens


@torch.no_grad()
def score_batch(
    computation: Computation,
    batch: TrainBatch,
    what: TokenValue,
    *,
    temperature: float,
    token_budget: int,
) -> Logprobs:
    """Return one value for each trained token of a batch, [N], in the batch's order."""
    value = value_at(what, temperature)
    values_N = np.empty(batch.n_tokens, dtype=np.float32)
    device = str(computation.model.device)
    for micro in microbatches(batch, token_budget=token_budget, device=device):
        values_N[micro.index_N.cpu().numpy()] = computation.values(micro, value).cpu().numpy()
    return values_N


def score_pairs(
    computation: Computation,
    pairs: Sequence[tuple[Tokens, Tokens]],
    temperature: float,
    *,
    token_budget: int,
) -> list[Logprobs]:
    """Return the log-probabilities of (prompt, completion) pairs, one array per completion."""
    flat = score_batch(
        computation,
        batch_of_pairs(pairs),
        TokenValue.LOGPROBS,
        temperature=temperature,
        token_budget=token_budget,
    )
    return np.split(flat, np.cumsum([len(completion) for _, completion in pairs])[:-1])


def own_checksums(model: LanguageModel) -> Checksums:
    """Return the checksum of each tensor of a module, in the dtype that its layers compute in."""
    tensors = policy_tensors(model.module)
    return {(name,): checksum(tensor, model.compute) for name, tensor in tensors}
