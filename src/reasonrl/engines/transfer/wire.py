"""The wire: a process group over which ranks send their shares straight into the samplers' memory.

It joins all ranks of a learner and every process that holds weights of a sampler, nccl between GPUs
and gloo between CPUs. Ranks have the first numbers. For each bucket every rank in turn sends its
share to all, so each byte of the policy crosses once, in a tree of all members, and is never
gathered. Members that send receive the shares of the others too, and drop them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from reasonrl.engines.transfer.shares import ShareLayout

# How long a member that is there waits for the store of the others to answer.
_MEET_S = 60.0


def meeting(host: str) -> tuple[TCPStore, str]:
    """Return a store at which processes meet, and its address; it lasts as long as the store lives.

    The store itself takes a free port, so no other program can take the port in between.
    """
    store = TCPStore(host, 0, is_master=True, wait_for_workers=False)
    return store, f"tcp://{host}:{store.port}"


def store_at(address: str, *, timeout_s: float = _MEET_S) -> TCPStore:
    """Return the store at an address that `meeting` returned."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return TCPStore(host, int(port), is_master=False, timeout=timedelta(seconds=timeout_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class WireSeat:
    """A place on a wire: its number among `world` members, and the address where they meet.

    A member that waits longer than `timeout_s` for another one gives up.
    """

    address: str
    number: int
    world: int
    timeout_s: float


class Incoming(Mapping[str, Tensor]):
    """The weights that are about to come over a wire, to be read once and in order by `items()`."""

    def __init__(self, stream: Iterator[tuple[str, Tensor]], layout: ShareLayout) -> None:
        self._stream, self._names = stream, layout.names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, name: str) -> Tensor:
        raise KeyError(f"{name} comes in its turn: read items()")

    def items(self) -> Any:
        """Return an iterator over names and tensors as they come, unlike dict.items."""
        return self._stream


class Wire:
    """One member's end of the wire. Every call is made by all members, in the same order."""

    def __init__(self, seat: WireSeat, *, device: str) -> None:
        self._number = seat.number
        self._device = torch.device(device)
        timeout = timedelta(seconds=seat.timeout_s)
        store = store_at(seat.address)
        store.set_timeout(timeout)
        self._group: Any
        if self._device.type == "cpu":
            self._group = dist.ProcessGroupGloo(store, seat.number, seat.world, timeout)
        else:
            options = dist.ProcessGroupNCCL.Options()
            options._timeout = timeout
            self._group = dist.ProcessGroupNCCL(store, seat.number, seat.world, options)

    def send(self, layout: ShareLayout, shares: Iterable[Tensor]) -> None:
        """Send this rank's arrays, bucket by bucket; see `shares.share`."""
        with self._failing_together():
            for number, mine in enumerate(shares):
                for rank in range(layout.ranks):
                    self._cross(layout, number, rank, mine if rank == self._number else None)

    @contextmanager
    def receiving(self, layout: ShareLayout) -> Iterator[Incoming]:
        """Give the weights that the ranks send; all of them must be read in this context."""
        with self._failing_together():
            yield Incoming(self._opened(layout), layout)

    @contextmanager
    def _failing_together(self) -> Iterator[None]:
        """Leave the wire on an error, so that the members that wait for this one fail, too."""
        try:
            yield
        except BaseException:
            self.leave()
            raise

    def _opened(self, layout: ShareLayout) -> Iterator[tuple[str, Tensor]]:
        """Yield names and weights as they come; one bucket is in memory at a time."""
        for number in range(len(layout.buckets)):
            shares = [self._cross(layout, number, rank, None) for rank in range(layout.ranks)]
            yield from layout.opened(number, shares)

    def leave(self) -> None:
        """Leave the wire; members that wait for this one get an error. It may be left twice."""
        if self._group is not None:
            self._group.abort()
            self._group = None

    def _cross(self, layout: ShareLayout, number: int, rank: int, mine: Tensor | None) -> Tensor:
        """Return a rank's array of a bucket after it has crossed; `mine` is what this one sends."""
        size = layout.nbytes(number, rank)
        array = mine
        if array is None:
            array = torch.empty(size, dtype=torch.uint8, device=self._device)
        if size:
            options = dist.BroadcastOptions()
            options.rootRank, options.rootTensor = rank, 0
            self._group.broadcast([array], options).wait()
        return array
