"""Judge programs: from a response and a test set to a `Verdict`.

Reads programs and tests here; the supervisors of a pool run them. A program that could not be
judged, because the task has no tests or the sandbox failed, gets no reward. Called by
`verify.verifier`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reasonrl.errors import DataError, VerifierError
from reasonrl.types import Status, Verdict
from reasonrl.verify.code.isolation import Isolation
from reasonrl.verify.code.pool import SupervisorPool
from reasonrl.verify.code.source import last_program
from reasonrl.verify.code.tests import MAX_MEMORY_MB, MAX_TIME_S, TestSet, read_tests
from reasonrl.verify.finding import Finding
from reasonrl.verify.sandbox.job import JobReport, ProgramJob

MAX_CODE_CHARS = 1_000_000
_SHOWN_CHARS = 4_000
_OUTPUT_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeOptions:
    """How programs are run and rewarded.

    `time_s` and `memory_mb` bound each test of a task that sets no limits of its own; `problem_s`
    bounds all tests of one program together. With `reward = "fraction"` all tests are run and the
    reward is the share that passed. `isolation` is the weakest sandbox that is accepted.
    """

    time_s: float = 10.0
    memory_mb: int = 1_024
    problem_s: float = 120.0
    stop_early: bool = True
    reward: Literal["binary", "fraction"] = "binary"
    isolation: Isolation = Isolation.NAMESPACES

    def __post_init__(self) -> None:
        if not (0 < self.time_s <= MAX_TIME_S and 32 <= self.memory_mb <= MAX_MEMORY_MB):
            raise VerifierError(
                f"time_s = {self.time_s}, memory_mb = {self.memory_mb}",
                expected=f"0 < time_s <= {MAX_TIME_S:g}, 32 <= memory_mb <= {MAX_MEMORY_MB}",
            )
        if self.problem_s <= 0:
            raise VerifierError(f"problem_s = {self.problem_s}", expected="problem_s > 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program to be run, and the answer key that holds its tests."""

    code: str
    answer: str


def read_program(answer: str, part: str) -> Finding | Program:
    """Return the program in the graded part of a response, or a finding where there is none.

    Whatever an answer key or a response contains, this function raises nothing.
    """
    try:
        read_tests(answer)
    except DataError as error:
        return Finding(status=Status.NO_TESTS, reason=_shown(str(error)))
    except Exception as error:  # noqa: BLE001 - a boundary: no task may stop a training run
        reason = f"the tests cannot be read: {type(error).__name__}"
        return Finding(status=Status.NO_TESTS, reason=reason)
    try:
        code = last_program(part)
    except Exception as error:  # noqa: BLE001 - the same boundary, for responses
        reason = f"the response cannot be read: {type(error).__name__}"
        return Finding(status=Status.NO_CODE, reason=reason)
    if code is None:
        return Finding(status=Status.NO_CODE, reason="no complete fenced Python block")
    if len(code) > MAX_CODE_CHARS:
        return Finding(status=Status.COMPILE_ERROR, reason="the program is too long")
    return Program(code=code, answer=answer)


class ProgramJudge:
    """Judge programs with supervisors of its own."""

    def __init__(self, options: CodeOptions, *, workers: int) -> None:
        self._options = options
        self._pool = SupervisorPool(workers=workers, level=options.isolation)

    def close(self) -> None:
        self._pool.close()

    def describe(self) -> str:
        """Start a sandbox and return the description of its strength."""
        return self._pool.describe()

    def judge(self, programs: Sequence[Program], deadline_s: float | None) -> list[Verdict]:
        """Return a verdict for each program, in order; `deadline_s` replaces `problem_s`."""
        sets = [read_tests(program.answer) for program in programs]
        jobs = [
            self._job(program, tests, deadline_s)
            for program, tests in zip(programs, sets, strict=True)
        ]
        reports = self._pool.run(jobs)
        return [
            self._verdict(program, tests, report)
            for program, tests, report in zip(programs, sets, reports, strict=True)
        ]

    def _job(self, program: Program, tests: TestSet, deadline_s: float | None) -> ProgramJob:
        options = self._options
        total_s = options.problem_s if deadline_s is None else deadline_s
        return {
            "code": program.code,
            "kind": tests.kind,
            "tests": tests.tests,
            "entry_point": tests.entry_point,
            "prefix": tests.prefix,
            "setup": tests.setup,
            "tolerance": tests.tolerance,
            "stop_early": options.stop_early and options.reward == "binary",
            "limits": {
                "time_s": tests.time_s or options.time_s,
                "memory_mb": tests.memory_mb or options.memory_mb,
                "output_bytes": _OUTPUT_BYTES,
                "total_s": total_s,
            },
        }

    def _verdict(self, program: Program, tests: TestSet, report: JobReport) -> Verdict:
        results = report.get("tests", [])
        shown = _shown(program.code)
        if report["fault"] or not results:
            status = Status.NO_TESTS if report.get("is_task") else Status.INFRA_ERROR
            reason = _shown(report["fault"] or "no test was run")
            return Verdict(reward=None, status=status, reason=reason, extracted=shown)
        statuses = tuple(Status(status) for status, *_ in results)
        failed = next((n for n, status in enumerate(statuses) if status is not Status.PASS), None)
        total = max(len(statuses), 1 if tests.kind == "check" else len(tests.tests))
        share = statuses.count(Status.PASS) / total
        is_right = failed is None and len(statuses) >= total
        why = "" if failed is None else f"test {failed + 1} of {total}: {results[failed][1]}"
        return Verdict(
            reward=share if self._options.reward == "fraction" else float(is_right),
            status=Status.PASS if failed is None else statuses[failed],
            reason=_shown(why),
            extracted=shown,
            tests=statuses,
            wall_s=sum(wall_s for _, _, wall_s, _ in results),
            cpu_s=sum(cpu_s for *_, cpu_s in results),
        )


def _shown(text: str) -> str:
    """Return the start of a text without half surrogates, which no file can hold."""
    return text[:_SHOWN_CHARS].encode("utf-8", "backslashreplace").decode()
