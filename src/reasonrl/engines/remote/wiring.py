"""The driver's side of the wire: join the ranks and the replicas, and let the ranks send.

A wire has fixed members, so it is joined again after a replica was replaced. Where it breaks, each
replica reads the weights from the object store, which needs no member but the one that reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from reasonrl.engines.remote.cluster import answers
from reasonrl.engines.remote.learner import RemoteLearner
from reasonrl.engines.remote.objects import StoredShares
from reasonrl.engines.transfer import WireSeat
from reasonrl.errors import ReasonRLError

_MAX_FAILURES = 3
# A member gives up well before a replica that waits for it counts as silent.
_PATIENCE = 0.25


class Wiring:
    """A wire from the ranks of a learner to replicas of `processes` processes each.

    `timeout_s` is how long a replica may be silent; `on_event` gets a line for each failure.
    `n_sent` counts the syncs that went over the wire.
    """

    def __init__(
        self,
        learner: RemoteLearner,
        *,
        processes: int,
        timeout_s: float,
        on_event: Callable[[str], None],
    ) -> None:
        self.n_sent = 0
        self._learner = learner
        self._processes = processes
        self._timeout_s = timeout_s
        self._on_event = on_event
        self._replicas: tuple[Any, ...] = ()
        self._failures = 0

    def can_send(self, shares: object) -> bool:
        """Return whether these are the weights that the ranks hold now, which alone they can send.

        After several failures in a row the wire is not tried again.
        """
        is_now = isinstance(shares, StoredShares) and shares.cut == self._learner.cut
        return is_now and self._failures < _MAX_FAILURES

    def join(self, replicas: Sequence[Any]) -> bool:
        """Make the ranks and these replicas the members, unless they are; return if that worked."""
        if tuple(replicas) == self._replicas:
            return True
        self._replicas = ()
        try:
            self._seat(replicas)
        except ReasonRLError as error:
            self._failed(error.what)
            return False
        self._replicas = tuple(replicas)
        return True

    def has(self, replicas: Sequence[Any]) -> bool:
        """Return whether these are the replicas on the wire."""
        return tuple(replicas) == self._replicas

    def send(self) -> list[Any]:
        """Let all ranks send what they hold; return their calls. The replicas must receive now."""
        return [rank.send.remote() for rank in self._learner.actors]

    def finish(self, sent: Sequence[Any], broken: Sequence[str]) -> None:
        """Wait until the ranks have sent; `broken` are the replicas' texts, empty if all is well.

        A rank that is lost is found at the next call of the learner, not here.
        """
        try:
            texts = answers(sent, who="sending weights", name="rank", timeout_s=self._timeout_s)
        except ReasonRLError as error:
            texts = [error.what]
        if why := next(filter(None, (*broken, *texts)), ""):
            self._replicas = ()
            self._failed(why)
        else:
            self._failures = 0
            self.n_sent += 1

    def _seat(self, replicas: Sequence[Any]) -> None:
        ranks = self._learner.actors
        [address] = answers(
            [ranks[0].meeting_place.remote()], who="rank-0", timeout_s=self._timeout_s
        )
        world = len(ranks) + len(replicas) * self._processes
        numbers = [*range(len(ranks)), *range(len(ranks), world, self._processes)]
        seats = [
            WireSeat(
                address=address,
                number=number,
                world=world,
                timeout_s=_PATIENCE * self._timeout_s,
            )
            for number in numbers
        ]
        actors = (*ranks, *replicas)
        calls = [actor.join_wire.remote(seat) for actor, seat in zip(actors, seats, strict=True)]
        answers(calls, who="joining the wire", name="member", timeout_s=self._timeout_s)

    def _failed(self, why: str) -> None:
        self._failures += 1
        ending = "; it is not tried again" if self._failures >= _MAX_FAILURES else ""
        self._on_event(
            f"the wire from ranks to replicas broke ({why}): these weights came from the object "
            f"store{ending}"
        )
