"""Take jobs from the trainer, run their programs in a cell, keep every deadline, report results.

A supervisor is a process of its own, so that a program costs the trainer neither time nor memory
and never blocks its event loop. It does one job at a time; a pool has several supervisors. Only the
supervisor knows the expected output of a script. It ends when its standard input closes, and all
its descendants end with it. Started by `verify.code.pool`. `job` describes both messages.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from . import compare, frames, linux, processes, walls, zygote
from .cell import Cell, CellError, Running
from .ending import describe_end, ending_of, fault_of
from .job import JobReport, ProgramJob

_STDERR_BYTES = 4_096
_SHOWN = 300
_STACK_BYTES = 256 << 20
"""The stack of a program's main thread: correct solutions may recurse deeply."""
_WATCH_S = 0.05
"""Seconds between two checks of a program's memory, where there is no control group."""
_GRACE_S = 0.1
"""Seconds that a process has to end after its test has ended."""
_SPARE_MB = {True: 8_192, False: 1_024}
"""Address space beyond the memory limit for stacks of threads, by whether there is a group."""
_MAX_RESULTS = 20_000
_LOOK_UP_S = 1.0
"""Seconds between two checks that the trainer is still alive."""


BOOT = """
import sys
sys.path.append(sys.argv[1])
from sandbox import supervisor
supervisor.main()
"""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one test."""

    status: str
    reason: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0


def main() -> None:
    """Serve jobs on standard input and output until the trainer closes them."""
    setting = zygote.Setting.from_json(sys.argv[2])
    channel_in, channel_out = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the trainer too, which decides
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    wanted = _STACK_BYTES if hard == resource.RLIM_INFINITY else min(_STACK_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (wanted, hard))
    inside: Cell | None = None
    try:
        if setting.level != "namespaces":
            linux.adopt_orphans()
        inside = Cell(setting)
        frames.send(channel_out, {"ready": True, "memory_group": inside.group is not None})
        while True:
            job = frames.receive(channel_in, frames.MAX_JOB_BYTES)
            try:
                answer = ProgramRun(inside, job).results()
            except CellError:
                # Try once more in a new cell; a second CellError ends this process.
                inside.close()
                inside = Cell(setting)
                answer = ProgramRun(inside, job).results()
            frames.send(channel_out, answer)
            del job, answer
            linux.return_memory()
    except frames.Closed:
        pass
    except (CellError, OSError) as error:
        frames.send(channel_out, {"error": str(error)})
    finally:
        if inside is not None:
            inside.close()


class ProgramRun:
    """One job in a cell: its limits, its deadline and the results of its tests."""

    def __init__(self, inside: Cell, job: ProgramJob) -> None:
        self._cell = inside
        self._job = job
        wanted = job["limits"]
        self._limits = walls.Limits(
            time_s=wanted["time_s"],
            memory_mb=wanted["memory_mb"],
            address_mb=wanted["memory_mb"] + _SPARE_MB[inside.group is not None],
            output_bytes=wanted["output_bytes"],
        )
        self._until = time.monotonic() + wanted["total_s"]
        self._stop_early = bool(job["stop_early"])
        self._trainer = os.getppid()
        self._is_loaded = False
        self._is_task_broken = False
        # Wall and CPU seconds of the test in which the last session ended.
        self._costs = (0.0, 0.0)

    def results(self) -> JobReport:
        """Return the results of the tests that were run, in order."""
        if self._cell.group is not None:
            self._cell.group.limit(self._limits.memory_mb)
        is_script = self._job["kind"] == "scripts"
        results, fault = self._scripts() if is_script else self._judged()
        return {
            "tests": [
                (test.status, test.reason[:_SHOWN], test.wall_s, test.cpu_s) for test in results
            ],
            "fault": fault,
            "is_task": self._is_task_broken,
        }

    # scripts: standard input and output

    def _scripts(self) -> tuple[list[Result], str]:
        results: list[Result] = []
        with _file_of(_bytes_of(self._job["code"])) as code:
            for test in self._job["tests"]:
                if time.monotonic() > self._until:
                    result = Result("TIME_LIMIT", "the time of the whole problem is used up")
                else:
                    result = self._script(code, test)
                if result.status == "INFRA_ERROR":
                    return [], result.reason
                results.append(result)
                is_final = result.status == "COMPILE_ERROR"
                if is_final or (result.status != "PASS" and self._stop_early):
                    break
        return results, ""

    def _script(self, code: int, test: Mapping[str, str]) -> Result:
        os.lseek(code, 0, os.SEEK_SET)
        with (
            ExitStack() as stack,
            self._cell.scratch() as scratch,
            _file_of(_bytes_of(test["input"])) as stdin,
        ):
            (out, out_end), (err, err_end) = _pipe(stack), _pipe(stack)
            try:
                running = self._cell.start(
                    "script", self._limits, [stdin, out_end, err_end, code], scratch
                )
            finally:
                os.close(out_end)
                os.close(err_end)
            n_kills = self._kills()
            try:
                self._follow(running, {out: running.stdout, err: running.stderr})
            finally:
                self._cell.end(running)
            wall_s = time.monotonic() - running.started
        status, reason = describe_end(running, is_killed=self._kills() > n_kills, reason="")
        if status == "PASS":
            written = running.stdout.decode("utf-8", "surrogateescape")
            if not compare.same_output(test["output"], written, self._job["tolerance"]):
                status, reason = "WRONG_ANSWER", f"wrote {written.strip()[:_SHOWN]!r}"
        return Result(status, reason, wall_s, ending_of(running.ending)[1])

    def _follow(self, running: Running, streams: Mapping[int, bytearray]) -> None:
        """Read the output of a script until the script ends or exceeds a limit."""
        poll = select.poll()
        for descriptor in (*streams, running.handle):
            poll.register(descriptor, select.POLLIN)
        deadline = min(running.started + self._limits.time_s, self._until)
        is_over = False
        n_open = len(streams)
        while n_open or not is_over:
            rest = deadline - time.monotonic()
            if rest <= 0:
                if not is_over:
                    running.fault = ("TIME_LIMIT", f"no end within {self._limits.time_s:g} s")
                return
            for descriptor, _ in poll.poll(max(0.0, self._pause(rest)) * 1e3):
                if descriptor == running.handle:
                    is_over = True
                    poll.unregister(descriptor)
                elif not self._take(running, descriptor, streams[descriptor]):
                    poll.unregister(descriptor)
                    n_open -= 1
            if running.fault or self._is_too_big(running):
                return

    def _take(self, running: Running, descriptor: int, into: bytearray) -> bool:
        """Read the available output into a buffer; return False at the end of the stream."""
        part = os.read(descriptor, 1 << 18)
        into += part
        if into is running.stderr:
            del into[:-_STDERR_BYTES]
        elif len(into) > self._limits.output_bytes:
            mib = self._limits.output_bytes >> 20
            running.fault = ("OUTPUT_LIMIT", f"more than {mib} MiB of output")
        return bool(part)

    def _pause(self, rest: float) -> float:
        if os.getppid() != self._trainer:
            raise frames.Closed
        return min(rest, _LOOK_UP_S if self._cell.group is not None else _WATCH_S)

    def _is_too_big(self, *programs: Running) -> bool:
        """Check the memory of programs, where no control group limits it."""
        if self._cell.group is not None:
            return False
        for running in programs:
            if processes.memory_mb(running.handle) > self._limits.memory_mb:
                running.fault = ("MEMORY_LIMIT", f"more than {self._limits.memory_mb} MB")
        return any(running.fault for running in programs)

    def _kills(self) -> int:
        return 0 if self._cell.group is None else self._cell.group.kills()

    # calls, checks and assertions: a judge tests the program

    def _judged(self) -> tuple[list[Result], str]:
        results: list[Result] = []
        n_tests = len(self._job["tests"])
        while True:
            new, end, reason = self._session(skip=len(results))
            results += new
            if end == "BROKEN" or end == "INFRA_ERROR":
                self._is_task_broken = end == "BROKEN"
                return [], reason
            if end != "DONE":
                results.append(Result(end, reason, *self._costs))
            is_over = end == "DONE" or self._stop_early or not self._is_loaded
            if is_over or self._job["kind"] == "check" or len(results) >= n_tests:
                return results, ""
            if time.monotonic() > self._until:
                late = Result("TIME_LIMIT", "the time of the whole problem is used up")
                return results + [late] * (n_tests - len(results)), ""

    def _session(self, skip: int) -> tuple[list[Result], str, str]:
        """Load the program once and judge from test `skip` on.

        Return the results, the end of the session (DONE, BROKEN or a status) and its reason.
        """
        with ExitStack() as stack:
            n_kills = self._kills()
            scratch = [stack.enter_context(self._cell.scratch()) for _ in range(2)]
            nowhere = os.open(os.devnull, os.O_RDWR)
            stack.callback(os.close, nowhere)
            ours, theirs = socket.socketpair()
            reports, reports_end = os.pipe()
            stack.callback(os.close, reports)
            job = frames.pack({**self._job, "skip": skip}, frames.MAX_JOB_BYTES)
            job_file = stack.enter_context(_file_of(job))
            quiet = [nowhere, nowhere, nowhere]
            limits = self._session_limits()
            try:
                program = self._cell.start(
                    "calls", limits, [*quiet, nowhere, theirs.fileno()], scratch[0]
                )
                stack.callback(self._cell.end, program)
                judge = self._cell.start(
                    "judge", limits, [*quiet, job_file, ours.fileno(), reports_end], scratch[1]
                )
                stack.callback(self._cell.end, judge)
            finally:
                ours.close()
                theirs.close()
                os.close(reports_end)
            results, end, reason = self._listen(program, judge, reports)
            if end == "GONE":
                select.select([program.handle], [], [], 2 * _GRACE_S)
                self._read_ending(program)
                is_killed = self._kills() > n_kills
                end, reason = describe_end(program, is_killed=is_killed, reason=reason)
            elif end == "DONE" and _has_more_threads(program):
                end, reason = "RUNTIME_ERROR", "it left a thread or a process running"
                results = results[:-1]
        return results, end, reason

    def _session_limits(self) -> walls.Limits:
        """Return limits with the CPU time of the whole problem, as all tests share a process."""
        rest = max(1.0, self._until - time.monotonic())
        return replace(self._limits, time_s=rest)

    def _listen(
        self, program: Running, judge: Running, reports: int
    ) -> tuple[list[Result], str, str]:
        results: list[Result] = []
        last = time.monotonic()
        poll = select.poll()
        poll.register(reports, select.POLLIN)
        while True:
            deadline = min(last + self._limits.time_s, self._until)
            while not poll.poll(max(0.0, self._pause(deadline - time.monotonic())) * 1e3):
                if time.monotonic() >= deadline:
                    self._costs = (time.monotonic() - last, 0.0)
                    return results, "TIME_LIMIT", f"no result within {self._limits.time_s:g} s"
                if self._is_too_big(program, judge):
                    return results, "MEMORY_LIMIT", f"more than {self._limits.memory_mb} MB"
            now = time.monotonic()
            try:
                report = frames.receive(reports)
            except frames.Closed:
                return results, *self._explain_silence(judge)
            if "test" in report:
                if report["status"] != "PASS" or len(results) < _MAX_RESULTS:
                    results.append(Result(report["status"], report["reason"], now - last))
            elif "end" in report:
                self._costs = (now - last, 0.0)
                return results, report["end"], report["reason"]
            self._is_loaded = True
            last = now

    def _explain_silence(self, judge: Running) -> tuple[str, str]:
        """Return status and reason for a judge that ended without a report.

        Either a wall could not be built, or a value was too large for the judge.
        """
        select.select([judge.handle], [], [], 2 * _GRACE_S)
        self._read_ending(judge)
        if judge.ending[:1] == b"X":
            return "INFRA_ERROR", fault_of(judge.ending)
        return "OUTPUT_LIMIT", "the result was too large for the judge"

    def _read_ending(self, running: Running) -> None:
        if not running.ending and select.select([running.control], [], [], _GRACE_S)[0]:
            running.ending = os.read(running.control, 1_024)


def _has_more_threads(program: Running) -> bool:
    """Return whether a program still has other threads or processes after a short wait for them."""
    until = time.monotonic() + _GRACE_S
    while processes.n_threads(program.handle) > 1:
        if time.monotonic() > until:
            return True
        time.sleep(_GRACE_S / 20)
    return False


# descriptors


def _pipe(stack: ExitStack) -> tuple[int, int]:
    """Make a pipe; a program can reopen its write end as /dev/stdout. The caller closes it."""
    read, write = os.pipe()
    stack.callback(os.close, read)
    os.set_blocking(read, False)
    if os.geteuid() == 0:
        os.fchown(write, walls.ROOT_UID, walls.ROOT_UID)
    return read, write


@contextmanager
def _file_of(content: bytes) -> Iterator[int]:
    """Open a file in memory with these bytes; a script can seek in it and read it in any way."""
    descriptor = os.memfd_create("content", os.MFD_CLOEXEC)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
