"""A replica: an actor with a whole sampling engine, and the router's knowledge of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray

from reasonrl.engines.checksums import Checksums
from reasonrl.engines.remote.cluster import failures_to_log, write_output_to
from reasonrl.engines.remote.objects import StoredShares
from reasonrl.engines.stepping import SampleRequest, SteppingEngine
from reasonrl.engines.transfer import WireSeat
from reasonrl.engines.weights import Weights
from reasonrl.types import Completion, Logprobs, Tokens


@failures_to_log
class Replica:
    """An engine in another process."""

    def __init__(self, build: Callable[[], SteppingEngine], log: Path) -> None:
        write_output_to(log)
        self._engine = build()

    def advance(
        self, requests: Sequence[SampleRequest], seconds: float
    ) -> list[tuple[int, Completion]]:
        self._engine.submit(requests)
        return self._engine.advance(seconds)

    def score(self, pairs: Sequence[tuple[Tokens, Tokens]], temperature: float) -> list[Logprobs]:
        return self._engine.score(pairs, temperature=temperature)

    def checksums(self) -> Checksums:
        return self._engine.checksums()

    def load_weights(self, stored: StoredShares, version: int) -> str:
        """Load weights from the store; return nothing, as `receive` does where all is well."""
        self._engine.load_weights(Weights(tensors=stored, version=version), version=version)
        return ""

    def join_wire(self, seat: WireSeat) -> None:
        self._engine.join_wire(seat)

    def receive(self, stored: StoredShares, version: int) -> str:
        """Load the weights that the ranks send over the wire; if it breaks, those of the store.

        Returns what broke the wire, or nothing.
        """
        otherwise = Weights(tensors=stored, version=version)
        return self._engine.receive(stored.layout, otherwise, version=version)

    def rest(self) -> None:
        self._engine.rest()


@dataclass(slots=True, eq=False)
class SeatedReplica:
    """The router's knowledge of one replica."""

    number: int
    actor: Any
    version: int = -1
    in_flight: dict[int, SampleRequest] = field(default_factory=dict)
    call: Any = None
    loading: Any = None
    called_at: float = 0.0
    lost_in_a_row: int = 0
    replaced: int = 0
    finished: int = 0

    @property
    def is_loaded(self) -> bool:
        """Return whether it waits for its first weights, or has got the newest it was sent."""
        return self.loading is None or bool(ray.wait([self.loading], timeout=0)[0])

    @property
    def name(self) -> str:
        return f"replica-{self.number}"
