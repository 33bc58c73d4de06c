"""Stand-ins for objects in a program's process: the judge's side of their messages.

An answer of the program is copied into plain values; any other answer raises `Tampered`. Called by
`judge`.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from . import frames, values

TEST_FILE = "tests.py"
"""The file name under which test code is compiled."""


class ProgramError(Exception):
    """An exception of the program whose type is not builtin."""


class ProgramGone(BaseException):
    """The program ended before it answered. No `except Exception` in test code catches this."""


class Tampered(BaseException):
    """The program's answer breaks the protocol."""


class BrokenTask(Exception):
    """The test code cannot be run, whatever the program does."""


class Remote:
    """The program in the other process: sends requests and decodes the answers."""

    def __init__(self, channel: int, assertion_lines: set[int]) -> None:
        self._channel = channel
        self._assertion_lines = assertion_lines
        self._names: set[str] = set()
        self._stands: dict[int, Stand] = {}
        self.classes: Mapping[str, type] = {}
        self.n_calls = 0

    def load(self, prefix: str, code: str) -> list[str]:
        """Load the solution and return the names that it defines."""
        request = {"do": "load", "prefix": prefix, "code": code, "classes": list(self.classes)}
        names = self._ask(request).get("names")
        if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise Tampered("the answer to a load holds no names")
        self._names = set(names)
        return names

    def has(self, name: str) -> bool:
        return name in self._names

    def do(self, operation: str, subject: str | int, *arguments: object) -> Any:
        table = self._encode(list(arguments))
        reply = self._ask({"do": operation, "of": subject, "with": table})
        return self._decode(reply.get("value"))

    def call(self, subject: str | int, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call a function. Changes of its arguments are copied back if `_is_visible` allows it."""
        self.n_calls += 1
        table = self._encode([list(given), named])
        reply = self._ask({"do": "call", "of": subject, "with": table})
        result = self._decode(reply.get("value"))
        if "given" in reply and self._is_visible(result):
            after = self._decode(reply["given"])
            if not (isinstance(after, list) and len(after) == 2 and isinstance(after[1], dict)):
                raise Tampered("the changed arguments have the wrong shape")
            for old, new in zip(given, after[0], strict=False):
                _update(old, new)
            for name in named.keys() & after[1].keys():
                _update(named[name], after[1][name])
        return result

    def _is_visible(self, result: object) -> bool:
        """Return whether the test may see the program's changes of its arguments.

        It may after a call that returns None, which is made for the sake of the change, and outside
        of assertions. In `assert f(x) == sorted(x)` it may not: a program that empties `x` would
        choose its own expected value.
        """
        # The caller above this function, `call` and `__call__`.
        caller = sys._getframe(3)
        in_tests = caller.f_code.co_filename == TEST_FILE
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
            raise Tampered("the answer is not a JSON object")
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
        if isinstance(value, Stand) and isinstance(value._subject, int):
            return value._subject
        kind = type(value).__name__
        raise BrokenTask(f"test code passes a {kind}, which cannot be sent to the program")

    def _stand(self, number: int) -> Stand:
        """Return the only stand-in of a remote object: `is` then compares the remote objects."""
        return self._stands.setdefault(number, Stand(self, number))


class Stand:
    """A stand-in for a function, a class or another object of the program that is no plain data.

    Two stand-ins are equal if they are identical; the program's `__eq__` is not called.
    """

    def __init__(self, remote: Remote, subject: str | int) -> None:
        object.__setattr__(self, "_remote", remote)
        object.__setattr__(self, "_subject", subject)

    _remote: Remote
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
        if not isinstance(items, Stand):
            return
        while True:
            batch = self._remote.do("next", items._subject, 1)
            if not isinstance(batch, list) or not batch:
                return
            yield from batch

    def __next__(self) -> Any:
        batch = self._remote.do("next", self._subject, 1)
        if not isinstance(batch, list) or not batch:
            raise StopIteration
        return batch[0]

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
    """Return an exception of the same builtin type as the program's, or a ProgramError."""
    if not (
        isinstance(described, dict)
        and isinstance(described.get("name"), str)
        and isinstance(described.get("text"), str)
        and isinstance(described.get("kinds"), list)
    ):
        raise Tampered("the description of an error has the wrong shape")
    error: Exception = ProgramError(described["text"])
    kind = getattr(builtins, str((described["kinds"] or [""])[0]), None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            error = kind(described["text"])
        except TypeError:
            # The type takes other arguments.
            pass
    error._described = described  # type: ignore[attr-defined]
    return error
