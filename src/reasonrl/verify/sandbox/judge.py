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

from . import compare, frames
from .job import ProgramJob
from .program import prelude
from .remote import TEST_FILE, BrokenTask, ProgramGone, Remote, Stand, Tampered

_SHOWN = 300


class _Stop(BaseException):
    """No further test is to be run."""


def judge(channel: int, reports: int, job: ProgramJob) -> None:
    """Run the tests of a job from number `skip` on, and report each result."""
    notes = _Notes(reports, job)
    end, reason = "DONE", ""
    try:
        _judge(Remote(channel, notes.assertion_lines), job, notes)
    except _Stop:
        pass
    except Tampered as error:
        end, reason = "TAMPERED", str(error)
    except ProgramGone:
        end, reason = "GONE", "the program ended before its test did"
    except BrokenTask as error:
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
        self.number = int(job["skip"])
        self.assertion_lines: set[int] = set()

    def passed(self) -> None:
        self._report("PASS", "")

    def failed(self, error: BaseException, *, is_load: bool = False) -> None:
        status, reason = _failure(error, is_load=is_load)
        self._report(status, reason)
        if self._stop_early or is_load:
            raise _Stop

    def loaded(self) -> None:
        """Report that the program is loaded: the time of the first test starts now."""
        frames.send(self._reports, {"loaded": True})

    def _report(self, status: str, reason: str) -> None:
        report = {"test": self.number, "status": status, "reason": reason[:_SHOWN]}
        frames.send(self._reports, report)
        self.number += 1


def _judge(remote: Remote, job: ProgramJob, notes: _Notes) -> None:
    ready = prelude()
    namespace: dict[str, Any] = {**ready, "__name__": "judge", "__builtins__": builtins}
    _execute_own(job["prefix"], "prefix.py", namespace)
    own = {name for name in namespace if namespace[name] is not ready.get(name)}
    remote.classes = {
        name: namespace[name]
        for name in own
        if isinstance(namespace[name], type) and namespace[name].__module__ == "judge"
    }
    try:
        names = remote.load(job["prefix"], job["code"])
    except Exception as error:
        # An exception of the program.
        notes.failed(error, is_load=True)
        return
    notes.loaded()
    free = [name for name in names if name not in namespace and not hasattr(builtins, name)]
    namespace.update((name, Stand(remote, name)) for name in free)
    if job["kind"] == "calls":
        _judge_calls(remote, job, notes)
    elif job["kind"] == "check":
        _judge_check(remote, job, namespace, notes)
    else:
        _judge_asserts(remote, job, namespace, notes, names)


def _judge_calls(remote: Remote, job: ProgramJob, notes: _Notes) -> None:
    """Call the function with each input; a method is called on a fresh `Solution` each time."""
    name = job["entry_point"]
    target = f"Solution().{name}" if remote.has(f"Solution.{name}") else name
    for call in job["tests"][notes.number :]:
        try:
            result = Stand(remote, target)(*call["arguments"])
        except Exception as error:
            # An exception of the program.
            notes.failed(error)
            continue
        if compare.same_value(call["expected"], result):
            notes.passed()
        else:
            notes.failed(AssertionError(f"returned {_short(result)}"))


def _judge_check(remote: Remote, job: ProgramJob, namespace: dict[str, Any], notes: _Notes) -> None:
    """Run `check(candidate)`; each assertion that is reached counts as a test."""
    first = notes.number
    candidate = Stand(remote, job["entry_point"])
    namespace["candidate"] = candidate
    namespace[_root(job["entry_point"])] = Stand(remote, _root(job["entry_point"]))
    tree = _parse(job["tests"][0])
    notes.assertion_lines.update(_assertion_lines(tree))
    namespace.update({_PASSED: notes.passed, _FAILED: notes.failed})
    try:
        _execute(ast.fix_missing_locations(_Noting().visit(tree)), TEST_FILE, namespace)
        check = namespace.get("check")
        if callable(check) and not isinstance(check, Stand) and notes.number == first:
            check(candidate)
    except BrokenTask:
        raise
    except Exception as error:
        # A failing test may raise anything.
        notes.failed(error)
    if notes.number == first:
        if not remote.n_calls:
            raise BrokenTask("the test code asserts nothing and calls nothing")
        notes.passed()


def _root(entry_point: str) -> str:
    """Return the first name of a target: `Solution` of `Solution().f`, `f` of `f`."""
    return entry_point.split("(")[0].split(".")[0]


def _judge_asserts(
    remote: Remote,
    job: ProgramJob,
    namespace: dict[str, Any],
    notes: _Notes,
    names: Sequence[str],
) -> None:
    """Run assertions, each with its own copy of the names."""
    tests: Sequence[str] = job["tests"]
    entry = job["entry_point"] or _common_name(tests, names)
    if entry:
        namespace[_root(entry)] = Stand(remote, _root(entry))
    try:
        _execute(_parse(job["setup"]), "setup.py", namespace)
    except Exception as error:
        # The setup may use classes of the program.
        notes.failed(error, is_load=True)
    for source in tests[notes.number :]:
        tree = _parse(source)
        notes.assertion_lines.clear()
        notes.assertion_lines.update(_assertion_lines(tree))
        try:
            _execute(tree, TEST_FILE, dict(namespace))
        except BrokenTask:
            raise
        except Exception as error:
            # A failing test may raise anything.
            notes.failed(error)
        else:
            notes.passed()


def _common_name(tests: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the function of the program that every assertion calls, for a task that names none.

    A builtin name such as `set` counts only if the assertions share no other name.
    """
    called = [_called_names(source) for source in tests]
    common = [name for name in names if all(name in called_names for called_names in called)]
    return min(
        common, key=lambda name: (hasattr(builtins, name), called[0].index(name)), default=None
    )


def _called_names(source: str) -> list[str]:
    calls = (node.func for node in ast.walk(_parse(source)) if isinstance(node, ast.Call))
    return [name.id for name in calls if isinstance(name, ast.Name)]


# running test code


def _parse(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BrokenTask(f"the test code is not Python: {error}") from error


def _execute_own(source: str, name: str, namespace: dict[str, Any]) -> None:
    """Execute code of the task; an exception is the task's fault."""
    tree = _parse(source)
    try:
        _execute(tree, name, namespace)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise BrokenTask(f"the task's own code fails: {reason}") from error


def _execute(tree: ast.Module, name: str, namespace: dict[str, Any]) -> None:
    exec(compile(tree, name, "exec", dont_inherit=True), namespace)


_PASSED, _FAILED = "_judge_passed", "_judge_failed"


def _assertion_lines(tree: ast.Module) -> set[int]:
    """Return the numbers of the lines that belong to an assertion."""
    asserts = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    return {line for node in asserts for line in range(node.lineno, (node.end_lineno or 0) + 1)}


class _Noting(ast.NodeTransformer):
    """Wrap every assertion in a `try` that reports its result."""

    def visit_Assert(self, node: ast.Assert) -> ast.Try:
        passed = ast.Expr(ast.Call(ast.Name(_PASSED, ast.Load()), [], []))
        failed = ast.Expr(
            ast.Call(ast.Name(_FAILED, ast.Load()), [ast.Name("_judge_error", ast.Load())], [])
        )
        handler = ast.ExceptHandler(ast.Name("Exception", ast.Load()), "_judge_error", [failed])
        new = ast.Try([node], [handler], [passed], [])
        return ast.copy_location(new, node)


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
