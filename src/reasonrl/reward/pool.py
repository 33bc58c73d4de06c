"""Worker processes for one reward function: deadlines, replacement, and failures as data.

A worker that hangs is killed with all processes that it started, a worker that dies is replaced;
the call that it was on is masked and the calls behind it are given to another worker. Knows only
how to run calls; `worker` is the other end.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from reasonrl.errors import ConfigError, VerifierError
from reasonrl.reward.process import Worker, lines, receive, send
from reasonrl.reward.record import RolloutRecord, to_json
from reasonrl.types import Score

_CHUNK = 16  # calls that a worker is given at once
_ASYNC_CHUNK = 64  # an async function answers them side by side
_START_S = 120.0  # a function's module may import a large library
_GRACE_S = 2.0  # an async function's own deadline comes first


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSpec:
    """A reward function, by an absolute path or a module's name, and how it is called."""

    name: str
    function: str
    batch: bool = False
    workers: int = 1
    deadline_s: float = 10.0
    log: str = ""


class FunctionPool:
    """The workers of one function. `files` are those that decide what it does."""

    def __init__(self, spec: FunctionSpec) -> None:
        self.spec = spec
        self.files: tuple[str, ...] = ()
        self.first_trace = ""
        self._idle: list[Worker] = []
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start a worker; raise ConfigError with line and remedy for a function of no use."""
        self._idle.append(self._spawn())

    def use_file(self, file: Path) -> None:
        """Load the function from another file, of the same content, in every later worker."""
        name = self.spec.function.rpartition(":")[2]
        self.spec = replace(self.spec, function=f"{file.resolve()}:{name}")
        # A function that needs more than its copies is found here, not when a worker is replaced.
        while self._idle:
            self._idle.pop().kill()
        self.start()

    def close(self) -> None:
        """Stop the workers. Safe to call twice."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().kill()

    def run(
        self, calls: Sequence[Sequence[RolloutRecord]], *, max_failed_share: float = 1.0
    ) -> list[list[Score]]:
        """Return a score for each record of each call, in order.

        A call without a usable result has scores without a value, whose note says why. Once more
        than `max_failed_share` of the calls have run out of time or killed their worker, the rest
        is not run: the step would be refused in any case.
        """
        if self._is_closed:
            raise VerifierError("the reward's workers are closed", remedy="open them again")
        return _Run(self, calls, max_failed_share).finish()

    def take(self) -> Worker:
        """Return an idle worker, or start one."""
        if self._idle:
            return self._idle.pop()
        try:
            return self._spawn()
        except ConfigError as error:
            raise VerifierError(error.what, where=error.where, remedy=error.remedy) from error

    def give_back(self, worker: Worker) -> None:
        """Keep a worker that owes nothing for the next calls."""
        if self._is_closed:
            worker.kill()
        else:
            self._idle.append(worker)

    def _spawn(self) -> Worker:
        spec = self.spec
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"}
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            environment.setdefault(name, "1")
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "reasonrl.reward.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=environment,
            start_new_session=True,
        )
        worker = Worker(process=process)
        setup = {
            "function": spec.function,
            "batch": spec.batch,
            "deadline_s": spec.deadline_s,
            "log": spec.log,
        }
        try:
            send(worker, setup)
            answer = receive(worker, within_s=_START_S)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            worker.kill()
            is_late = isinstance(error, TimeoutError)
            ending = f"no sign within {_START_S:g} s" if is_late else "its process ended"
            raise ConfigError(
                f"the reward function does not start: {ending}",
                where=f"reward {spec.name}: {spec.function}",
                remedy="import the file by hand to see what it does while it is loaded",
            ) from error
        if "refused" in answer:
            worker.kill()
            raise ConfigError(
                str(answer["refused"]),
                where=f"reward {spec.name}: {spec.function}",
                remedy=str(answer["remedy"]),
            )
        self.files, worker.is_async = tuple(answer["files"]), bool(answer["async"])
        return worker


