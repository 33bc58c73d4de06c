"""Ranks as processes of this machine, without Ray: for checks, and for tests of one machine."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from reasonrl.engines.fsdp.ranks import Ranks, join
from reasonrl.engines.threads import use_threads
from reasonrl.errors import EngineError

_TIMEOUT_S = 240.0


def run_on_ranks(
    work: Callable[[Ranks], None],
    *,
    world: int,
    device: str,
    sequence_parallel: int = 1,
    where: str,
) -> None:
    """Run a function on each of `world` ranks, and wait for all of them.

    The function is sent to new processes, so it must be importable; it leaves its results in files.
    Each rank has a GPU of its own, or one thread on a CPU. Raises EngineError when a rank fails;
    `where` names the check.
    """
    # A fork would copy torch without its threads, and CUDA does not survive a fork.
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as directory:
        # Ranks meet at a file: a port that is free now may be another program's a moment later.
        shared = (world, f"file://{directory}/meeting", device, sequence_parallel)
        ranks = [
            context.Process(target=_be_rank, args=(work, rank, *shared)) for rank in range(world)
        ]
        for process in ranks:
            process.start()
        code = _first_failure(ranks)
    if code:
        raise EngineError(
            f"a rank of {world} ended with exit code {code}",
            where=where,
            remedy="read its traceback above, or in the row's log; "
            "NCCL_DEBUG=INFO makes nccl say more",
        )


def _be_rank(
    work: Callable[[Ranks], None],
    rank: int,
    world: int,
    address: str,
    device: str,
    sequence_parallel: int,
) -> None:
    """Be one rank: join the others, work, and leave."""
    use_threads(1 if device == "cpu" else 0)
    ranks = join(
        rank=rank,
        world=world,
        address=address,
        device=device if device == "cpu" else f"cuda:{rank}",
        sequence_parallel=sequence_parallel,
        timeout_s=_TIMEOUT_S,
    )
    work(ranks)
    ranks.leave()


def _first_failure(ranks: Sequence[BaseProcess]) -> int:
    """Wait for all ranks; return the first bad exit code, 0 without any.

    A rank that fails ends the others, which would wait for it until their timeout.
    """
    waiting = list(ranks)
    while waiting:
        wait([process.sentinel for process in waiting])
        for process in [process for process in waiting if process.exitcode is not None]:
            waiting.remove(process)
            if process.exitcode:
                for other in waiting:
                    other.kill()
                    other.join()
                return process.exitcode
    return 0
