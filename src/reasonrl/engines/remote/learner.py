"""Learning on ranks: one call here is the same call on every rank, and has one answer.

Ranks wait for each other, so a lost rank blocks the others. All of them are then ended, and
`EngineLost` lets the run start again from its last checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import ray
from torch import Tensor

from reasonrl.algo.loss import Objective
from reasonrl.engines.protocols import LearnerEngine, Progress, TokenValue, TrainBatch, UpdateStats
from reasonrl.engines.remote.cluster import (
    Seat,
    answers,
    end,
    failures_to_log,
    start,
    write_output_to,
)
from reasonrl.engines.remote.objects import Checked, StoredShares, put_share
from reasonrl.engines.transfer import ShareLayout, Wire, WireSeat, meeting, share
from reasonrl.engines.weights import Weights
from reasonrl.errors import EngineError, EngineLost, StorageError
from reasonrl.types import Logprobs

_POLL_S = 1.0
_SILENCE_S = 10.0
# A second thread of a rank, which answers while the first one works.
_WATCH = "watch"


class RankEngine(LearnerEngine, Protocol):
    """One rank of a learner; every call is made on all ranks."""

    @property
    def device(self) -> str: ...
    def layout(self) -> ShareLayout: ...
    def pieces(self, layout: ShareLayout) -> Iterator[dict[str, Tensor]]: ...
    def rest(self) -> None: ...
    def return_to_work(self) -> None: ...


BuildRank = Callable[[int, str], RankEngine]
"""A function that makes a rank, given its number and the address at which the ranks meet."""


@failures_to_log
class _Rank:
    """One rank in its own process. One thread does the work; another one answers meanwhile."""

    def __init__(self) -> None:
        self._rank = -1
        self._engine: RankEngine
        self._done = 0
        self._met: tuple[object, ...] = ()
        self._wire: Wire | None = None

    def meeting_place(self) -> str:
        """Return an address at which other processes can meet.

        The first address lasts as long as this process, for the ranks; any other until the next.
        """
        met, address = meeting(ray.util.get_node_ip_address())
        self._met = (*self._met[:1], met)
        return address

    def seat(self) -> tuple[str, list[str]]:
        """Return the id of this rank's node, and the ids of its GPUs there."""
        context = ray.get_runtime_context()
        return context.get_node_id(), [str(gpu) for gpu in ray.get_gpu_ids()]

    def build(self, build: BuildRank, rank: int, address: str, log: Path) -> None:
        write_output_to(log)
        self._rank = rank
        self._engine = build(rank, address)

    def at_tokens(self, batch: TrainBatch, what: TokenValue, temperature: float) -> Logprobs | None:
        values_N = self._engine.at_tokens(batch, what, temperature=temperature)
        return values_N if self._rank == 0 else None

    def update(
        self, batch: TrainBatch, objective: Objective, learning_rate: float
    ) -> UpdateStats | None:
        self._done = 0
        stats = self._engine.update(
            batch, objective, learning_rate=learning_rate, progress=self._count
        )
        return stats if self._rank == 0 else None

    def done(self) -> int:
        """Return the number of rollouts that this rank has finished in this update."""
        return self._done

    def weights(self) -> tuple[ShareLayout, list[Checked]]:
        """Put this rank's share of the weights into the object store."""
        layout, pieces = self._own_rows()
        return layout, [put_share(layout, number, self._rank, mine) for number, mine in pieces]

    def join_wire(self, seat: WireSeat) -> None:
        """Leave the wire that this rank is a member of, and become a member of another."""
        self._wire = Wire.instead_of(self._wire, seat, device=self._engine.device)

    def send(self) -> str:
        """Send this rank's share of the weights over the wire; return what broke it, or nothing."""
        assert self._wire is not None
        layout, pieces = self._own_rows()
        arrays = (share(layout, number, self._rank, mine) for number, mine in pieces)
        return self._wire.send(layout, arrays)

    def _own_rows(self) -> tuple[ShareLayout, Iterator[tuple[int, dict[str, Tensor]]]]:
        """Return the layout of the weights, and this rank's rows by the number of their bucket."""
        layout = self._engine.layout()
        return layout, enumerate(self._engine.pieces(layout))

    def save(self, directory: Path) -> list[str]:
        """Write this rank's part; return the names of the tensor files that it sees there."""
        self._engine.save(directory)
        return [path.name for path in directory.glob("*.safetensors")]

    def load(self, directory: Path) -> None:
        self._engine.load(directory)

    def reset_optimizer(self) -> None:
        self._engine.reset_optimizer()

    def rest(self) -> None:
        self._engine.rest()

    def return_to_work(self) -> None:
        self._engine.return_to_work()

    def _count(self, n: int) -> None:
        self._done += n


