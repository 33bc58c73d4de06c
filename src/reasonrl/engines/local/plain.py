"""The plain backend: padded rows through a model as transformers computes it.

It asks nothing of a model but logits that depend on no later token. So it trains what the native
backend does not know (hybrids, recurrent models, new families), slower and with more memory: each
completion carries its own copy of the prompt, and the logits of a row exist as a whole.

Axes: R padded rows, T tokens of a row, N targets, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from reasonrl.algo.head import ChunkLoss
from reasonrl.algo.logprobs import token_entropies, token_logprobs
from reasonrl.engines.local.lockstep import sample_in_lockstep
from reasonrl.engines.local.rows import SamplingJob
from reasonrl.engines.packing import Microbatch
from reasonrl.errors import EngineError
from reasonrl.models.hf import LanguageModel
from reasonrl.models.library import LibraryModel
from reasonrl.models.routing import Routing, routing_at, total
from reasonrl.types import Completion


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Padded:
    """Some rows of a microbatch. `predictors_N` index the rows' tokens, all rows in one line;
    `targets` are the rows' targets in the microbatch."""

    tokens_RT: Tensor
    predictors_N: Tensor
    targets: slice


class PlainComputation:
    """A model as transformers computes it.

    In bfloat16 the products are computed in it (autocast); weights and logits stay float32.
    """

    def __init__(self, model: LanguageModel, dtype: torch.dtype) -> None:
        self.model = replace(model, compute=dtype)
        self._library = LibraryModel(model.module, dtype, name=model.name)

    def values(self, micro: Microbatch, value: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Return a value of each target, [N], from its logits and itself."""
        return torch.cat(
            [
                value(self._forward(padded)[0], micro.targets_N[padded.targets])
                for padded in _padded(micro)
            ]
        )

    def backward(
        self,
        micro: Microbatch,
        temperature: float,
        chunk_loss: ChunkLoss,
        *,
        router_weight: float,
    ) -> Routing | None:
        """Add the gradient of a microbatch's loss to the parameters', some rows at a time."""
        routings = []
        for padded in _padded(micro):
            logits_NV, routing = self._forward(padded)
            logprobs_N = token_logprobs(logits_NV, micro.targets_N[padded.targets], temperature)
            entropies_N = token_entropies(logits_NV, temperature)
            loss = chunk_loss(padded.targets, logprobs_N, entropies_N)
            if routing is not None:
                share = len(padded.predictors_N) / len(micro.targets_N)
                loss = loss + router_weight * share * routing.balance_loss
                routings.append(routing.detached())
            loss.backward()  # type: ignore[no-untyped-call]
        if router_weight and not routings:
            raise EngineError(
                "this model does not hand out what its routers do, so they cannot be balanced",
                where='update.router_loss = "model"',
                remedy='set update.router_loss = "off"',
            )
        return total(routings)

    def _forward(self, padded: _Padded) -> tuple[Tensor, Routing | None]:
        """Return the logits of the rows' targets, [N, V] in float32, and what routers did there."""
        logits_RTV, routers = self._library.logits_and_routers(padded.tokens_RT)
        logits_NV = logits_RTV.flatten(0, 1).index_select(0, padded.predictors_N).float()
        if not routers:
            return logits_NV, None
        return logits_NV, routing_at(routers, padded.predictors_N, self._library.n_chosen)

    def sample(self, job: SamplingJob) -> list[list[Completion]]:
        """Return the completions of each prompt of a job."""
        return sample_in_lockstep(self.model, self._library, job)


def _padded(micro: Microbatch, *, at_least: int = 0) -> Iterator[_Padded]:
    """Take a packed row apart into rows of one prompt and one completion, padded at their ends.

    A model without later tokens in sight needs no mask for such padding. The rows that run together
    have about as many tokens as the packed row, or `at_least` so many.
    """
    rows, starts = _rows(micro)
    budget = max(at_least, micro.tokens_1L.shape[1])
    first = 0
    while first < len(rows):
        last, longest = first, 0
        while last < len(rows):
            longest_with = max(longest, len(rows[last].tokens))
            if last > first and longest_with * (last + 1 - first) > budget:
                break
            longest, last = longest_with, last + 1
        tokens_RT = torch.zeros(last - first, longest, dtype=torch.long)
        predictors = []
        for number, row in enumerate(rows[first:last]):
            tokens_RT[number, : len(row.tokens)] = torch.from_numpy(row.tokens)
            begin = number * longest + row.n_prompt - 1
            predictors.append(np.arange(begin, begin + row.n_targets))
        device = micro.tokens_1L.device
        yield _Padded(
            tokens_RT=tokens_RT.to(device),
            predictors_N=torch.from_numpy(np.concatenate(predictors)).to(device),
            targets=slice(starts[first], starts[last]),
        )
        first = last


@dataclass(frozen=True, slots=True, eq=False)
class _PlainRow:
    """A prompt and the part of its completion that the model runs on."""

    tokens: np.ndarray
    n_prompt: int
    n_targets: int


def _rows(micro: Microbatch) -> tuple[list[_PlainRow], list[int]]:
    """Return a row for each completion, and where the targets of each begin (and the last end)."""
    tokens = micro.tokens_1L[0].cpu().numpy()
    predictors = micro.predictors_N.cpu().numpy()
    starts_of_groups = np.cumsum([0, *(group.length for group in micro.layout.groups)])
    last_of_prompt = {
        int(start) + group.prompt - 1: int(start)
        for start, group in zip(starts_of_groups, micro.layout.groups, strict=False)
    }
    # The last token of a prompt predicts the first token of every one of its completions.
    starts = [at for at, where in enumerate(predictors) if int(where) in last_of_prompt]
    ends = [*starts[1:], len(predictors)]
    rows = []
    for start, end in zip(starts, ends, strict=True):
        last = int(predictors[start])
        prompt = tokens[last_of_prompt[last] : last + 1]
        fed = tokens[predictors[start + 1 : end]]
        rows.append(_PlainRow(np.concatenate((prompt, fed)), len(prompt), end - start))
    return rows, [*starts, len(predictors)]
