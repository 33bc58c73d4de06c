"""The wire: a process group over which ranks send their shares straight into the samplers' memory.

It joins all ranks of a learner and every process that holds weights of a sampler, nccl between GPUs
and gloo between CPUs. Ranks have the first numbers. For each bucket every rank in turn sends its
share to all, so each byte of the policy crosses once, in a tree of all members, and is never
gathered. Members that send receive the shares of the others too, and drop them.

A wire breaks for all members or for none: who meets an error leaves, and whoever waits for him then
meets one, too. A broken wire is no exception but a text, since the weights have another way.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from reasonrl.engines.transfer.shares import ShareLayout

# How long a process tries to reach the store at which it meets the others.
_MEET_S = 60.0
# Asks nccl to wait on the host, so that an error is raised where the bytes should have come.
_WAIT_ON_HOST = "TORCH_NCCL_BLOCKING_WAIT"


def meeting(host: str) -> tuple[TCPStore, str]:
    """Return a store at which processes meet, and its address; it lasts as long as the store lives.

    The store itself takes a free port, so no other program can take the port in between.
    """
    store = TCPStore(host, 0, is_master=True, wait_for_workers=False)
    return store, f"tcp://{host}:{store.port}"


def store_at(address: str, *, timeout: timedelta) -> TCPStore:
    """Return the store at an address that `meeting` returned; its calls wait up to `timeout`."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    store = TCPStore(host, int(port), is_master=False, timeout=timedelta(seconds=_MEET_S))
    store.set_timeout(timeout)
    return store


@dataclass(frozen=True, slots=True, kw_only=True)
class WireSeat:
    """A place on a wire: its number among `world` members, and the address where they meet.

    A member that waits longer than `timeout_s` for another one gives up.
    """

    address: str
    number: int
    world: int
    timeout_s: float


class Wire:
    """One member's end of the wire. Every call is made by all members, in the same order."""

    def __init__(self, seat: WireSeat, *, device: str) -> None:
        self._number = seat.number
        self._device = torch.device(device)
        timeout = timedelta(seconds=seat.timeout_s)
        store = store_at(seat.address, timeout=timeout)
        self._group: Any
        if self._device.type == "cpu":
            self._group = dist.ProcessGroupGloo(store, seat.number, seat.world, timeout)
            return
        options = dist.ProcessGroupNCCL.Options()
        options._timeout = timeout
        with _waiting_on_host():
            self._group = dist.ProcessGroupNCCL(store, seat.number, seat.world, options)

    @classmethod
    def instead_of(cls, before: Wire | None, seat: WireSeat, *, device: str) -> Self:
        """Leave the wire before, if there was one, and become a member of another."""
        if before is not None:
            before.leave()
        return cls(seat, device=device)

    def send(self, layout: ShareLayout, shares: Iterable[Tensor]) -> str:
        """Send this rank's arrays, bucket by bucket; return what broke the wire, or nothing.

        All of `shares` are read in any case, since making them may be a call of all ranks.
        """
        broken = ""
        for number, mine in enumerate(shares):
            try:
                if not broken:
                    for rank in range(layout.ranks):
                        self._cross(layout, number, rank, mine if rank == self._number else None)
            except RuntimeError as error:
                broken = self.broken_by(error)
        return broken

    @contextmanager
    def receiving(self, layout: ShareLayout) -> Iterator[Incoming]:
        """Give the weights that the ranks send; all of them must be read in this context."""
        try:
            yield Incoming(self, layout)
        except BaseException:
            self.leave()
            raise

    def opened(self, layout: ShareLayout, number: int) -> Iterator[tuple[str, Tensor]]:
        """Receive a bucket; yield its names and weights."""
        arrays = [self._cross(layout, number, rank, None) for rank in range(layout.ranks)]
        return layout.opened(number, arrays)

    def leave(self) -> None:
        """Leave the wire; members that wait for this one get an error. It may be left twice."""
        if self._group is not None:
            self._group.abort()
            self._group = None

    def broken_by(self, error: RuntimeError) -> str:
        """Leave the wire after an error; return the error's first line."""
        self.leave()
        return str(error).strip().partition("\n")[0][:200]

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


class Incoming(Mapping[str, Tensor]):
    """The weights that are about to come over a wire, to be read once and in order by `items()`.

    If the wire breaks the weights end early, and `broken` says why: an engine that reads them must
    be able to end its reading, and then needs all weights again.
    """

    def __init__(self, wire: Wire, layout: ShareLayout) -> None:
        self.broken = ""
        self._wire, self._layout = wire, layout

    def __iter__(self) -> Iterator[str]:
        return iter(self._layout.names)

    def __len__(self) -> int:
        return len(self._layout.names)

    def __getitem__(self, name: str) -> Tensor:
        raise KeyError(f"{name} comes in its turn: read items()")

    def items(self) -> Any:
        """Yield names and tensors as they come. An iterator, unlike dict.items."""
        for number in range(len(self._layout.buckets)):
            try:
                weights = self._wire.opened(self._layout, number)
            except RuntimeError as error:
                self.broken = self._wire.broken_by(error)
                return
            yield from weights


@contextmanager
def _waiting_on_host() -> Iterator[None]:
    """Let a process group that is made in this context wait on the host, and no other group."""
    before = os.environ.get(_WAIT_ON_HOST)
    os.environ[_WAIT_ON_HOST] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_WAIT_ON_HOST]
        else:
            os.environ[_WAIT_ON_HOST] = before
