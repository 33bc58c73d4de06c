"""The job that a supervisor takes and the report that it returns: the keys of two JSON messages.

Types only; nothing is checked when a message arrives. `frames` carries the messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

TestKind: TypeAlias = Literal["scripts", "calls", "check", "asserts"]


ANY_NAME = "*"
"""The entry point of tests that do not name their function: the last one that a program defines."""


class JobLimits(TypedDict):
    """The bounds of every single test; `total_s` bounds all tests together."""

    time_s: float
    memory_mb: int
    output_bytes: int
    total_s: float


class ProgramJob(TypedDict):
    """A program and its tests.

    A test of `scripts` has the keys `input` and `output`. A test of `calls` has `arguments` and
    `expected`, both as tables of `values`, and `is_apps`; its `entry_point` may be `ANY_NAME`. The
    tests of `check` and `asserts` are source texts. `entry_point`, `prefix` and `setup` are empty
    for scripts. Only a judge's job has `skip`, the number of tests that an earlier judge has
    finished.
    """

    code: str
    kind: TestKind
    tests: Sequence[Any]
    entry_point: str
    prefix: str
    setup: str
    tolerance: float | None
    stop_early: bool
    limits: JobLimits
    skip: NotRequired[int]


class JobReport(TypedDict):
    """The results of the tests that were run, in order: status, reason, wall_s and cpu_s.

    `fault` says why the tests could not be run, and is empty otherwise. A fault is the task's if
    `is_task` is true, else the sandbox's; it is never the program's.
    """

    tests: NotRequired[list[tuple[str, str, float, float]]]
    fault: str
    is_task: NotRequired[bool]
