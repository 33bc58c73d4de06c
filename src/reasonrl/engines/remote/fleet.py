"""The replicas of a cluster: they are started, asked together, given weights, and replaced.

A replica that dies or is silent is replaced by a new actor on the same seat, which gets the newest
weights before anything else. Used by `remote.rollout`, which deals requests out to the replicas.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reasonrl.engines.remote.cluster import Seat, answers, end, start
from reasonrl.engines.remote.objects import StoredShares, store
from reasonrl.engines.remote.replica import Replica, SeatedReplica
from reasonrl.engines.remote.wiring import Wiring
from reasonrl.engines.stepping import SteppingEngine
from reasonrl.engines.weights import Weights
from reasonrl.errors import EngineLost

# Give up when one replica is lost more often than this without having finished a rollout.
_MAX_LOSSES_IN_A_ROW = 3
# The time until a lost replica is asked for again, while another thread replaces it.
_PAUSE_S = 0.5


class Fleet:
    """One replica for each seat. `build` makes an engine in its process.

    `timeout_s` is how long a replica may be silent; `on_event` gets a line for each replacement.
    `seating` guards the replicas and their weights: callers hold it while they read or change them.
    With `wiring`, a learner's weights come straight from its ranks.
    """

    def __init__(
        self,
        build: Callable[[], SteppingEngine],
        seats: Sequence[Seat],
        *,
        timeout_s: float,
        logs: Path,
        on_event: Callable[[str], None],
    ) -> None:
        self._build = build
        self._seats = list(seats)
        self.timeout_s = timeout_s
        self._logs = logs
        self.on_event = on_event
        self._is_closed = False
        self.wiring: Wiring | None = None
        self._weights: tuple[StoredShares, int] | None = None
        self.seating = threading.RLock()
        self.replicas = [SeatedReplica(number, self._start(number)) for number in range(len(seats))]

    def ask_all(self, ask: Callable[[Any], Any]) -> list[Any]:
        """Return the answer of each replica; a lost replica is replaced, and asked again.

        Raises the last EngineLost when nobody replaces it within the time of an answer.
        """
        answered: dict[int, Any] = {}
        end_at = time.monotonic() + 2 * self.timeout_s
        while len(answered) < len(self.replicas):
            with self.seating:
                calls = [
                    (replica, replica.actor, ask(replica.actor))
                    for replica in self.replicas
                    if replica.number not in answered
                ]
            for replica, actor, call in calls:
                try:
                    [answered[replica.number]] = self._answers([call], who=replica.name)
                except EngineLost as error:
                    if time.monotonic() > end_at:
                        raise
                    self._replace_idle(replica, actor, error)
        return [answered[replica.number] for replica in self.replicas]

    def _answers(self, calls: Sequence[Any], *, who: str) -> list[Any]:
        return answers(calls, who=who, timeout_s=self.timeout_s)

    def load_weights(self, weights: Weights, *, version: int) -> None:
        """Give all replicas new weights; a replica that samples loads them between two slices.

        They are kept in the store, for a replica that is replaced before the next ones come.
        """
        tensors = weights.tensors
        stored = tensors if isinstance(tensors, StoredShares) else store(tensors.items())
        wiring = self._joined(stored)
        with self.seating:
            if wiring is not None and not wiring.has(self._actors()):
                wiring = None
            self._weights = (stored, version)
            sent = [] if wiring is None else wiring.send()
            calls = [self._push(replica, over_wire=bool(sent)) for replica in self.replicas]
        broken = []
        for replica, actor, call in calls:
            try:
                broken += self._answers([call], who=replica.name)
            except EngineLost as error:
                self._replace_idle(replica, actor, error)
                broken.append(error.what)
        if wiring is not None:
            wiring.finish(sent, broken)

    def _joined(self, stored: StoredShares) -> Wiring | None:
        """Return the wire if the weights can go over it; join it first where that is due.

        A replica that was just replaced reads from the store, since all others would wait for it.
        """
        wiring = self.wiring
        if wiring is None or not wiring.can_send(stored):
            return None
        with self.seating:
            actors = self._actors()
            if not all(replica.is_loaded for replica in self.replicas):
                return None
        return wiring if wiring.join(actors) else None

    def _actors(self) -> list[Any]:
        return [replica.actor for replica in self.replicas]

    def _push(
        self, replica: SeatedReplica, *, over_wire: bool = False
    ) -> tuple[SeatedReplica, Any, Any]:
        """Send the newest weights; return the replica, the actor that gets them and the call."""
        assert self._weights is not None
        stored, version = self._weights
        replica.version = version
        load = replica.actor.receive if over_wire else replica.actor.load_weights
        replica.loading = load.remote(stored, version)
        return replica, replica.actor, replica.loading

    def rest(self) -> None:
        """Free the GPUs; every replica needs weights again before it samples.

        A replica that is lost here has freed its GPU, too. It is replaced when weights come, since
        a new engine would now take the memory that the learner waits for.
        """
        with self.seating:
            calls = [(replica, replica.actor.rest.remote()) for replica in self.replicas]
            for replica, call in calls:
                replica.version = -1
                try:
                    self._answers([call], who=replica.name)
                except EngineLost as error:
                    # A silent replica may live, and would keep the GPU.
                    end([replica.actor])
                    self.on_event(f"{error.what}; to be replaced with the next weights")

    def describe(self) -> list[dict[str, object]]:
        """Return the state of each replica and how often it was replaced, for the heartbeat."""
        return [
            {
                "name": replica.name,
                "version": replica.version,
                "in_flight": len(replica.in_flight),
                "finished": replica.finished,
                "replaced": replica.replaced,
            }
            for replica in self.replicas
        ]

    def _start(self, number: int) -> Any:
        log = self._logs / f"replica-{number}.log"
        return start(Replica, self._seats[number], self._build, log)

    def _replace_idle(self, replica: SeatedReplica, actor: Any, error: EngineLost) -> None:
        """Replace a replica that was lost as this actor and has no requests in flight.

        If it has requests, generate() replaces it.
        """
        with self.seating:
            if replica.actor is actor and not replica.in_flight:
                self.replace(replica, f"{error.what}; replaced")
                return
        time.sleep(_PAUSE_S)

    def replace(self, replica: SeatedReplica, what: str) -> None:
        """Start a new actor for a lost replica and send it the newest weights.

        The caller holds `seating`.
        """
        if self._is_closed:
            raise EngineLost(f"{replica.name} has ended")
        replica.lost_in_a_row += 1
        if replica.lost_in_a_row > _MAX_LOSSES_IN_A_ROW:
            raise EngineLost(
                f"{replica.name} was lost {replica.lost_in_a_row} times without a result",
                where=str(self._logs / f"{replica.name}.log"),
            )
        self.on_event(what)
        replica.replaced += 1
        end([replica.actor])
        replica.actor = self._start(replica.number)
        replica.in_flight, replica.call, replica.version = {}, None, -1
        replica.loading = None
        if self._weights is not None:
            self._push(replica)

    def close(self) -> None:
        """End all replicas; none is replaced afterwards."""
        with self.seating:
            self._is_closed = True
            end([replica.actor for replica in self.replicas])
