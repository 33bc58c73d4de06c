"""Sample by requests and time slices: what an engine behind a process border offers.

A call that samples a whole step would be silent for minutes; slices show life, hand over what is
finished, and leave room between them for new weights. `generate_in_slices` makes a whole call of
slices. Implemented by `vllm` and `local`, driven by `remote`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reasonrl.engines.protocols import Finished
from reasonrl.engines.weights import Weights
from reasonrl.errors import EngineError
from reasonrl.types import Completion, Logprobs, Prompt, Sampling, Tokens

_SLICE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleRequest:
    """Ask for one rollout. `key` is the asker's and comes back with the completion.

    `seed` is the prompt's and `index` the place in its group; together they decide the randomness.
    """

    key: int
    prompt: Tokens
    seed: int
    index: int
    sampling: Sampling


class SteppingEngine(Protocol):
    """Sample requests in slices of time."""

    def submit(self, requests: Sequence[SampleRequest]) -> None: ...

    def advance(self, seconds: float) -> list[tuple[int, Completion]]:
        """Work until something is finished and the time is over; return what is, by key."""
        ...

    def score(
        self, pairs: Sequence[tuple[Tokens, Tokens]], *, temperature: float
    ) -> list[Logprobs]: ...

    def load_weights(self, weights: Weights, *, version: int) -> None:
        """Replace the policy. What is being sampled goes on with it, or is finished before."""
        ...

    def rest(self) -> None:
        """Give memory back until weights are loaded again; nothing is being sampled."""
        ...


def check_ready(version: int) -> None:
    """Raise EngineError for an engine without weights: what it holds is not the policy."""
    if version < 0:
        raise EngineError(
            "an engine was asked to sample before it was given weights",
            expected="load_weights first: what it holds is not the policy",
        )


def requests_for(
    prompts: Sequence[Prompt], sampling: Sampling
) -> dict[int, tuple[int, SampleRequest]]:
    """Return a request for every wanted member of every group, by key, with its prompt's place."""
    wanted = [
        (place, prompt, index)
        for place, prompt in enumerate(prompts)
        for index in prompt.members(sampling.group_size)
    ]
    return {
        key: (
            place,
            SampleRequest(
                key=key, prompt=prompt.tokens, seed=prompt.seed, index=index, sampling=sampling
            ),
        )
        for key, (place, prompt, index) in enumerate(wanted)
    }


def in_order(
    requests: dict[int, tuple[int, SampleRequest]], found: dict[int, Completion], n_prompts: int
) -> list[list[Completion]]:
    """Return completions by prompt and by place in the group; KeyError if one is missing."""
    groups: list[list[Completion]] = [[] for _ in range(n_prompts)]
    for key, (place, _) in requests.items():
        groups[place].append(found[key])
    return groups


def generate_in_slices(
    engine: SteppingEngine,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    on_finished: Finished | None,
) -> list[list[Completion]]:
    """Sample whole groups with an engine that works in slices."""
    requests = requests_for(prompts, sampling)
    found: dict[int, Completion] = {}
    engine.submit([request for _, request in requests.values()])
    while len(found) < len(requests):
        for key, completion in engine.advance(_SLICE_S):
            found[key] = completion
            place, request = requests[key]
            if on_finished:
                on_finished(place, request.index, completion)
    return in_order(requests, found, len(prompts))
