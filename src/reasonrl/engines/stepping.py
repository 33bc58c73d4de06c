"""Sampling by requests and time slices: the interface of an engine in another process.

A call that samples a whole step would not answer for minutes. A slice ends soon: it shows that the
engine lives, returns what is finished, and leaves a gap in which new weights can be loaded.
`generate_in_slices` makes one call of many slices. Implemented by `vllm` and `local.sampler`,
driven by `remote`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reasonrl.engines.checksums import Checksums
from reasonrl.engines.protocols import Finished
from reasonrl.engines.transfer import ShareLayout, WireSeat
from reasonrl.engines.weights import Weights
from reasonrl.errors import EngineError
from reasonrl.types import Completion, Logprobs, Prompt, Sampling, Tokens

_SLICE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleRequest:
    """A request for one rollout. The caller chooses `key`, which comes back with the completion.

    `seed` is the prompt's and `index` the rollout's in its group; both together decide the
    randomness.
    """

    key: int
    prompt: Tokens
    seed: int
    index: int
    sampling: Sampling


class SteppingEngine(Protocol):
    """An engine that samples requests in slices of time."""

    def submit(self, requests: Sequence[SampleRequest]) -> None: ...

    def advance(self, seconds: float) -> list[tuple[int, Completion]]:
        """Sample for about `seconds`; return the finished completions with their keys."""
        ...

    def score(
        self, pairs: Sequence[tuple[Tokens, Tokens]], *, temperature: float
    ) -> list[Logprobs]: ...

    def checksums(self) -> Checksums: ...

    def load_weights(self, weights: Weights, *, version: int) -> None:
        """Replace the policy. Running rollouts continue with it, or are finished before."""
        ...

    def join_wire(self, seat: WireSeat) -> None:
        """Take a seat on a wire, and the next ones where more processes hold the weights."""
        ...

    def receive(self, layout: ShareLayout, otherwise: Weights, *, version: int) -> str:
        """Do as `load_weights` does, with the weights that come over the wire.

        If the wire breaks, load the weights `otherwise`; return what broke it, or nothing.
        """
        ...

    def rest(self) -> None:
        """Free memory until weights are loaded again; call it only when nothing is sampled."""
        ...


def check_ready(version: int) -> None:
    """Raise EngineError for an engine that was given no weights: it does not hold the policy."""
    if version < 0:
        raise EngineError(
            "an engine was asked to sample before it was given weights",
            expected="load_weights first: the engine does not hold the policy yet",
        )


def requests_for(
    prompts: Sequence[Prompt], sampling: Sampling
) -> dict[int, tuple[int, SampleRequest]]:
    """Return (prompt index, request) for every wanted member of every group, by key."""
    wanted = [
        (number, prompt, index)
        for number, prompt in enumerate(prompts)
        for index in prompt.members(sampling.group_size)
    ]
    return {
        key: (
            number,
            SampleRequest(
                key=key, prompt=prompt.tokens, seed=prompt.seed, index=index, sampling=sampling
            ),
        )
        for key, (number, prompt, index) in enumerate(wanted)
    }


def in_order(
    requests: dict[int, tuple[int, SampleRequest]],
    completions: dict[int, Completion],
    n_prompts: int,
) -> list[list[Completion]]:
    """Return completions by prompt and by index in the group; KeyError if one is missing."""
    groups: list[list[Completion]] = [[] for _ in range(n_prompts)]
    for key, (number, _) in requests.items():
        groups[number].append(completions[key])
    return groups


def generate_in_slices(
    engine: SteppingEngine,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    on_finished: Finished | None,
) -> list[list[Completion]]:
    """Sample whole groups with an engine that works in slices."""
    requests = requests_for(prompts, sampling)
    completions: dict[int, Completion] = {}
    engine.submit([request for _, request in requests.values()])
    while len(completions) < len(requests):
        for key, completion in engine.advance(_SLICE_S):
            completions[key] = completion
            number, request = requests[key]
            if on_finished:
                on_finished(number, request.index, completion)
    return in_order(requests, completions, len(prompts))
