"""Own supervisor processes: send them jobs from any thread, replace those that die.

Knows frames and processes, no code and no tests. A job whose supervisor dies is given to a new one;
after `_ROUNDS` deaths it has no result. Called by `verdict`.
"""

from __future__ import annotations

import os
import queue
import select
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from reasonrl.errors import VerifierError
from reasonrl.verify import sandbox
from reasonrl.verify.code.isolation import Isolation, Machine, describe_parts, setting_for
from reasonrl.verify.sandbox import frames, supervisor
from reasonrl.verify.sandbox.zygote import FLAGS

_ROUNDS = 3
_SLACK_S = 30.0  # above a job's own time: a supervisor that takes longer has a fault
_START_S = 60.0


class SupervisorDied(Exception):
    """Report a supervisor that ended, or that does not answer."""


class Supervisor:
    """Hold one supervisor process and speak with it."""

    def __init__(self, level: Isolation) -> None:
        package = str(Path(sandbox.__file__).parent.parent)
        command = [os.path.realpath(sys.executable), *FLAGS]
        self._process = subprocess.Popen(
            [*command, "-c", supervisor.BOOT, package, setting_for(level).to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            cwd="/",
        )
        self._in, self._out = (
            stream.fileno() if stream is not None else -1
            for stream in (self._process.stdin, self._process.stdout)
        )
        try:
            answer = self._receive(_START_S)
        except SupervisorDied:
            self.close()
            raise
        if not answer.get("ready"):
            self.close()
            raise VerifierError(
                f"no sandbox of level {level}: {answer.get('error', 'it does not start')}",
                remedy="see `reasonrl sandbox check` for what this machine allows",
            )
        has_group = bool(answer.get("memory_group"))
        self.memory = "a memory control group" if has_group else "watched memory"

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, job: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run one job. Raises SupervisorDied."""
        try:
            frames.send(self._in, job, frames.MAX_JOB_BYTES)
        except frames.Malformed as error:
            return {"fault": f"the tests are too large: {error}"}
        except (frames.Closed, OSError) as error:
            raise SupervisorDied("it ended") from error
        return self._receive(job["limits"]["total_s"] + _SLACK_S)

    def close(self) -> None:
        """End the process and with it all below it; safe to call twice."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _receive(self, timeout_s: float) -> Mapping[str, Any]:
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        if not poll.poll(timeout_s * 1e3):
            raise SupervisorDied(f"no answer within {timeout_s:g} s")
        try:
            answer = frames.receive(self._out)
        except (frames.Closed, frames.Malformed, OSError) as error:
            raise SupervisorDied("it ended") from error
        if not isinstance(answer, dict):
            raise SupervisorDied("it answers nonsense")
        return answer


class SupervisorPool:
    """Run jobs on up to `workers` supervisors, each started when first needed."""

    def __init__(self, *, workers: int, level: Isolation) -> None:
        self._workers = workers
        self._level = level
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._idle: queue.LifoQueue[Supervisor | None] = queue.LifoQueue()
        self._all: set[Supervisor] = set()
        self._lock = threading.Lock()
        self._is_closed = False
        for _ in range(self._workers):
            self._idle.put(None)

    def run(self, jobs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return an answer for each job, in order: a supervisor's, or `{"fault": reason}`."""
        if self._pid != os.getpid():  # a fork: the supervisors belong to the parent
            self._reset()
        if len(jobs) <= 1 or self._workers == 1:
            return [self._run(job) for job in jobs]
        with ThreadPoolExecutor(min(self._workers, len(jobs))) as threads:
            return list(threads.map(self._run, jobs))

    def describe(self) -> str:
        """Start a supervisor, if there is none, and say what walls it has."""
        one = self._idle.get()
        try:
            one = one or self._start()
            return f"{self._level} and {one.memory}"
        except SupervisorDied as error:
            raise VerifierError(
                f"no sandbox: {error}", remedy="see `reasonrl sandbox check`"
            ) from None
        finally:
            self._idle.put(one)

    def close(self) -> None:
        """End all supervisors. Using the pool afterwards raises VerifierError."""
        with self._lock:
            self._is_closed = True
            supervisors, self._all = self._all, set()
        if self._pid == os.getpid():
            for one in supervisors:
                one.close()

    def _run(self, job: Mapping[str, Any]) -> Mapping[str, Any]:
        reason = ""
        for _ in range(_ROUNDS):
            one = self._idle.get()
            try:
                one = one or self._start()
                answer = one.ask(job)
                if "error" not in answer:
                    return answer
                raise SupervisorDied(str(answer["error"]))
            except SupervisorDied as error:
                reason = str(error)
                if one is not None:
                    self._drop(one)
                    one = None
            finally:
                self._idle.put(one)
        return {"fault": f"the supervisor died {_ROUNDS} times: {reason}"}

    def _start(self) -> Supervisor:
        if self._is_closed:
            raise VerifierError("the verifier is closed", remedy="create a new Verifier")
        one = Supervisor(self._level)
        with self._lock:
            self._all.add(one)
        return one

    def _drop(self, one: Supervisor) -> None:
        with self._lock:
            self._all.discard(one)
        one.close()


def probe() -> Machine:
    """Try the levels of isolation, strongest first, and say which works and what it consists of."""
    parts = dict(describe_parts())
    for level in Isolation:
        try:
            one = Supervisor(level)
        except (VerifierError, SupervisorDied) as error:
            parts[level.value] = str(error)
            continue
        one.close()
        parts[level.value] = "works"
        parts["memory"] = one.memory
        return Machine(level=level, parts=parts)
    raise VerifierError("no sandbox starts", remedy="programs can be judged on Linux only")
