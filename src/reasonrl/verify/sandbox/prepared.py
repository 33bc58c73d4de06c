"""Prepare a task's own test code: its names, its stand-ins, its marks, and whose fault it is.

Nothing runs here. Called by `judge`.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import marking, testcode
from .failures import BrokenTask
from .job import ProgramJob
from .program import prelude
from .remote import Remote
from .stand import Stand
from .untestable import check_possible

Report = Callable[..., None]
"""Report a passed test, a failed one with its exception, or an assertion that is reached."""


class TestCode:
    """The test code of a job: its trees, and the namespace in which they run."""

    def __init__(self, job: ProgramJob, namespace: dict[str, Any]) -> None:
        self._job = job
        self._is_check = job["kind"] == "check"
        is_code = job["kind"] != "calls"
        self.namespace = namespace
        self.setup = testcode.parse(job["setup"] if is_code else "")
        self.trees = [testcode.parse(source) for source in (job["tests"] if is_code else ())]
        everything = [self.setup, *self.trees]
        # The marks of the judge are names, too: the names of the test are read before.
        self._used = [testcode.used_names(tree) for tree in self.trees]
        self._called = [testcode.called_names(tree) for tree in self.trees]
        self.own = testcode.bound_names(everything)
        self.has_assertion = testcode.has_assertion(everything)
        check_possible(everything, self.own)
        self.text = "\n".join([job["setup"], *job["tests"]]) if is_code else ""

    @property
    def wants(self) -> dict[str, bool]:
        """What the program's process must do for this code beside answering."""
        has_output = any(word in self.text for word in ("redirect_stdout", "sys.stdout"))
        return {
            "objects": self._job["kind"] != "calls",
            "input": "builtins.input" in self.text or "sys.stdin" in self.text,
            "output": has_output,
        }

    def prepare(self, remote: Remote, names: Sequence[str], reports: Mapping[str, Report]) -> None:
        """Put stand-ins for the program's names into the namespace, and mark the code."""
        entry = self._job["entry_point"] or self._subject(names)
        own = {*self.namespace, *self.own}
        # No program may bring the function that compares its result.
        names = [name for name in names if not name.startswith("assert")]
        free = {name for name in names if name not in own and not hasattr(builtins, name)}
        words = {name for names in self._used for name in names}
        remote.expects_stop = "StopIteration" in words
        remote.failures.expected = " ".join(words)
        remote.class_names = testcode.class_names(
            [self.setup, *self.trees], own, self._job["entry_point"]
        )
        self._import_modules(remote)
        free |= self._hidden(remote, {name for name in names if name not in self.own})
        for name in free:
            is_module = name in self.namespace and name not in remote.variables
            if not is_module:
                self.namespace[name] = remote.named(name)
        if entry:
            root = root_of(entry)
            self.namespace[root] = remote.named(root)
        marks = {**reports, "read": remote.read, "caught": remote.caught,
                 "helped": remote.changes.helped, "type": remote.type_of,
                 "callable": remote.is_callable, "get": remote.attribute,
                 "same": remote.are_same, "instance": remote.is_of,
                 "seed": remote.seed, "has": remote.has_name,
                 "library": remote.library}  # fmt: skip
        self.namespace.update((f"_judge_{name}", mark) for name, mark in marks.items())
        self._lines = [marking.assertion_lines(tree) for tree in self.trees]
        variables = (free & remote.variables) - {root_of(entry or "")}
        self.setup, *self.trees = (
            marking.mark(tree, variables=variables, own=own, counts_all=self._is_check)
            for tree in (self.setup, *self.trees)
        )

    def _hidden(self, remote: Remote, names: set[str]) -> set[str]:
        """Return the program's variables that have the name of a function of the library.

        A test that never calls `count`, but compares it, does not mean `itertools.count`.
        """
        called = {name for names in self._called for name in names}
        ready = prelude()
        return {
            name
            for name in names & remote.variables - called
            if callable(ready.get(name)) and self.namespace.get(name) is ready[name]
        }

    def lines(self, number: int) -> set[int]:
        return self._lines[number]

    def check_is_about_program(self, number: int, remote: Remote) -> None:
        """Raise NameError for a test that the library alone has passed.

        A program that does not define the `gcd` of a test must not pass by the library's `gcd`.
        """
        is_used = any(isinstance(self.namespace.get(name), Stand) for name in self._used[number])
        if remote.n_asked or is_used:
            return
        for name in self._called[number]:
            if name in self.namespace or hasattr(builtins, name):
                raise NameError(f"name {name!r} is not defined by the program", name=name)
        raise BrokenTask("the test asserts nothing about the program")

    def _subject(self, names: Sequence[str]) -> str | None:
        library = {**vars(builtins), **prelude()}
        own = {name for name in self.namespace if self.namespace[name] is not library.get(name)}
        return testcode.subject_name(self.trees, self.setup, names, library, own | self.own)

    def _import_modules(self, remote: Remote) -> None:
        """Import the modules that the tests use without importing them, as the program does."""
        for name in testcode.modules_in([self.setup, *self.trees]) - self.own:
            is_numpy = name in ("np", "numpy")
            is_library = name in sys.stdlib_module_names and (
                name in remote.modules or not remote.has(name)
            )
            if name not in self.namespace and (is_numpy or is_library):
                try:
                    self.namespace[name] = __import__("numpy" if is_numpy else name)
                except ImportError:
                    continue

    def is_at_fault(self, error: BaseException, remote: Remote) -> bool:
        """Return whether an exception is the fault of the task's own code.

        It is if the code lacks a module, or fails before it has asked the program for anything. A
        name that nobody defines is the program's fault, as it could have defined the name: no
        program may gain by leaving out what a test reads.
        """
        if hasattr(error, "_described") or isinstance(error, AssertionError):
            return False
        if isinstance(error, NameError) and not isinstance(error, UnboundLocalError):
            is_library = error.name in sys.stdlib_module_names or error.name in self.own
            return is_library and not remote.n_asked
        return isinstance(error, ImportError) or not remote.n_asked


def root_of(entry_point: str) -> str:
    """Return the first name of a target: `Solution` of `Solution().f`, `f` of `f`."""
    return entry_point.split("(")[0].split(".")[0]
