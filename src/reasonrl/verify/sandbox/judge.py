"""Run a task's own tests against a program in another process; be the one who is believed.

A judge holds the expected outputs and never foreign code: the function under test is a stand-in
that sends its arguments to the program and returns plain copies of the results. So equality is
Python's own, and a program can neither look up what is expected nor end a test early. A judge has
walls too, as a data file is not trusted with the machine. Called by `zygote`.

Reports, a message each: `{"test": i, "status": ..., "reason": ...}`, at last `{"end": ...}`.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import compare, frames, values
from .program import prelude

_AHEAD = 256  # items of a remote iterator fetched at once
_SHOWN = 300
_TEST_FILE = "tests.py"


class ProgramError(Exception):
    """Report an exception of the program that has no builtin type here."""


class ProgramGone(BaseException):
    """Report that the program ended while it was asked. Test code does not catch it by accident."""


class Tampered(BaseException):
    """Report a program that answers what no program answers."""


class _Stop(BaseException):
    """Leave the tests after the first that failed."""


class BrokenTask(Exception):
    """Report test code that cannot be run, whatever the program does."""


def judge(channel: int, reports: int, job: Mapping[str, Any]) -> None:
    """Run the tests of a job, from number `skip` on, and report each."""
    notes = _Notes(reports, job)
    end, reason = "DONE", ""
    try:
        _judge(_Remote(channel, notes.assertion_lines), job, notes)
    except _Stop:
        pass
    except Tampered as error:
        end, reason = "TAMPERED", str(error)
    except ProgramGone:
        end, reason = "GONE", "the program ended before its test did"
    except BrokenTask as error:
        end, reason = "BROKEN", str(error)
    frames.send(reports, {"end": end, "reason": reason[:_SHOWN]})


class _Notes:
    """Number the results of tests and report them."""

    def __init__(self, reports: int, job: Mapping[str, Any]) -> None:
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
        """Say that the program is there, so that the first test's time starts now."""
        frames.send(self._reports, {"loaded": True})

    def _report(self, status: str, reason: str) -> None:
        report = {"test": self.number, "status": status, "reason": reason[:_SHOWN]}
        frames.send(self._reports, report)
        self.number += 1


def _judge(remote: _Remote, job: Mapping[str, Any], notes: _Notes) -> None:
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
    except Exception as error:  # the program's
        notes.failed(error, is_load=True)
        return
    notes.loaded()
    free = [name for name in names if name not in namespace and not hasattr(builtins, name)]
    namespace.update((name, _Stand(remote, name)) for name in free)
    if job["kind"] == "calls":
        _judge_calls(remote, job, notes)
    elif job["kind"] == "check":
        _judge_check(remote, job, namespace, notes)
    else:
        _judge_asserts(remote, job, namespace, notes, names)


def _judge_calls(remote: _Remote, job: Mapping[str, Any], notes: _Notes) -> None:
    """Call the function with each input; a `Solution` is made anew for each."""
    name = job["entry_point"]
    target = f"Solution().{name}" if remote.has(f"Solution.{name}") else name
    for call in job["tests"][notes.number :]:
        try:
            found = _Stand(remote, target)(*call["arguments"])
        except Exception as error:  # the program's
            notes.failed(error)
            continue
        if compare.same_value(call["expected"], found):
            notes.passed()
        else:
            notes.failed(AssertionError(f"returned {_short(found)}"))


def _judge_check(
    remote: _Remote, job: Mapping[str, Any], namespace: dict[str, Any], notes: _Notes
) -> None:
    """Run `check(candidate)`; each assertion that is reached counts as a test."""
    first = notes.number
    candidate = _Stand(remote, job["entry_point"])
    namespace["candidate"] = candidate
    namespace[_root(job["entry_point"])] = _Stand(remote, _root(job["entry_point"]))
    tree = _parse(job["tests"][0])
    notes.assertion_lines.update(_assertion_lines(tree))
    namespace.update({_PASSED: notes.passed, _FAILED: notes.failed})
    try:
        _execute(ast.fix_missing_locations(_Noting().visit(tree)), _TEST_FILE, namespace)
        check = namespace.get("check")
        if callable(check) and not isinstance(check, _Stand) and notes.number == first:
            check(candidate)
    except BrokenTask:
        raise
    except Exception as error:  # a test that fails may raise anything
        notes.failed(error)
    if notes.number == first:
        if not remote.n_calls:
            raise BrokenTask("the test code asserts nothing and calls nothing")
        notes.passed()


