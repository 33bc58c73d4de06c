"""Sampling on replicas: requests are dealt out by expected length, those of a lost one again.

A replica is an actor with a whole engine. It is asked in slices, each call bringing new requests
and fetching what is finished, so that there is a sign of life every half second, new weights find a
gap between two slices, and no replica ever holds more than it can soon begin. A replica that dies
or is silent is replaced; the new one gets weights before it gets requests.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import ray

from reasonrl.engines.protocols import Finished
from reasonrl.engines.remote.cluster import (
    Seat,
    answers,
    end,
    failures_to_log,
    settle,
    start,
    write_output_to,
)
from reasonrl.engines.remote.lengths import Lengths
from reasonrl.engines.remote.objects import StoredTensors, store
from reasonrl.engines.stepping import SampleRequest, SteppingEngine, in_order, requests_for
from reasonrl.engines.weights import Weights
from reasonrl.errors import EngineError, EngineLost
from reasonrl.types import Completion, Logprobs, Prompt, Sampling, Tokens

_SLICE_S = 0.5
_ANSWER_S = 0.02  # of slice for each replica: the driver takes their answers one by one
_AHEAD = 1.25  # requests a replica may hold, for each that it can run: the next are there at once
_CLOSE_S = 10.0
_MOST_REPLACED = 3  # times that one replica is lost without having finished anything
_SAME_NATS = 0.1  # mean distance of two replicas' scores that rounding does not explain


@failures_to_log
class _Replica:
    """Hold an engine on another process."""

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

    def load_weights(self, tensors: StoredTensors, version: int) -> None:
        self._engine.load_weights(Weights(tensors=tensors, version=version), version=version)

    def rest(self) -> None:
        self._engine.rest()


@dataclass(slots=True, eq=False)
class _Seated:
    """Hold what the router knows of one replica."""

    number: int
    actor: Any
    version: int = -1
    in_flight: dict[int, SampleRequest] = field(default_factory=dict)
    call: Any = None
    called_at: float = 0.0
    lost_in_a_row: int = 0
    replaced: int = 0
    finished: int = 0

    @property
    def name(self) -> str:
        return f"replica-{self.number}"


class RemoteRollout:
    """Route requests to replicas, one for each seat. `build` makes an engine where it works.

    `max_rows` is what a replica runs side by side; `timeout_s` how long it may be silent;
    `on_event` is told what was replaced.
    """

    def __init__(
        self,
        build: Callable[[], SteppingEngine],
        seats: Sequence[Seat],
        *,
        max_rows: int,
        timeout_s: float,
        logs: Path,
        on_event: Callable[[str], None],
    ) -> None:
        self._build = build
        self._seats = list(seats)
        self._room = max(1, int(max_rows * _AHEAD))
        self._timeout_s = timeout_s
        self._slice_s = max(_SLICE_S, _ANSWER_S * len(seats))
        self._logs = logs
        self._on_event = on_event
        self._lengths = Lengths()
        self._is_closed = False
        self._weights: tuple[StoredTensors, int] | None = None
        self._sampling = threading.Lock()  # one call samples at a time
        self._seating = threading.RLock()  # who sits where, and with which weights
        self._replicas = [_Seated(number, self._start(number)) for number in range(len(seats))]

    @property
    def actors(self) -> list[Any]:
        """Return the replicas' handles, as they are now."""
        return [replica.actor for replica in self._replicas]

    # sampling

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, *, on_finished: Finished | None = None
    ) -> list[list[Completion]]:
        requests = requests_for(prompts, sampling)
        longest_first = sorted(
            (request for _, request in requests.values()),
            key=lambda request: -self._lengths.expected(request.prompt),
        )
        waiting = deque(longest_first)
        found: dict[int, Completion] = {}
        with self._sampling:
            while len(found) < len(requests):
                self._deal(waiting)
                for replica, has_answered in self._answered():
                    for key, completion in self._take(replica, waiting, has_answered=has_answered):
                        place, request = requests[key]
                        found[key] = completion
                        self._lengths.note(request.prompt, len(completion.tokens))
                        if on_finished:
                            on_finished(place, request.index, completion)
        return in_order(requests, found, len(prompts))

    def _deal(self, waiting: deque[SampleRequest]) -> None:
        """Give waiting requests to the replicas with the fewest tokens to come, and call them."""
        with self._seating:
            idle = [replica for replica in self._replicas if replica.call is None]
            fresh: dict[int, list[SampleRequest]] = {replica.number: [] for replica in idle}
            load = {one.number: sum(map(self._cost, one.in_flight.values())) for one in idle}
            while waiting:
                free = [one for one in idle if len(one.in_flight) < self._room]
                if not free:
                    break
                replica = min(free, key=lambda one: load[one.number])
                request = waiting.popleft()
                replica.in_flight[request.key] = request
                fresh[replica.number].append(request)
                load[replica.number] += self._cost(request)
            for replica in idle:
                if replica.in_flight:
                    self._call(replica, fresh[replica.number])

    def _cost(self, request: SampleRequest) -> float:
        return 1.0 + self._lengths.expected(request.prompt)

    def _call(self, replica: _Seated, requests: Sequence[SampleRequest]) -> None:
        if replica.version < 0:
            raise EngineError(
                f"{replica.name} was to sample before it was given weights",
                expected="load_weights before generate",
            )
        replica.call = replica.actor.advance.remote(requests, self._slice_s)
        replica.called_at = time.monotonic()

    def _answered(self) -> list[tuple[_Seated, bool]]:
        """Wait for a replica to answer; return those that did, and those silent for too long."""
        by_call = {replica.call: replica for replica in self._replicas if replica.call is not None}
        done, _ = ray.wait(list(by_call), timeout=_SLICE_S)
        limit = time.monotonic() - self._timeout_s - self._slice_s
        answered = [by_call[ref] for ref in done]
        silent = [one for one in by_call.values() if one.called_at < limit and one not in answered]
        return [(one, True) for one in answered] + [(one, False) for one in silent]

    def _take(
        self, replica: _Seated, waiting: deque[SampleRequest], *, has_answered: bool
    ) -> list[tuple[int, Completion]]:
        """Return what a replica has finished; if it is lost, put back all that it held."""
        try:
            if not has_answered:
                raise EngineLost(f"{replica.name} was silent for {self._timeout_s:g} s")
            done: list[tuple[int, Completion]] = settle(replica.call, who=replica.name)
        except EngineLost as error:
            with self._seating:
                lost = list(replica.in_flight.values())
                waiting.extendleft(lost)
                self._replace(replica, f"{error.what}; replaced, {len(lost)} rollouts are redone")
            return []
        replica.call = None
        if done:
            replica.lost_in_a_row = 0
            replica.finished += len(done)
        for key, _ in done:
            del replica.in_flight[key]
        return done

    # scoring

    def score(
        self, pairs: Sequence[tuple[Tokens, Tokens]], *, temperature: float
    ) -> list[Logprobs]:
        """Return the scores of the first replica; EngineError when another's are not the same.

        Replicas that sample score between two slices. One that is lost ends the call.
        """
        stored = ray.put(list(pairs))
        with self._seating:
            calls = [one.actor.score.remote(stored, temperature) for one in self._replicas]
        scores = answers(calls, who="a replica", timeout_s=self._timeout_s)
        whole = [np.concatenate(one) for one in scores]
        for replica, one in zip(self._replicas, whole, strict=True):
            distance = float(np.abs(one - whole[0]).mean())
            if distance > _SAME_NATS:
                raise EngineError(
                    f"{replica.name} scores {distance:.3g} nats from replica-0",
                    expected="the same weights on all replicas",
                )
        return list(scores[0])

    # weights

    def load_weights(self, weights: Weights, *, version: int) -> None:
        """Give all replicas new weights; those that sample take them between two slices."""
        tensors = weights.tensors
        stored = tensors if isinstance(tensors, StoredTensors) else store(tensors.items())
        with self._seating:
            self._weights = (stored, version)
            calls = [self._push(replica) for replica in self._replicas]
        for replica, actor, call in calls:
            try:
                answers([call], who=replica.name, timeout_s=self._timeout_s)
            except EngineLost as error:
                with self._seating:  # one that holds requests is replaced by who sampled with it
                    if replica.actor is actor and not replica.in_flight:
                        self._replace(replica, f"{error.what}; replaced")

    def _push(self, replica: _Seated) -> tuple[_Seated, Any, Any]:
        """Send the weights of today; return the replica, the actor they went to and the call."""
        assert self._weights is not None  # noqa: S101
        stored, version = self._weights
        replica.version = version
        return replica, replica.actor, replica.actor.load_weights.remote(stored, version)

    def recall_weights(self) -> None:
        """Give all replicas the last weights again, if there were any."""
        if self._weights is not None:
            stored, version = self._weights
            self.load_weights(Weights(tensors=stored, version=version), version=version)

    def rest(self) -> None:
        """Leave the GPUs; every replica must be given weights before it samples again."""
        with self._seating:
            answers(
                [replica.actor.rest.remote() for replica in self._replicas],
                who="a replica",
                timeout_s=self._timeout_s,
            )
            for replica in self._replicas:
                replica.version = -1

    def describe(self) -> list[dict[str, object]]:
        """Say for each replica what it holds and how often its seat was filled anew."""
        return [
            {
                "name": one.name,
                "version": one.version,
                "in_flight": len(one.in_flight),
                "finished": one.finished,
                "replaced": one.replaced,
            }
            for one in self._replicas
        ]

    # seats

    def _start(self, number: int) -> Any:
        log = self._logs / f"replica-{number}.log"
        return start(_Replica, self._seats[number], self._build, log)

    def _replace(self, replica: _Seated, what: str) -> None:
        """Seat a new actor in place of a lost one and give it the weights of today.

        To be called while seated.
        """
        if self._is_closed:
            raise EngineLost(f"{replica.name} has ended")
        replica.lost_in_a_row += 1
        if replica.lost_in_a_row > _MOST_REPLACED:
            raise EngineLost(
                f"{replica.name} was lost {replica.lost_in_a_row} times without a result",
                where=str(self._logs / f"{replica.name}.log"),
            )
        self._on_event(what)
        replica.replaced += 1
        end([replica.actor])
        replica.actor = self._start(replica.number)
        replica.in_flight, replica.call, replica.version = {}, None, -1
        if self._weights is not None:
            self._push(replica)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with self._seating:
            self._is_closed = True
            end(self.actors)
        if self._sampling.acquire(timeout=_CLOSE_S):  # a thread that samples ahead has noticed
            self._sampling.release()
