"""Sampling on replicas: requests are dealt out by expected length, and redone if a replica is lost.

A replica is an actor with a whole engine. It works in slices; each call brings new requests and
returns finished completions. So a replica shows that it lives every half second, new weights can be
loaded between two slices, and no replica holds more requests than it can soon begin. A replica that
dies or is silent is replaced; the new one gets weights before it gets requests.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import ray

from reasonrl.engines.checksums import Checksums
from reasonrl.engines.protocols import Finished
from reasonrl.engines.remote.cluster import Seat, settle
from reasonrl.engines.remote.fleet import Fleet
from reasonrl.engines.remote.learner import RemoteLearner
from reasonrl.engines.remote.lengths import Lengths
from reasonrl.engines.remote.replica import SeatedReplica
from reasonrl.engines.remote.wiring import Wiring
from reasonrl.engines.stepping import SampleRequest, SteppingEngine, in_order, requests_for
from reasonrl.engines.weights import Weights
from reasonrl.errors import EngineError, EngineLost
from reasonrl.types import Completion, Logprobs, Prompt, Sampling, Tokens

_SLICE_S = 0.5
# The driver takes answers one by one, so a slice is at least this long for each replica.
_ANSWER_S = 0.02
# Requests that a replica may hold for each one that it can run, so that the next ones are there.
_AHEAD = 1.25
_CLOSE_S = 10.0
# A mean distance between the scores of two replicas that rounding does not explain.
_SAME_NATS = 0.1


class RemoteRollout:
    """A router of requests to replicas, one for each seat. `build` makes an engine in its process.

    `max_rows` is the number of rollouts that a replica runs side by side; `timeout_s` is how long
    it may be silent; `on_event` gets a line for each replacement.
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
        self._fleet = Fleet(build, seats, timeout_s=timeout_s, logs=logs, on_event=on_event)
        self._room = max(1, int(max_rows * _AHEAD))
        self._slice_s = max(_SLICE_S, _ANSWER_S * len(seats))
        self._lengths = Lengths()
        # One call samples at a time.
        self._sampling = threading.Lock()

    @property
    def actors(self) -> list[Any]:
        """Return the handles of the current replicas."""
        return [replica.actor for replica in self._fleet.replicas]

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
        completions: dict[int, Completion] = {}
        with self._sampling:
            while len(completions) < len(requests):
                self._deal(waiting)
                for replica, has_answered in self._answered():
                    for key, completion in self._take(replica, waiting, has_answered=has_answered):
                        number, request = requests[key]
                        completions[key] = completion
                        self._lengths.note(request.prompt, len(completion.tokens))
                        if on_finished:
                            on_finished(number, request.index, completion)
        return in_order(requests, completions, len(prompts))

    def _deal(self, waiting: deque[SampleRequest]) -> None:
        """Give waiting requests to the replicas with the fewest expected tokens, and call these."""
        with self._fleet.seating:
            idle = [replica for replica in self._fleet.replicas if replica.call is None]
            fresh: dict[int, list[SampleRequest]] = {replica.number: [] for replica in idle}
            load = {
                replica.number: sum(map(self._cost, replica.in_flight.values())) for replica in idle
            }
            while waiting:
                free = [replica for replica in idle if len(replica.in_flight) < self._room]
                if not free:
                    break
                replica = min(free, key=lambda replica: load[replica.number])
                request = waiting.popleft()
                replica.in_flight[request.key] = request
                fresh[replica.number].append(request)
                load[replica.number] += self._cost(request)
            for replica in idle:
                if replica.in_flight:
                    self._call(replica, fresh[replica.number])

    def _cost(self, request: SampleRequest) -> float:
        return 1.0 + self._lengths.expected(request.prompt)

    def _call(self, replica: SeatedReplica, requests: Sequence[SampleRequest]) -> None:
        if replica.version < 0:
            raise EngineError(
                f"{replica.name} was asked to sample before it was given weights",
                expected="load_weights before generate",
            )
        replica.call = replica.actor.advance.remote(requests, self._slice_s)
        replica.called_at = time.monotonic()

    def _answered(self) -> list[tuple[SeatedReplica, bool]]:
        """Wait for answers; return (replica, True) for each, (replica, False) for a silent one."""
        by_call = {
            replica.call: replica for replica in self._fleet.replicas if replica.call is not None
        }
        done, _ = ray.wait(list(by_call), timeout=_SLICE_S)
        limit = time.monotonic() - self._fleet.timeout_s - self._slice_s
        answered = [by_call[ref] for ref in done]
        late = [replica for replica in by_call.values() if replica.called_at < limit]
        silent = [replica for replica in late if replica not in answered]
        return [(replica, True) for replica in answered] + [(replica, False) for replica in silent]

    def _take(
        self, replica: SeatedReplica, waiting: deque[SampleRequest], *, has_answered: bool
    ) -> list[tuple[int, Completion]]:
        """Return a replica's finished completions; if it is lost, put its requests back."""
        try:
            if not has_answered:
                raise EngineLost(f"{replica.name} was silent for {self._fleet.timeout_s:g} s")
            done: list[tuple[int, Completion]] = settle(replica.call, who=replica.name)
        except EngineLost as error:
            with self._fleet.seating:
                lost = list(replica.in_flight.values())
                waiting.extendleft(lost)
                self._fleet.replace(
                    replica, f"{error.what}; replaced, {len(lost)} rollouts are redone"
                )
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
        """Return the scores of replica-0; EngineError when another replica's scores differ.

        Replicas that sample score between two slices.
        """
        stored = ray.put(list(pairs))
        scores = self._fleet.ask_all(lambda actor: actor.score.remote(stored, temperature))
        first, *_ = flat = [np.concatenate(replica_scores) for replica_scores in scores]
        for number, values in enumerate(flat):
            distance = float(np.abs(values - first).mean())
            if distance > _SAME_NATS:
                raise _differs(number, f"scores {distance:.3g} nats from replica-0")
        return list(scores[0])

    def checksums(self) -> Checksums:
        """Return the checksums of replica-0; EngineError when another replica's differ."""
        first, *others = self._fleet.ask_all(lambda actor: actor.checksums.remote())
        for number, checksums in enumerate(others, start=1):
            if checksums != first:
                raise _differs(number, "holds other weights than replica-0")
        return cast(Checksums, first)

    # weights

    def wire_to(self, learner: RemoteLearner, *, processes: int) -> None:
        """Take the weights of a learner straight from its ranks from now on.

        A replica has `processes` processes that hold weights.
        """
        fleet = self._fleet
        fleet.wiring = Wiring(
            learner, processes=processes, timeout_s=fleet.timeout_s, on_event=fleet.on_event
        )

    def load_weights(self, weights: Weights, *, version: int) -> None:
        self._fleet.load_weights(weights, version=version)

    def rest(self) -> None:
        """Free the GPUs; every replica needs weights again before it samples."""
        self._fleet.rest()

    def describe(self) -> list[dict[str, object]]:
        """Return the state of each replica and how often it was replaced, for the heartbeat."""
        return self._fleet.describe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._fleet.close()
        # Wait until a thread that samples ahead has noticed the end.
        if self._sampling.acquire(timeout=_CLOSE_S):
            self._sampling.release()


def _differs(number: int, how: str) -> EngineError:
    return EngineError(
        f"replica-{number} {how}",
        expected="the same weights on all replicas",
        remedy="resume the run: every replica then gets the weights again",
    )
