"""The driver's side of the wire: join the ranks and the replicas, and let the weights cross.

A wire has fixed members, so it is joined again after a replica was replaced. Where it fails, the
weights go through the object store, which needs no member but the one that reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from reasonrl.engines.remote.cluster import answers, settle
from reasonrl.engines.remote.learner import RemoteLearner
from reasonrl.engines.remote.objects import StoredShares
from reasonrl.engines.transfer import WireSeat
from reasonrl.errors import ReasonRLError

_MAX_FAILURES = 3


class Wiring:
    """A wire from the ranks of a learner to replicas of `processes` processes each.

    `timeout_s` is how long a member waits for another one; `on_event` gets a line for each failure.
    """

    def __init__(
        self,
        learner: RemoteLearner,
        *,
        processes: int,
        timeout_s: float,
        on_event: Callable[[str], None],
    ) -> None:
        self._learner = learner
        self._processes = processes
        self._timeout_s = timeout_s
        self._on_event = on_event
        self._members: tuple[Any, ...] = ()
        self._failures = 0

    def start(
        self, shares: StoredShares, replicas: Sequence[Any], *, version: int
    ) -> list[Any] | None:
        """Start to send weights to all replicas; return the calls, or None where the wire cannot.

        The wire sends what the ranks hold now, so shares of an older state must be stored ones.
        """
        if shares.cut != self._learner.cut or self._failures >= _MAX_FAILURES:
            return None
        ranks = self._learner.actors
        try:
            self._join((*ranks, *replicas))
        except ReasonRLError as error:
            self._fail(error)
            return None
        sent = [rank.send.remote() for rank in ranks]
        return sent + [actor.receive.remote(shares.layout, version) for actor in replicas]

    def has_arrived(self, calls: Sequence[Any]) -> bool:
        """Return whether the weights that `start` sent are with every replica."""
        try:
            answers(calls, who="a member of the wire", timeout_s=self._timeout_s)
        except ReasonRLError as error:
            self._fail(error)
            return False
        self._failures = 0
        return True

    def _join(self, members: tuple[Any, ...]) -> None:
        """Make all these actors members, in this order, unless they are."""
        if members == self._members:
            return
        self._members = ()
        address = settle(self._learner.actors[0].meeting_place.remote(), who="rank-0")
        n_ranks = len(self._learner.actors)
        world = n_ranks + (len(members) - n_ranks) * self._processes
        calls = []
        for index, actor in enumerate(members):
            number = index if index < n_ranks else n_ranks + (index - n_ranks) * self._processes
            seat = WireSeat(address=address, number=number, world=world, timeout_s=self._timeout_s)
            calls.append(actor.join_wire.remote(seat))
        answers(calls, who="joining the wire", timeout_s=self._timeout_s)
        self._members = members

    def _fail(self, error: ReasonRLError) -> None:
        self._members = ()
        self._failures += 1
        ending = "; it is not tried again" if self._failures >= _MAX_FAILURES else ""
        self._on_event(
            f"the wire from ranks to replicas failed ({error.what}): these weights go through the "
            f"object store{ending}"
        )