def _root(entry_point: str) -> str:
    """Return the name that `Solution().f` or `f` starts with."""
    return entry_point.split("(")[0].split(".")[0]


def _judge_asserts(
    remote: _Remote,
    job: Mapping[str, Any],
    namespace: dict[str, Any],
    notes: _Notes,
    names: Sequence[str],
) -> None:
    """Run assertions, each with names of its own."""
    tests: list[str] = job["tests"]
    entry = job["entry_point"] or _common_name(tests, names)
    if entry:
        namespace[_root(entry)] = _Stand(remote, _root(entry))
    try:
        _execute(_parse(job["setup"]), "setup.py", namespace)
    except Exception as error:  # it asks the program for its classes
        notes.failed(error, is_load=True)
    for source in tests[notes.number :]:
        tree = _parse(source)
        notes.assertion_lines.clear()
        notes.assertion_lines.update(_assertion_lines(tree))
        try:
            _execute(tree, _TEST_FILE, dict(namespace))
        except BrokenTask:
            raise
        except Exception as error:  # a test that fails may raise anything
            notes.failed(error)
        else:
            notes.passed()


def _common_name(tests: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the program's function that every assertion calls, if one is asked for by no name.

    A name that the tests have anyway, such as `set`, is the program's only if nothing else can be.
    """
    called = [_called_names(source) for source in tests]
    common = [name for name in names if all(name in some for some in called)]
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
        raise BrokenTask(f"test code that is no Python: {error}") from error


def _execute_own(source: str, name: str, namespace: dict[str, Any]) -> None:
    """Execute code of the task; an exception is the task's fault."""
    tree = _parse(source)
    try:
        _execute(tree, name, namespace)
    except Exception as error:
        raise BrokenTask(f"the task's own code: {type(error).__name__}: {error}") from error


def _execute(tree: ast.Module, name: str, namespace: dict[str, Any]) -> None:
    exec(compile(tree, name, "exec", dont_inherit=True), namespace)


_PASSED, _FAILED = "_judge_passed", "_judge_failed"


def _assertion_lines(tree: ast.Module) -> set[int]:
    """Return the lines that belong to an assertion."""
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Assert))
    return {line for node in found for line in range(node.lineno, (node.end_lineno or 0) + 1)}


class _Noting(ast.NodeTransformer):
    """Turn every assertion into one whose result is noted."""

    def visit_Assert(self, node: ast.Assert) -> ast.Try:
        passed = ast.Expr(ast.Call(ast.Name(_PASSED, ast.Load()), [], []))
        failed = ast.Expr(
            ast.Call(ast.Name(_FAILED, ast.Load()), [ast.Name("_judge_error", ast.Load())], [])
        )
        handler = ast.ExceptHandler(ast.Name("Exception", ast.Load()), "_judge_error", [failed])
        new = ast.Try([node], [handler], [passed], [])
        return ast.copy_location(new, node)


def _failure(error: BaseException, *, is_load: bool = False) -> tuple[str, str]:
    """Return status and reason: an exception of the program's, or an assertion's."""
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
    except (ValueError, RecursionError):  # an integer of thousands of digits, a deep list
        return f"a {type(value).__name__}"


# the program, from afar


