"""Run a task's own tests against a program in another process, and report the results.

The supervisor trusts these reports, and nothing that the program says. A judge holds the expected
outputs and never runs the program's code: the function under test is a stand-in that sends its
arguments to the program and returns plain copies of the results. So equality is Python's own, and a
program can neither look up an expected output nor end a test early. A judge runs behind walls too,
because test code from a data file is not trusted either. Called by `zygote`.

Every report is one message: `{"loaded": true}` once, `{"test": i, "status": ..., "reason": ...}`
for each test, and `{"end": ..., "reason": ...}` at the end.
"""

from __future__ import annotations

import ast
import builtins
import signal
from collections.abc import Sequence
from typing import Any

from . import compare, frames, testcode, values
from .changes import TEST_FILE
from .failures import BrokenTask, Tampered
from .job import ANY_NAME, ProgramJob
from .lent import allow_nesting
from .prepared import TestCode, root_of
from .program import prelude
from .remote import ProgramGone, Remote
from .stand import Stand
from .untestable import Untestable

_SHOWN = 300


class _Stop(BaseException):
    """No further test is to be run."""


def judge(channel: int, reports: int, job: ProgramJob) -> None:
    """Run the tests of a job from number `skip` on, and report each result."""
    notes = _Notes(reports, job)
    allow_nesting()
    end, reason = "DONE", ""
    try:
        _judge(Remote(channel, notes.assertion_lines), job, notes)
    except _Stop:
        pass
    except Tampered as error:
        end, reason = "TAMPERED", str(error)
    except ProgramGone:
        end, reason = "GONE", "the program ended before its test did"
    except (BrokenTask, Untestable) as error:
        end, reason = "BROKEN", str(error)
    frames.send(reports, {"end": end, "reason": reason[:_SHOWN]})
    # The supervisor ends both processes. If the judge ended first, the closed channel would end the
    # program before the supervisor has looked at its threads.
    signal.pause()


class _Notes:
    """The reports on tests: numbers each result and sends it."""

    def __init__(self, reports: int, job: ProgramJob) -> None:
        self._reports = reports
        self._stop_early = bool(job["stop_early"])
        self.first = self.number = int(job["skip"])
        self.n_failed = 0
        # Assertions that were reached.
        self.n_seen = 0
        self.assertion_lines: set[int] = set()
        # Tests that have passed before any assertion was reached.
        self.n_pending = 0

    def passed(self) -> None:
        if self.n_seen:
            self._report("PASS", "")
        else:
            self.n_pending += 1

    def settle(self) -> None:
        """Report the tests that have passed without an assertion."""
        pending, self.n_pending = self.n_pending, 0
        for _ in range(pending):
            self._report("PASS", "")

    def unreached(self) -> None:
        """Report tests without an assertion as failed: the program has avoided them."""
        pending, self.n_pending = self.n_pending, 0
        for _ in range(pending):
            self.failed(AssertionError("no assertion was reached"))

    def seen(self) -> None:
        self.n_seen += 1

    def failed(self, error: BaseException, *, is_load: bool = False) -> None:
        status, reason = _failure(error, is_load=is_load)
        self.n_failed += 1
        self._report(status, reason)
        if self._stop_early or is_load:
            raise _Stop

    def loaded(self) -> None:
        """Report that the program is loaded: the time of the first test starts now."""
        frames.send(self._reports, {"loaded": True})

    def _report(self, status: str, reason: str) -> None:
        if self.n_pending:
            self.settle()
        report = {"test": self.number, "status": status, "reason": reason[:_SHOWN]}
        frames.send(self._reports, report)
        self.number += 1


def _judge(remote: Remote, job: ProgramJob, notes: _Notes) -> None:
    """Load the program and judge it by the tests of the job's kind."""
    namespace = _own_namespace(remote, job)
    code = TestCode(job, namespace)
    remote.wants = code.wants
    try:
        names = remote.load(job["prefix"], job["code"])
    except _ERRORS as error:
        # An exception of the program.
        notes.failed(error, is_load=True)
        return
    notes.loaded()
    if job["kind"] == "calls":
        _judge_calls(remote, job, names, notes)
        return
    failed = _Failed(remote, notes, code)

    def passed() -> None:
        # A program may call a function of the test as often as it likes.
        if not remote.lent.depth:
            notes.passed()

    code.prepare(remote, names, {"passed": passed, "failed": failed, "seen": notes.seen})
    if job["kind"] == "check":
        _judge_check(remote, job, code, notes, failed)
    else:
        _judge_asserts(remote, code, notes, failed)


def _own_namespace(remote: Remote, job: ProgramJob) -> dict[str, Any]:
    """Return the names of the library and of the task's prefix, before the program is known."""
    ready = prelude()
    namespace: dict[str, Any] = {**ready, "__name__": "judge", "__builtins__": builtins}
    tree = testcode.parse(job["prefix"])
    try:
        _execute(tree, "prefix.py", namespace)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise BrokenTask(f"the task's own code fails: {reason}") from error
    own = {name for name in namespace if namespace[name] is not ready.get(name)}
    remote.values.classes = {
        name: namespace[name]
        for name in own
        if isinstance(namespace[name], type) and namespace[name].__module__ == "judge"
    }
    return namespace


