"""Own supervisor processes: send them jobs from any thread, and replace a supervisor that dies.

Knows messages and processes, but neither code nor tests. A job whose supervisor dies goes to a new
supervisor; after `_ROUNDS` deaths the job has no result. Called by `verdict`.
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
from typing import Any, cast

from reasonrl.errors import VerifierError
from reasonrl.verify import sandbox
from reasonrl.verify.code.advice import advise
from reasonrl.verify.code.isolation import (
    Isolation,
    Machine,
    describe_parts,
    missing_wall,
    setting_for,
)
from reasonrl.verify.sandbox import frames
from reasonrl.verify.sandbox.job import JobReport, ProgramJob
from reasonrl.verify.sandbox.supervisor import BOOT
from reasonrl.verify.sandbox.zygote import FLAGS

_ROUNDS = 3
_SLACK_S = 30.0
"""Seconds beyond a job's own limit, after which a silent supervisor counts as dead."""

_START_S = 60.0
_TRIAL: ProgramJob = {
    "code": "print('ready')",
    "kind": "scripts",
    "tests": [{"input": "", "output": "ready"}],
    "entry_point": "",
    "prefix": "",
    "setup": "",
    "tolerance": None,
    "stop_early": True,
    "limits": {"time_s": 5.0, "memory_mb": 256, "output_bytes": 1 << 10, "total_s": 5.0},
}


class SupervisorDied(Exception):
    """A supervisor ended or does not answer."""


class Supervisor:
    """One supervisor process and the messages to and from it."""

    def __init__(self, level: Isolation) -> None:
        if missing := missing_wall(level):
            raise _refusal(level, missing)
        package = str(Path(sandbox.__file__).parent.parent)
        command = [os.path.realpath(sys.executable), *FLAGS]
        self._process = subprocess.Popen(
            [*command, "-c", BOOT, package, setting_for(level).to_json()],
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
            raise _refusal(level, answer.get("error", "it does not start"))
        has_group = bool(answer.get("memory_group"))
        self.memory = "a memory control group" if has_group else "watched memory"

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, job: ProgramJob) -> JobReport:
        """Run one job. Raises SupervisorDied."""
        try:
            frames.send(self._in, job, frames.MAX_JOB_BYTES)
        except frames.Malformed as error:
            return {"fault": f"the tests cannot be sent: {error}", "is_task": True}
        except (frames.Closed, OSError) as error:
            raise SupervisorDied("it ended") from error
        answer = self._receive(job["limits"]["total_s"] + _SLACK_S)
        if "error" in answer:
            raise SupervisorDied(str(answer["error"]))
        return cast(JobReport, answer)

    def try_out(self) -> None:
        """Run a program that prints a word: some walls are built only then.

        Raises SupervisorDied with the reason if the program does not get that far.
        """
        report = self.ask(_TRIAL)
        statuses = [status for status, *_ in report.get("tests", [])]
        if report["fault"] or statuses != ["PASS"]:
            raise SupervisorDied(report["fault"] or f"a trial program ended with {statuses}")

    def close(self) -> None:
        """End the process and all its descendants. Safe to call twice."""
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
            raise SupervisorDied("its answer is not a JSON object")
        return answer


class SupervisorPool:
    """Run jobs on at most `workers` supervisors; each starts when a job first needs it."""

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

    def run(self, jobs: Sequence[ProgramJob]) -> list[JobReport]:
        """Return a report on each job, in order: a supervisor's, or `{"fault": reason}`."""
        if self._pid != os.getpid():
            # After a fork the supervisors belong to the parent.
            self._reset()
        if len(jobs) <= 1 or self._workers == 1:
            return [self._run(job) for job in jobs]
        with ThreadPoolExecutor(min(self._workers, len(jobs))) as threads:
            return list(threads.map(self._run, jobs))

    def describe(self) -> str:
        """Start a supervisor unless one is idle, and return the description of its walls."""
        supervisor = self._idle.get()
        try:
            supervisor = supervisor or self._start()
            supervisor.try_out()
            return f"{self._level} and {supervisor.memory}"
        except SupervisorDied as error:
            raise _refusal(self._level, str(error)) from None
        finally:
            self._idle.put(supervisor)

    def close(self) -> None:
        """End all supervisors. Using the pool afterwards raises VerifierError."""
        with self._lock:
            self._is_closed = True
            supervisors, self._all = self._all, set()
        if self._pid == os.getpid():
            for supervisor in supervisors:
                supervisor.close()

    def _run(self, job: ProgramJob) -> JobReport:
        reason = ""
        for _ in range(_ROUNDS):
            supervisor = self._idle.get()
            try:
                supervisor = supervisor or self._start()
                return supervisor.ask(job)
            except SupervisorDied as error:
                reason = str(error)
                if supervisor is not None:
                    self._drop(supervisor)
                    supervisor = None
            finally:
                self._idle.put(supervisor)
        return {"fault": f"the supervisor died {_ROUNDS} times: {reason}"}

    def _start(self) -> Supervisor:
        if self._is_closed:
            raise VerifierError("the verifier is closed", remedy="create a new Verifier")
        supervisor = Supervisor(self._level)
        with self._lock:
            self._all.add(supervisor)
        return supervisor

    def _drop(self, supervisor: Supervisor) -> None:
        with self._lock:
            self._all.discard(supervisor)
        supervisor.close()


def _refusal(level: Isolation, reason: str) -> VerifierError:
    """Return the error of a machine without a level, with the one setting to change first."""
    look = "`reasonrl sandbox check` shows what this machine allows"
    if level is not Isolation.NAMESPACES:
        return VerifierError(f"no sandbox of level {level}: {reason}", remedy=look)
    advice = advise(reason)
    return VerifierError(
        f"no sandbox of level {level}: {reason}: {advice.message}",
        remedy=f"change this setting: {advice.setting}; {look}",
    )


def probe() -> Machine:
    """Try the levels of isolation, strongest first; return the first that works, with its parts."""
    parts = dict(describe_parts())
    for level in Isolation:
        try:
            supervisor = Supervisor(level)
            try:
                supervisor.try_out()
            finally:
                supervisor.close()
        except (VerifierError, SupervisorDied) as error:
            parts[level.value] = error.what if isinstance(error, VerifierError) else str(error)
            continue
        parts[level.value] = "works"
        parts["memory"] = supervisor.memory
        return Machine(level=level, parts=parts)
    return Machine(level=None, parts=parts)
