"""The process group of all ranks, and within it the groups of ranks that share a row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import ProcessGroup
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from reasonrl.engines.transfer import store_at
from reasonrl.errors import EngineError
from reasonrl.models.routing import Routing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranks:
    """One process's rank among all. Rows go to `n_rows` groups of `sequence_parallel` ranks each;
    parameters are sharded over all ranks."""

    rank: int
    world: int
    sequence_parallel: int
    device: str
    mesh: DeviceMesh
    row_group: ProcessGroup | None

    @property
    def n_rows(self) -> int:
        return self.world // self.sequence_parallel

    @property
    def row(self) -> int:
        """Return the index of the row of a round that this rank works on."""
        return self.rank // self.sequence_parallel

    @property
    def part(self) -> int:
        """Return the index of the part of its row that this rank holds."""
        return self.rank % self.sequence_parallel

    def total(self, values: Tensor) -> Tensor:
        """Sum over all ranks, in place, and return the sum."""
        dist.all_reduce(values)
        return values

    def routing(self, mine: Routing | None) -> Routing | None:
        """Return the sums of all ranks' routing; None for a model without experts."""
        if mine is None:
            return None
        n_tokens = torch.tensor(mine.n_tokens, device=mine.chosen_YE.device)
        return Routing(
            chosen_YE=self.total(mine.chosen_YE),
            probs_YE=self.total(mine.probs_YE),
            n_tokens=int(self.total(n_tokens)),
        )

    def leave(self) -> None:
        """Leave the group. No collective call works afterwards."""
        if dist.is_initialized():
            dist.destroy_process_group()


def join(
    *,
    rank: int,
    world: int,
    address: str,
    device: str = "cpu",
    sequence_parallel: int = 1,
    timeout_s: float = 3_600.0,
) -> Ranks:
    """Join the other ranks at `address`, and wait for all of them.

    The address is a file://path, or that of a store (transfer.meeting), tcp://host:port.
    Raises EngineError when the ranks cannot be divided into rows.
    """
    if world % sequence_parallel:
        raise EngineError(
            f"{world} ranks cannot work in groups of {sequence_parallel}",
            where="engine.learner",
            expected="ranks a multiple of sequence_parallel",
            remedy="set engine.learner.ranks or engine.learner.sequence_parallel accordingly",
        )
    if device != "cpu":
        torch.cuda.set_device(device)
    timeout = timedelta(seconds=timeout_s)
    is_file = address.startswith("file://")
    dist.init_process_group(
        "gloo" if device == "cpu" else "nccl",
        init_method=address if is_file else None,
        store=None if is_file else store_at(address, timeout=timeout),
        rank=rank,
        world_size=world,
        timeout=timeout,
    )
    row_group = None
    # torch requires that every rank takes part in making every group.
    for first in range(0, world, sequence_parallel):
        members = list(range(first, first + sequence_parallel))
        # A new group has a timeout of its own, which would be the ten minutes of nccl.
        group = dist.new_group(members, timeout=timeout)
        if rank in members:
            row_group = group
    return Ranks(
        rank=rank,
        world=world,
        sequence_parallel=sequence_parallel,
        device=device,
        mesh=init_device_mesh(torch.device(device).type, (world,)),
        row_group=row_group,
    )