class RemoteLearner:
    """The driver of one rank for each seat. `build` makes a rank in the rank's process.

    `cut` is another number after each change of the weights.
    """

    def __init__(
        self, build: BuildRank, seats: Sequence[Seat], *, timeout_s: float, logs: Path
    ) -> None:
        self.version = 0
        self.cut = 0
        self._doing = "starting"
        self._timeout_s = timeout_s
        self.actors = [start(_Rank, seat, groups={_WATCH: 1}) for seat in seats]
        try:
            # Ranks that share a row have neighbouring numbers, so number the ranks by node.
            seated = self.seats()
            order = sorted(range(len(seated)), key=lambda number: seated[number])
            self.actors = [self.actors[number] for number in order]
            [address] = self._all("meeting_place", [self.actors[0].meeting_place.remote()])
            calls = [
                actor.build.remote(build, rank, address, logs / f"rank-{rank}.log")
                for rank, actor in enumerate(self.actors)
            ]
            self._all("build", calls)
        except BaseException:
            end(self.actors)
            raise

    def seats(self) -> list[tuple[str, list[str]]]:
        """Return the node and the GPUs of each rank."""
        return self._all("seat", [actor.seat.remote() for actor in self.actors])

    def describe(self) -> list[dict[str, object]]:
        """Return the name of each rank and of its newest call, for the heartbeat."""
        return [{"name": f"rank-{rank}", "doing": self._doing} for rank in range(len(self.actors))]

    def at_tokens(self, batch: TrainBatch, what: TokenValue, *, temperature: float) -> Logprobs:
        stored = ray.put(batch)
        calls = [actor.at_tokens.remote(stored, what, temperature) for actor in self.actors]
        values_N: Logprobs = self._all(what.value, calls)[0]
        return values_N

    def update(
        self,
        batch: TrainBatch,
        objective: Objective,
        *,
        learning_rate: float,
        progress: Progress | None = None,
    ) -> UpdateStats:
        self.cut += 1
        stored = ray.put(batch)
        calls = [actor.update.remote(stored, objective, learning_rate) for actor in self.actors]
        if progress:
            self._watch(calls, progress, batch.n_rollouts)
        stats: UpdateStats = self._all("update", calls)[0]
        return stats

    def _watch(self, calls: Sequence[Any], progress: Progress, total: int) -> None:
        """Report progress until a rank has finished or failed."""
        seen, end_at = 0, time.monotonic() + self._timeout_s
        while not ray.wait(list(calls), timeout=_POLL_S)[0] and time.monotonic() < end_at:
            done, _ = ray.wait(
                refs := [
                    actor.done.options(concurrency_group=_WATCH).remote() for actor in self.actors
                ],
                num_returns=len(self.actors),
                timeout=_POLL_S,
            )
            if len(done) < len(refs):
                continue
            now = min(total, sum(self._all("done", refs)))
            progress(now - seen)
            seen = now
        progress(total - seen)

    def weights(self) -> Weights:
        given = self._all("weights", [actor.weights.remote() for actor in self.actors])
        layout = given[0][0]
        stored = StoredShares(layout, [share for _, share in given], cut=self.cut)
        return Weights(tensors=stored, version=self.version, known=stored.checksums)

    def save(self, directory: Path) -> None:
        directory = directory.resolve()
        seen = self._all("save", [actor.save.remote(directory) for actor in self.actors])
        written = {name for names in seen for name in names}
        if missing := written - {path.name for path in directory.glob("*.safetensors")}:
            raise StorageError(
                f"ranks wrote {min(missing)}, which the driver does not see",
                where=str(directory),
                expected="one file system for the driver and all ranks",
                remedy="choose a --run-dir that all nodes share",
            )

    def load(self, directory: Path) -> None:
        self.cut += 1
        self._all("load", [actor.load.remote(directory.resolve()) for actor in self.actors])

    def reset_optimizer(self) -> None:
        self._all("reset_optimizer", [actor.reset_optimizer.remote() for actor in self.actors])

    def rest(self) -> None:
        """Leave the GPUs to the samplers."""
        self._all("rest", [actor.rest.remote() for actor in self.actors])

    def return_to_work(self) -> None:
        self._all("return_to_work", [actor.return_to_work.remote() for actor in self.actors])

    def _all(self, what: str, calls: Sequence[Any]) -> list[Any]:
        self._doing = what
        try:
            results = answers(calls, who=what, name="rank", timeout_s=self._timeout_s)
            self._doing = "waiting"
            return results
        except EngineError as error:
            if not isinstance(error, EngineLost) and not self._has_silent_rank():
                raise
            # The other ranks wait for the lost one in a collective call and never return.
            end(self.actors)
            if isinstance(error, EngineLost):
                raise
            raise EngineLost(f"a learner rank is lost: {error.what}") from error

    def _has_silent_rank(self) -> bool:
        """Return whether a rank does not answer; then its loss caused the other ranks' errors."""
        asked = [actor.done.options(concurrency_group=_WATCH).remote() for actor in self.actors]
        done, _ = ray.wait(asked, num_returns=len(asked), timeout=_SILENCE_S)
        return len(done) < len(asked)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        end(self.actors)