def _judge_calls(remote: Remote, job: ProgramJob, names: Sequence[str], notes: _Notes) -> None:
    """Call the function with each input; a method is called on a fresh `Solution` each time."""
    name = job["entry_point"] if job["entry_point"] != ANY_NAME else _last_function(remote, names)
    target = f"Solution().{name}" if remote.has(f"Solution.{name}") else name
    for call in job["tests"][notes.number :]:
        arguments, expected = (
            values.decode(call[key], {}, _nothing) for key in ("arguments", "expected")
        )
        try:
            result = Stand(remote, target)(*arguments)
        except _ERRORS as error:
            # An exception of the program.
            notes.failed(error)
            continue
        notes.seen()
        if compare.same_result(expected, result, job["tolerance"], is_apps=call["is_apps"]):
            notes.passed()
        else:
            notes.failed(AssertionError(f"returned {_short(result)}"))


def _nothing(_: int) -> object:
    raise BrokenTask("a test holds a reference")


def _last_function(remote: Remote, names: Sequence[str]) -> str:
    """Return the last method of `Solution`, or the last function, that is no private one."""
    methods = [name.partition(".")[2] for name in names if name.startswith("Solution.")]
    public = [name for name in methods if not name.startswith("_")]
    functions = [
        name
        for name in names
        if "." not in name
        and name not in remote.variables | remote.modules
        and not name.startswith("_")
    ]
    return (public or functions or ["solve"])[-1]


class _Failed:
    """The report of a failure, unless the task's own code is at fault: then nothing is judged."""

    def __init__(self, remote: Remote, notes: _Notes, code: TestCode) -> None:
        self._remote = remote
        self._notes = notes
        self._code = code

    def __call__(self, error: BaseException, *, is_load: bool = False) -> None:
        if self._code.is_at_fault(error, self._remote):
            reason = f"{type(error).__name__}: {error}"
            raise BrokenTask(f"the test code itself fails: {reason}")
        self._notes.failed(error, is_load=is_load)


def _judge_check(
    remote: Remote, job: ProgramJob, code: TestCode, notes: _Notes, failed: _Failed
) -> None:
    """Run `check(candidate)`; each assertion that is reached counts as a test."""
    first = notes.number
    target = job["entry_point"]
    is_name = target == root_of(target)
    candidate = remote.named(target) if is_name else Stand(remote, target)
    code.namespace["candidate"] = candidate
    notes.assertion_lines.update(code.lines(0))
    try:
        _execute(code.trees[0], TEST_FILE, code.namespace)
        check = code.namespace.get("check")
        if callable(check) and not isinstance(check, Stand) and notes.number == first:
            check(candidate)
    except _ERRORS as error:
        # A failing test may raise anything.
        failed(error)
    if notes.number == first:
        is_avoided = not notes.n_seen and code.has_assertion
        if not remote.n_asked or not (notes.n_seen or is_avoided):
            raise BrokenTask("the test code asserts nothing about the program")
        if is_avoided:
            failed(AssertionError("no assertion was reached"))
        else:
            notes.passed()


def _judge_asserts(remote: Remote, code: TestCode, notes: _Notes, failed: _Failed) -> None:
    """Run assertions, each with its own copy of the names."""
    try:
        _execute(code.setup, "setup.py", code.namespace)
    except _ERRORS as error:
        # The setup may use classes of the program.
        failed(error, is_load=True)
    for number in range(notes.number, len(code.trees)):
        notes.assertion_lines.clear()
        notes.assertion_lines.update(code.lines(number))
        try:
            _execute(code.trees[number], TEST_FILE, dict(code.namespace))
            code.check_is_about_program(number, remote)
        except _ERRORS as error:
            # A failing test may raise anything.
            failed(error)
        else:
            notes.passed()
    if notes.n_seen or notes.n_failed or notes.first:
        notes.settle()
    elif code.has_assertion and remote.n_asked:
        notes.unreached()
    else:
        raise BrokenTask("the assertions are never reached, or hold for every program")


# running test code


_ERRORS = (Exception, SystemExit, KeyboardInterrupt, GeneratorExit)
"""What a program or a test may raise; the judge's own signals are none of these."""


def _execute(tree: ast.Module, name: str, namespace: dict[str, Any]) -> None:
    exec(compile(tree, name, "exec", dont_inherit=True), namespace)


def _failure(error: BaseException, *, is_load: bool = False) -> tuple[str, str]:
    """Return the status and reason of an exception, raised by the program or by an assertion."""
    described = getattr(error, "_described", None)
    if described is None:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return "WRONG_ANSWER", text
    reason = f"{described['name']}: {described['text']}"
    if "MemoryError" in described["kinds"]:
        return "MEMORY_LIMIT", reason
    if is_load and "SyntaxError" in described["kinds"]:
        return "COMPILE_ERROR", reason
    return "RUNTIME_ERROR", reason


def _short(value: object) -> str:
    try:
        return repr(value)[:_SHOWN]
    except (ValueError, RecursionError):
        # The value is an integer of thousands of digits, or a deep list.
        return f"a {type(value).__name__}"
