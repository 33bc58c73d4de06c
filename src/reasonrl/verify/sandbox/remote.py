"""The judge's side of the messages to a program: requests, and plain copies of the answers.

An answer of the program is copied into plain values; any other answer raises `Tampered`. An object
that is no plain data is represented by a stand-in (`stand`). Called by `judge`.
"""

from __future__ import annotations

import builtins
import random
import sys
from collections.abc import Mapping
from typing import Any

from . import frames, special, values
from .changes import Changes
from .failures import Failures, Tampered
from .stand import MADE, UNDER_TEST, Linked, Stand, awaited, is_made_here, linked
from .testcode import is_class_name


class ProgramGone(BaseException):
    """The program ended before it answered. No `except Exception` in test code catches this."""


class BrokenTask(BaseException):
    """The test code cannot be run, whatever the program does."""


class Remote:
    """The program in the other process: sends requests and decodes the answers."""

    def __init__(self, channel: int, assertion_lines: set[int]) -> None:
        self._channel = channel
        self.changes = Changes(assertion_lines)
        self._names: set[str] = set()
        self._stands: dict[int, Stand] = {}
        self._links: dict[int, Any] = {}
        self.failures = Failures()
        self.classes: Mapping[str, type] = {}
        self.class_names: set[str] = set()
        self.variables: set[str] = set()
        self.modules: set[str] = set()
        self.wants: Mapping[str, bool] = {}
        self.expects_stop = False
        self.n_asked = 0

    def load(self, prefix: str, code: str) -> list[str]:
        """Load the solution and return the names that it defines."""
        request = {"do": "load", "prefix": prefix, "code": code, "classes": list(self.classes),
                   "wants": self.wants}  # fmt: skip
        reply = self._ask(request)
        lists = [reply.get(key, []) for key in ("names", "variables", "modules")]
        if "names" not in reply or not all(_are_texts(names) for names in lists):
            raise Tampered("the answer to a load holds no names")
        self._names, self.variables, self.modules = map(set, lists)
        numbers = reply.get("numbers", {})
        if isinstance(numbers, dict):
            for name, number in numbers.items():
                if isinstance(number, int):
                    # The test compares functions and classes by identity.
                    self._stands.setdefault(number, Stand(self, name))
        self.n_asked = 0
        return list(lists[0])

    def has(self, name: str) -> bool:
        return name in self._names

    def named(self, name: str) -> Stand:
        """Return the stand-in for a name of the program."""
        for stand in self._stands.values():
            if stand._subject == name:
                return stand
        return Stand(self, name)

    def do(self, operation: str, subject: str | int, *arguments: object) -> Any:
        table = self._encode(list(arguments))
        reply = self._ask({"do": operation, "of": subject, "with": table})
        return self._decode(reply.get("value"))

    def call(self, subject: str | int, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call a function. Changes of its arguments are copied back where the test may see them.

        A StopIteration of the program would end a loop of the test instead of failing it, so it
        arrives as a RuntimeError, unless the test itself speaks of it.
        """
        table, objects = values.encode_with_objects(
            [list(given), named], self.classes, self._number, self._special
        )
        try:
            reply = self._ask({"do": "call", "of": subject, "with": table})
        except StopIteration as error:
            if self.expects_stop:
                raise
            stopped = RuntimeError("the program raised StopIteration")
            stopped._described = error._described  # type: ignore[attr-defined]
            raise stopped from None
        result = self._decode(reply.get("value"))
        is_changed = "given" in reply
        is_seen = is_changed and self.changes.show(
            self._decode(reply["given"]), result, given, named
        )
        same = reply.get("same")
        if isinstance(same, int) and 0 <= same < len(objects):
            is_whole = not is_changed or (is_seen and any(objects[same] is own for own in given))
            result = objects[same] if is_whole else result
        elif isinstance(result, (str, int, float)) and not isinstance(result, Linked):
            # An immutable value is the argument itself, if it equals one.
            result = next(
                (own for own in given if type(own) is type(result) and own == result), result
            )
        return self.inherit(result, self._rank_of_call(subject))

    def _rank_of_call(self, subject: str | int) -> int:
        if not isinstance(subject, str):
            return 0
        return UNDER_TEST if subject in self.class_names else MADE * is_class_name(subject)

    # what stand-ins ask

    def inherit(self, value: object, rank: int) -> Any:
        """Return a stand-in of this rank for an object of the program, any other value as it is."""
        if rank and isinstance(value, Stand) and isinstance(value._subject, int):
            return Stand(self, value._subject, rank)
        return value

    def is_instance(self, kind: Stand, value: object) -> bool:
        if isinstance(value, BaseException):
            twin = self.caught(kind)
            return isinstance(twin, type) and isinstance(value, twin)
        return bool(self.do("isinstance", kind._subject, value))

    def is_subclass(self, kind: Stand, other: object) -> bool:
        if isinstance(other, type) and issubclass(other, BaseException):
            twin = self.caught(kind)
            return isinstance(twin, type) and issubclass(other, twin)
        return isinstance(other, Stand) and bool(self.do("issubclass", kind._subject, other))

    def refuse(self, what: str) -> BaseException:
        return BrokenTask(what)

    # what marked test code asks

    def read(self, name: str) -> Any:
        """Return the value of a variable of the program."""
        return self.do("self", name)

    def seed(self, *given: Any) -> None:
        """Seed the random numbers here and in the program, which share them in plain Python."""
        random.seed(*given)
        n_asked = self.n_asked
        self._ask({"do": "seed", "with": self._encode(list(given))})
        self.n_asked = n_asked

    def caught(self, kind: Any) -> Any:
        """Return the classes that an `except` clause of the test names.

        A class of the program may be a name for all exceptions. It does not catch the failure of
        an assertion of the test.
        """
        if isinstance(kind, tuple):
            return tuple(self.caught(part) for part in kind)
        if not isinstance(kind, Stand):
            return kind
        twin = self.failures.class_of(self.do("tree", kind._subject)) or ()
        error = sys.exc_info()[1]
        is_ours = isinstance(error, AssertionError) and not hasattr(error, "_described")
        return () if is_ours else twin

    def are_same(self, left: Any, right: Any) -> bool:
        """Return whether two values are one object, of the test or of the program."""
        if isinstance(left, Stand) and isinstance(right, Stand):
            return left._subject == right._subject
        return left is right

    def is_of(self, value: Any, kinds: Any) -> bool:
        """Answer `isinstance`: an object of the program may extend a class of plain data."""
        if isinstance(value, kinds) or not isinstance(value, Stand):
            return isinstance(value, kinds)
        plain = self.do("self", value._subject)
        return isinstance(plain, Linked) and isinstance(plain, kinds)

    def type_of(self, value: Any) -> Any:
        if isinstance(value, (Stand, Linked)):
            return self.do("type", value._subject)
        number = (
            self.failures.numbers.get(type(value)) if isinstance(value, BaseException) else None
        )
        return type(value) if number is None else self._stand(number)

    def is_callable(self, value: Any) -> bool:
        is_stand = isinstance(value, Stand)
        return bool(self.do("callable", value._subject)) if is_stand else callable(value)

    def attribute(self, value: Any, name: str) -> Any:
        """Return an attribute such as `__doc__`, which a stand-in has itself, too."""
        is_ours = not isinstance(value, (Stand, Linked))
        return getattr(value, name) if is_ours else self.do("get", value._subject, name)

    # messages

    def _ask(self, request: Mapping[str, object]) -> Mapping[str, Any]:
        self.n_asked += 1
        try:
            frames.send(self._channel, request, frames.MAX_JOB_BYTES)
        except frames.Closed as error:
            raise ProgramGone from error
        except frames.Malformed as error:
            raise BrokenTask(f"a value of the test cannot be sent: {error}") from error
        try:
            while "ask" in (reply := self._receive()):
                frames.send(self._channel, self._line(reply))
        except frames.Closed as error:
            raise ProgramGone from error
        except frames.Malformed as error:
            raise Tampered(f"a malformed answer: {error}") from error
        if isinstance(text := reply.get("printed"), str) and sys.stdout is not None:
            sys.stdout.write(text)
        if "error" in reply:
            raise self.failures.copy_of(
                reply["error"], self._decode, lambda number, name: self.do("get", number, name)
            )
        return reply

    def _receive(self) -> dict[str, Any]:
        reply = frames.receive(self._channel)
        if not isinstance(reply, dict):
            raise Tampered("the answer is not a JSON object")
        return reply

    def _line(self, asked: Mapping[str, Any]) -> dict[str, str]:
        """Return a line for the program's `input`, from what the test has put in its place."""
        try:
            return {"line": str(builtins.input(str(asked.get("prompt", ""))))}
        except Exception as error:
            return {"none": type(error).__name__}

    def _encode(self, value: object) -> dict[str, Any]:
        return values.encode(value, self.classes, self._number, self._special)

    def _decode(self, table: object) -> Any:
        try:
            return values.decode(table, self.classes, self._stand, self._make)
        except frames.Malformed as error:
            raise Tampered(f"a malformed value: {error}") from error

    def _number(self, value: object) -> int:
        if isinstance(value, Stand) and isinstance(value._subject, int):
            return value._subject
        if isinstance(value, Stand):
            own = (number for number, stand in self._stands.items() if stand is value)
            if (number := next(own, None)) is not None:
                return number
        is_copy = hasattr(value, "_described") or is_made_here(value)
        kind = type(value).__name__
        if is_copy:
            # The program has made the value: it may not blame the task for it.
            raise TypeError(f"a {kind} of the program cannot be sent back to it")
        raise BrokenTask(f"test code passes a {kind}, which cannot be sent to the program")

    def _special(self, value: Any) -> tuple[str, list[Any], list[Any]] | None:
        if type(value).__module__ == "numpy":
            return special.write_numpy(value)
        is_plain = isinstance(value, type) and value.__module__ == "builtins"
        return None if is_plain else special.write_library(value)

    def _make(self, tag: str, parts: list[Any], items: list[Any]) -> object:
        if tag == "numpy":
            try:
                return special.make_numpy(parts, items)
            except Exception as error:
                raise frames.Malformed(f"no value of numpy: {error}") from error
        (number,) = parts
        if tag == "coroutine" and isinstance(number, int):
            return awaited(self, number)
        if tag != "linked" or not isinstance(number, int):
            raise frames.Malformed(f"a value of kind {tag}")
        (plain,) = items
        known = self._links.get(number)
        if isinstance(plain, (int, float, str)) and known is not None and known == plain:
            return known
        return self._links.setdefault(number, linked(self, number, plain))

    def _stand(self, number: int) -> Stand:
        """Return the only stand-in of a remote object: `is` then compares the remote objects."""
        return self._stands.setdefault(number, Stand(self, number))


def _are_texts(names: object) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names)