class _Remote:
    """Ask the program in the other process."""

    def __init__(self, channel: int, assertion_lines: set[int]) -> None:
        self._channel = channel
        self._assertion_lines = assertion_lines
        self._names: set[str] = set()
        self._stands: dict[int, _Stand] = {}
        self.classes: Mapping[str, type] = {}
        self.n_calls = 0

    def load(self, prefix: str, code: str) -> list[str]:
        """Load the solution and return the names that it defines."""
        request = {"do": "load", "prefix": prefix, "code": code, "classes": list(self.classes)}
        names = self._ask(request).get("names")
        if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise Tampered("no names after loading")
        self._names = set(names)
        return names

    def has(self, name: str) -> bool:
        return name in self._names

    def do(self, operation: str, subject: str | int, *arguments: object) -> Any:
        table = self._encode(list(arguments))
        reply = self._ask({"do": operation, "of": subject, "with": table})
        return self._decode(reply.get("value"))

    def call(self, subject: str | int, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call; what the program changed in its arguments is changed here, see `_is_visible`."""
        self.n_calls += 1
        table = self._encode([list(given), named])
        reply = self._ask({"do": "call", "of": subject, "with": table})
        result = self._decode(reply.get("value"))
        if "given" in reply and self._is_visible(result):
            after = self._decode(reply["given"])
            if not (isinstance(after, list) and len(after) == 2 and isinstance(after[1], dict)):
                raise Tampered("changed arguments of another shape")
            for old, new in zip(given, after[0], strict=False):
                _update(old, new)
            for name in named.keys() & after[1].keys():
                _update(named[name], after[1][name])
        return result

    def _is_visible(self, result: object) -> bool:
        """Say whether the test may see how the program changed its arguments.

        It may after a call for the change's sake, which returns None, and outside of an assertion.
        In `assert f(x) == sorted(x)` it may not: a program that empties `x` would set its standard.
        """
        caller = sys._getframe(3)  # this function, `call`, `__call__`, and who called
        in_tests = caller.f_code.co_filename == _TEST_FILE
        return result is None or not (in_tests and caller.f_lineno in self._assertion_lines)

    def _ask(self, request: Mapping[str, object]) -> Mapping[str, Any]:
        try:
            frames.send(self._channel, request)
            reply = frames.receive(self._channel)
        except frames.Closed as error:
            raise ProgramGone from error
        except frames.Malformed as error:
            raise Tampered(f"a malformed answer: {error}") from error
        if not isinstance(reply, dict):
            raise Tampered("an answer that is no object")
        if "error" in reply:
            raise _copy_of(reply["error"])
        return reply

    def _encode(self, value: object) -> dict[str, Any]:
        return values.encode(value, self.classes, self._number)

    def _decode(self, table: object) -> Any:
        try:
            return values.decode(table, self.classes, self._stand)
        except frames.Malformed as error:
            raise Tampered(f"a malformed value: {error}") from error

    def _number(self, value: object) -> int:
        if isinstance(value, _Stand) and isinstance(value._subject, int):
            return value._subject
        raise BrokenTask(f"test code passes a {type(value).__name__}, which cannot travel")

    def _stand(self, number: int) -> _Stand:
        """Return the one stand-in of a remote object, so that identity is the object's."""
        return self._stands.setdefault(number, _Stand(self, number))


class _Stand:
    """Stand for something of the program: a function, a class, an object that is no plain data.

    Equality is identity, whatever the object itself would say.
    """

    def __init__(self, remote: _Remote, subject: str | int) -> None:
        object.__setattr__(self, "_remote", remote)
        object.__setattr__(self, "_subject", subject)

    _remote: _Remote
    _subject: str | int

    def __call__(self, *given: Any, **named: Any) -> Any:
        return self._remote.call(self._subject, given, named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._remote.do("get", self._subject, name)

    def __setattr__(self, name: str, value: object) -> None:
        self._remote.do("set", self._subject, name, value)

    def __iter__(self) -> Iterator[Any]:
        items = self._remote.do("iter", self._subject)
        if not isinstance(items, _Stand):
            return
        while True:
            found = self._remote.do("next", items._subject, 1)
            if not isinstance(found, list) or not found:
                return
            yield from found

    def __next__(self) -> Any:
        found = self._remote.do("next", self._subject, 1)
        if not isinstance(found, list) or not found:
            raise StopIteration
        return found[0]

    def __len__(self) -> int:
        return int(self._remote.do("len", self._subject))

    def __getitem__(self, key: object) -> Any:
        return self._remote.do("item", self._subject, key)

    def __contains__(self, item: object) -> bool:
        return bool(self._remote.do("has", self._subject, item))

    def __bool__(self) -> bool:
        return bool(self._remote.do("true", self._subject))

    def __str__(self) -> str:
        return str(self._remote.do("str", self._subject))

    def __repr__(self) -> str:
        return str(self._remote.do("repr", self._subject))


def _update(old: Any, new: Any) -> None:
    if type(old) is not type(new):
        return
    if isinstance(old, list):
        old[:] = new
    elif isinstance(old, (dict, set)):
        old.clear()
        old.update(new)
    elif hasattr(old, "__dict__"):
        old.__dict__.update(new.__dict__)


def _copy_of(described: object) -> Exception:
    """Return an exception of the builtin type that the program's had, or a ProgramError."""
    if not (
        isinstance(described, dict)
        and isinstance(described.get("name"), str)
        and isinstance(described.get("text"), str)
        and isinstance(described.get("kinds"), list)
    ):
        raise Tampered("an error of another shape")
    error: Exception = ProgramError(described["text"])
    kind = getattr(builtins, str((described["kinds"] or [""])[0]), None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            error = kind(described["text"])
        except TypeError:  # it wants other arguments
            pass
    error._described = described  # type: ignore[attr-defined]
    return error
