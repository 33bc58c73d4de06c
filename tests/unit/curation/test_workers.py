"""Jobs in worker processes: results in order, and the death of a worker is an error."""

import os
import signal
import time
from functools import partial

import pytest

from reasonrl.curation.workers import run_all
from reasonrl.errors import DataError, StorageError


def square_slowly(n):
    time.sleep(0.2 if n == 0 else 0)  # the first job ends last
    return n * n


def process_of(_job):
    return os.getpid()


def fail_at(bad, n):
    if n == bad:
        raise DataError("a bad job")
    return n


def die_at(bad, n):
    if n == bad:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_jobs_and_each_is_counted(workers):
    counted = []
    assert run_all(square_slowly, range(5), workers=workers, count=counted.append) == [
        0, 1, 4, 9, 16,
    ]  # fmt: skip
    assert counted == [1] * 5


@pytest.mark.parametrize(("jobs", "workers"), [([], 2), ([0], 2), ([0, 1], 1)])
def test_a_single_job_or_worker_needs_no_other_process(jobs, workers):
    processes = run_all(process_of, jobs, workers=workers, count=lambda _n: None)
    assert processes == [os.getpid()] * len(jobs)


def test_an_error_of_a_job_is_raised_here():
    with pytest.raises(DataError, match="a bad job"):
        run_all(partial(fail_at, 2), range(4), workers=2, count=lambda _n: None)


def test_a_killed_worker_is_an_error_that_says_what_to_do():
    with pytest.raises(StorageError, match="set fewer `workers` and rerun"):
        run_all(partial(die_at, 1), range(4), workers=2, count=lambda _n: None)


def test_ctrl_c_is_not_blocked_afterwards():
    run_all(square_slowly, range(2), workers=2, count=lambda _n: None)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
