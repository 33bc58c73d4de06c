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

from . import frames
from .changes import Changes
from .exchange import Exchange
from .failures import BrokenTask, Failures, Tampered
from .kinds import name_of
from .stand import MADE, UNDER_TEST, Linked, Stand
from .testcode import is_class_name


class ProgramGone(BaseException):
    """The program ended before it answered. No `except Exception` in test code catches this."""


_ABSTRACT = ("collections.abc", "typing", "numbers", "types")
_DATA = (bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset)


class Remote:
    """The program in the other process: sends requests and decodes the answers."""

    def __init__(self, channel: int, assertion_lines: set[int]) -> None:
        self._channel = channel
        self.changes = Changes(assertion_lines)
        self._names: set[str] = set()
        self.failures = Failures()
        self.values = Exchange(self, self.failures)
        self.lent = self.values.lent
        self.class_names: set[str] = set()
        self.variables: set[str] = set()
        self.modules: set[str] = set()
        self.wants: Mapping[str, bool] = {}
        self.expects_stop = False
        # Results that are arguments, where the test may not see how these have changed.
        self._originals: dict[int, tuple[object, object]] = {}
        self.n_asked = 0

    def load(self, prefix: str, code: str) -> list[str]:
        """Load the solution and return the names that it defines."""
        classes = list(self.values.classes)
        request = {"do": "load", "prefix": prefix, "code": code, "classes": classes,
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
                    self.values.stands.setdefault(number, Stand(self, name))
        self.n_asked = 0
        return list(lists[0])

    def has(self, name: str) -> bool:
        return name in self._names

    def named(self, name: str) -> Stand:
        """Return the stand-in for a name of the program."""
        for stand in self.values.stands.values():
            if stand._subject == name:
                return stand
        return Stand(self, name)

    def do(self, operation: str, subject: str | int, *arguments: object) -> Any:
        table = self.values.encode(list(arguments))
        reply = self._ask({"do": operation, "of": subject, "with": table})
        return self.values.decode(reply.get("value"))

    def call(self, subject: str | int, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call a function. Changes of its arguments are copied back where the test may see them.

        A StopIteration of the program would end a loop of the test instead of failing it, so it
        arrives as a RuntimeError, unless the test itself speaks of it.
        """
        table, objects = self.values.encode_with_objects([list(given), named])
        try:
            reply = self._ask({"do": "call", "of": subject, "with": table})
        except StopIteration as error:
            if self.expects_stop:
                raise
            stopped = RuntimeError("the program raised StopIteration")
            stopped._described = error._described  # type: ignore[attr-defined]
            raise stopped from None
        result = self.values.decode(reply.get("value"))
        is_changed = "given" in reply
        is_seen = is_changed and self.changes.show(
            self.values.decode(reply["given"]), result, given, named
        )
        same = reply.get("same")
        if isinstance(same, int) and 0 <= same < len(objects):
            is_whole = not is_changed or (is_seen and any(objects[same] is own for own in given))
            if not is_whole:
                self._originals[id(result)] = (result, objects[same])
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
        if isinstance(value, Linked):
            value = self.values.stand(value._subject)
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
        self._ask({"do": "seed", "with": self.values.encode(list(given))})
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
        first, second = (self._originals.get(id(value), (0, value))[1] for value in (left, right))
        return first is second

    def is_of(self, value: Any, kinds: Any) -> bool:
        """Answer `isinstance`: an object of the program may extend a class of plain data.

        A stand-in has the special methods of every object, so the program is asked.
        """
        if isinstance(kinds, tuple):
            return any(self.is_of(value, kind) for kind in kinds)
        if not isinstance(value, Stand) or not isinstance(kinds, type):
            return isinstance(value, kinds)
        if kinds.__module__ in _ABSTRACT or name_of(kinds) is not None:
            if kinds in (object, type):
                return kinds is object or bool(self.do("is of", value._subject, type))
            is_data = kinds.__module__ not in _ABSTRACT and issubclass(kinds, _DATA)
            if not is_data and self.do("is of", value._subject, kinds):
                return True
        plain = self.do("self", value._subject)
        return isinstance(plain, Linked) and isinstance(plain, kinds)

    def has_name(self, value: Any, name: str) -> bool:
        """Answer `hasattr`."""
        is_stand = isinstance(value, Stand)
        return bool(self.do("has name", value._subject, name)) if is_stand else hasattr(value, name)

    def library(self, function: Any, /, *given: Any, **named: Any) -> Any:
        """Call a function such as `copy` or `asdict`; the program does so for its own object."""
        name = getattr(function, "__name__", "")
        is_ours = not given or not isinstance(given[0], Stand)
        if is_ours or getattr(function, "__module__", "") not in ("copy", "dataclasses"):
            return self.changes.helped(function, *given, **named)
        subject, rank = given[0]._subject, given[0]._rank
        return self.inherit(self.do(name, subject, *([named] if name == "replace" else [])), rank)

    def type_of(self, value: Any) -> Any:
        if isinstance(value, (Stand, Linked)):
            return self.do("type", value._subject)
        number = (
            self.failures.numbers.get(type(value)) if isinstance(value, BaseException) else None
        )
        return type(value) if number is None else self.values.stand(number)

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
                own = self.lent.answer(reply) if reply["ask"] == "test" else self._line(reply)
                frames.send(self._channel, own)
        except frames.Closed as error:
            raise ProgramGone from error
        except frames.Malformed as error:
            raise Tampered(f"a malformed answer: {error}") from error
        if isinstance(text := reply.get("printed"), str) and sys.stdout is not None:
            sys.stdout.write(text)
        if self.lent.failure is not None and not self.lent.depth:
            # No program may hide a failed assertion of a function that the test has given it.
            failure, self.lent.failure = self.lent.failure, None
            raise failure
        if "error" in reply:
            raise self.values.copy_of(reply["error"])
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


def _are_texts(names: object) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names)
