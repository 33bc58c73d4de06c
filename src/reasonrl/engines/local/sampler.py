"""The local engine's sampler on a module of its own: a replica in another process.

Sampler and learner are two modules here, so weights are copied, under every name that the module
has. For machines without vLLM, and for tests; in `local.engine` both share one module.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Self

from reasonrl.engines.checksums import Checksums
from reasonrl.engines.local.computation import computation_of
from reasonrl.engines.local.rows import SamplingJob
from reasonrl.engines.local.scoring import own_checksums, score_pairs
from reasonrl.engines.protocols import Finished
from reasonrl.engines.stepping import SampleRequest, check_ready
from reasonrl.engines.transfer import ShareLayout, Wire, WireSeat
from reasonrl.engines.weights import COMPUTE_DTYPES, Compute, Weights, check_complete
from reasonrl.models import layers
from reasonrl.models.hf import LanguageModel
from reasonrl.types import Completion, Logprobs, Prompt, Sampling, Tokens


class LocalSampler:
    """Sample with a copy of the policy. The version is -1 until weights have been loaded.

    A slice samples all submitted requests to their end. `load_weights` waits for the slice, so the
    weights never change within a rollout.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        token_budget: int,
        max_rows: int,
        compute: Compute = "float32",
    ) -> None:
        dtype = COMPUTE_DTYPES[compute]
        self._computation = computation_of(model, dtype)
        self.model = self._computation.model
        self.version = -1
        self._token_budget = token_budget
        self._max_rows = max_rows
        self._waiting: list[SampleRequest] = []
        self._busy = threading.Lock()
        self._wire: Wire | None = None

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, *, on_finished: Finished | None = None
    ) -> list[list[Completion]]:
        with self._busy:
            check_ready(self.version)
            return self._computation.sample(
                SamplingJob(
                    prompts=prompts,
                    sampling=sampling,
                    max_rows=self._max_rows,
                    token_budget=self._token_budget,
                    version=self.version,
                    on_finished=on_finished,
                )
            )

    def submit(self, requests: Sequence[SampleRequest]) -> None:
        check_ready(self.version)
        self._waiting += requests

    def advance(self, seconds: float) -> list[tuple[int, Completion]]:  # noqa: ARG002
        """Sample all waiting requests that have the first one's `Sampling`, to their end."""
        if not self._waiting:
            return []
        sampling = self._waiting[0].sampling
        now = [request for request in self._waiting if request.sampling == sampling]
        self._waiting = [request for request in self._waiting if request.sampling != sampling]
        groups = self.generate(
            [
                Prompt(tokens=request.prompt, seed=request.seed, indices=(request.index,))
                for request in now
            ],
            sampling,
        )
        return [(request.key, group[0]) for request, group in zip(now, groups, strict=True)]

    def score(
        self, pairs: Sequence[tuple[Tokens, Tokens]], *, temperature: float
    ) -> list[Logprobs]:
        check_ready(self.version)
        return score_pairs(self._computation, pairs, temperature, token_budget=self._token_budget)

    def checksums(self) -> Checksums:
        return own_checksums(self.model)

    def load_weights(self, weights: Weights, *, version: int) -> None:
        own = self.model.module.state_dict()
        check_complete(weights.tensors.keys(), own.keys())
        with self._busy:
            with layers.writing_weights(self.model.module):
                for name, tensor in weights.tensors.items():
                    own[name].copy_(tensor)
            self.version = version

    def join_wire(self, seat: WireSeat) -> None:
        self._wire = Wire.instead_of(self._wire, seat, device=str(self.model.device))

    def receive(self, layout: ShareLayout, otherwise: Weights, *, version: int) -> str:
        assert self._wire is not None
        with self._wire.receiving(layout) as tensors:
            self.load_weights(Weights(tensors=tensors, version=version), version=version)
        if tensors.broken:
            self.load_weights(otherwise, version=version)
        return tensors.broken

    def rest(self) -> None:
        """Require weights before the next sample. The module stays in the host's memory."""
        self.version = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing: this engine holds nothing outside its process."""
