"""The worker pool on its own. `eval` plays a checker that misbehaves on demand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reasonrl.types import Status
from reasonrl.verify.pool import Failure, WorkerPool


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool[object]]:
    shared: WorkerPool[object] = WorkerPool(eval, workers=1, memory_mb=1_024)
    yield shared
    shared.close()


def test_a_task_past_its_deadline_is_killed_and_the_others_finish(pool: WorkerPool[object]) -> None:
    calls = [("1+1",), ("__import__('time').sleep(600)",), ("2+2",)]

    before, stuck, after = pool.run(calls, deadline_s=2.0)

    assert (before, after) == (2, 4)
    assert isinstance(stuck, Failure)
    assert stuck.status is Status.TIMEOUT


def test_a_worker_that_ignores_signals_in_c_code_is_killed_too(pool: WorkerPool[object]) -> None:
    (stuck,) = pool.run([("len(str(9**(9**8)))",)], deadline_s=0.5)

    assert isinstance(stuck, Failure)
    assert stuck.status is Status.TIMEOUT


def test_an_exception_is_an_infrastructure_error_with_its_name(pool: WorkerPool[object]) -> None:
    broken, fine = pool.run([("1/0",), ("3",)], deadline_s=20.0)

    assert fine == 3
    assert isinstance(broken, Failure)
    assert broken.status is Status.INFRA_ERROR
    assert "ZeroDivisionError" in broken.reason


def test_memory_beyond_the_limit_is_an_infrastructure_error(pool: WorkerPool[object]) -> None:
    (greedy,) = pool.run([("len(bytearray(1 << 33))",)], deadline_s=20.0)

    assert isinstance(greedy, Failure)
    assert "MemoryError" in greedy.reason


def test_a_task_that_kills_every_worker_is_given_up(pool: WorkerPool[object]) -> None:
    deadly, fine = pool.run([("__import__('os')._exit(3)",), ("5",)], deadline_s=20.0)

    assert fine == 5
    assert isinstance(deadly, Failure)
    assert deadly.status is Status.INFRA_ERROR