class _Run:
    """One round of calls over the workers of a pool."""

    def __init__(
        self, pool: FunctionPool, calls: Sequence[Sequence[RolloutRecord]], max_failed_share: float
    ) -> None:
        self._pool = pool
        self._calls = calls
        self._todo = deque(range(len(calls)))
        self._results: dict[int, list[Score]] = {}
        self._lost = 0
        self._alone: set[int] = set()
        self._most_lost = max(pool.spec.workers, int(max_failed_share * len(calls)))
        self._busy: dict[int, Worker] = {}
        self._selector = selectors.DefaultSelector()
        self._share = max(1, -(-len(calls) // pool.spec.workers))

    def finish(self) -> list[list[Score]]:
        """Run all calls and return their scores."""
        try:
            while self._todo or self._busy:
                self._give_work()
                for key, _ in self._selector.select(timeout=self._wait_s()):
                    self._read(key.data)
                self._end_late_workers()
        finally:
            self._selector.close()
            for worker in self._busy.values():
                worker.kill()
        return [self._results[number] for number in range(len(self._calls))]

    def _give_work(self) -> None:
        """Give every free worker a chunk of calls."""
        if self._lost > self._most_lost:
            self._drop_rest()
        while self._todo and len(self._busy) < self._pool.spec.workers:
            worker = self._pool.take()
            size = min(self._share, _ASYNC_CHUNK if worker.is_async else _CHUNK, len(self._todo))
            size = 1 if self._todo[0] in self._alone else size
            worker.chunk = [self._todo.popleft() for _ in range(size)]
            worker.owed = deque(worker.chunk)
            payload = [
                [to_json(record) for record in self._calls[number]] for number in worker.chunk
            ]
            self._busy[worker.process.pid] = worker
            assert worker.process.stdout is not None
            self._selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
            worker.since = time.monotonic()
            try:
                send(worker, payload)
            except OSError:
                self._lose(worker, "its worker died")

    def _drop_rest(self) -> None:
        note = f"not run: {self._lost} calls before it ran out of time or ended their worker"
        while self._todo:
            self._fail(self._todo.popleft(), note)

    def _read(self, worker: Worker) -> None:
        """Take every answer that a worker has written."""
        try:
            answers = lines(worker)
        except (OSError, EOFError, ValueError):
            self._lose(worker, "it ended its worker process; return a value instead")
            return
        for answer in answers:
            number = worker.chunk[answer["call"]]
            worker.owed.remove(number)
            worker.since = time.monotonic()
            if "error" in answer:
                self._pool.first_trace = self._pool.first_trace or answer["trace"]
                self._fail(number, answer["error"])
            else:
                self._results[number] = [
                    Score(value=value, note=note) for value, note in answer["values"]
                ]
        if not worker.owed:
            self._release(worker)
            self._pool.give_back(worker)

    def _end_late_workers(self) -> None:
        now = time.monotonic()
        for worker in list(self._busy.values()):
            if now > self._deadline_of(worker):
                self._lose(worker, f"no result within {self._pool.spec.deadline_s:g} s")

    def _deadline_of(self, worker: Worker) -> float:
        grace_s = _GRACE_S if worker.is_async else 0.0
        return worker.since + self._pool.spec.deadline_s + grace_s

    def _lose(self, worker: Worker, why: str) -> None:
        """Give up the call that a worker was on, and the worker; put its other calls back.

        Of the calls that an async function answered side by side nobody knows which is at fault:
        each is called again alone.
        """
        self._release(worker)
        worker.kill()
        if len(worker.owed) > 1 and worker.is_async:
            self._alone.update(worker.owed)
            self._todo.extendleft(reversed(worker.owed))
            return
        self._lost += 1
        self._fail(worker.owed.popleft(), why)
        self._todo.extendleft(reversed(worker.owed))

    def _release(self, worker: Worker) -> None:
        del self._busy[worker.process.pid]
        self._selector.unregister(worker.process.stdout)  # type: ignore[arg-type]

    def _fail(self, number: int, why: str) -> None:
        self._results[number] = [Score(value=None, note=why) for _ in self._calls[number]]

    def _wait_s(self) -> float:
        """Return the seconds until the first deadline of a busy worker."""
        first = min(map(self._deadline_of, self._busy.values()), default=0.0)
        return max(0.0, first - time.monotonic()) + 0.001
