"""Objects of a test that a program may use: they stay with the judge, which does what is asked.

A test may pass a function, an iterator, a class or an object of its own to the program. The program
gets a stand-in (`borrowed`), and learns what using the object tells it, as in plain Python. It gets
no further: names that begin with an underscore, modules, and what an object has of a class of the
library are refused, so that no way leads from a function to its code, its variables or its frame.
Called by `exchange`.
"""

from __future__ import annotations

import collections
import contextlib
import inspect
import io
import json
import queue
import random
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType, SimpleNamespace
from typing import Any

from .failures import BrokenTask, Tampered
from .operations import METHODS, OPERATIONS
from .special import Written
from .values import plain_base

_MOST_DEPTH = 100
"""How deeply calls of the program and calls of the test may be nested."""
_TEST_MODULE = "judge"
"""The `__module__` of what test code defines."""
_STATEFUL = (io.StringIO, io.BytesIO, random.Random, collections.UserDict, collections.UserList,
             collections.ChainMap, SimpleNamespace, queue.Queue,
             contextlib._GeneratorContextManager)  # fmt: skip
_CHANGEABLE = (list, dict, set, bytearray, collections.deque)
_FIXED = (tuple, str, int, float, bytes, frozenset)
_HIDDEN = re.compile(r"__|\b(gi|cr|ag|tb|f)_(frame|code|back|globals|locals|builtins)\b")
"""Names that lead from an object to its code and its variables: a function of the test might look
up what a text says."""
_USUAL = (Exception, SystemExit, KeyboardInterrupt, GeneratorExit)


class Lent:
    """The objects that the program holds stand-ins of, by number."""

    def __init__(self, decode: Callable[[object], Any], encode: Callable[[object], Any]) -> None:
        self._decode = decode
        self._encode = encode
        self._objects: list[tuple[object, str]] = []
        self._numbers: dict[int, int] = {}
        self.errors: list[BaseException] = []
        # The first assertion of the test that failed in a call by the program, which may hide it.
        self.failure: BaseException | None = None
        self.depth = 0

    def write(self, value: Any) -> Written | None:
        """Write a reference to an object of the test; None for one that the test cannot lend."""
        kind = _kind_of(value)
        if kind is None:
            return None
        named = value if isinstance(value, (type, FunctionType)) else type(value)
        number = self._number(value, kind)
        if isinstance(value, type) and issubclass(value, BaseException):
            bases = [base.__name__ for base in value.__mro__ if base.__module__ == "builtins"]
            return "lent", [number, "error", named.__name__, bases[:1], []], []
        plain = plain_base(value) if isinstance(value, _FIXED) else value
        parts = [number, kind, named.__name__, _abilities(value, kind), _parameters(value)]
        return "lent", parts, [] if plain is value else [plain]

    def find(self, parts: list[Any]) -> object:
        """Return the object of a reference that comes back. Raises Tampered for a forged one."""
        number = parts[0] if parts else None
        if not isinstance(number, int) or not 0 <= number < len(self._objects):
            raise Tampered("a reference to no object of the test")
        return self._objects[number][0]

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Do what the program asks of an object of the test; return the answer or the exception."""
        subject = self.find([request.get("of")])
        kind = self._objects[request["of"]][1]
        given = self._decode(request.get("with"))
        if not isinstance(given, list):
            raise Tampered("what the program asks of the test has the wrong shape")
        self.depth += 1
        try:
            if self.depth > _MOST_DEPTH:
                raise RecursionError("maximum recursion depth exceeded")
            if _HIDDEN.search(json.dumps(request.get("with"))):
                raise TypeError("a text names what a program may not see of a test")
            before = self._encode(given)
            result = self._run(subject, kind, request.get("do"), given)
            after = self._encode(given)
            reply = {"value": self._encode(result)}
            return reply if before == after else {**reply, "given": after}
        except BrokenTask as error:
            # The program has chosen the arguments: it may not blame the task.
            return self._described(TypeError(str(error)))
        except _USUAL as error:
            return self._described(error)
        finally:
            self.depth -= 1

    def _run(self, subject: Any, kind: str, operation: object, given: list[Any]) -> object:
        if operation == "call" and "call" in _allowed(subject, kind):
            if len(given) != 2 or not isinstance(given[0], list) or not isinstance(given[1], dict):
                raise Tampered("a call of the program has the wrong shape")
            return subject(*given[0], **given[1])
        if operation in ("get", "set", "del") and kind in ("object", "class"):
            return _attribute(subject, str(operation), given)
        if not isinstance(operation, str) or operation not in _allowed(subject, kind):
            raise TypeError("the object of the test has no such operation")
        if operation == "next":
            return OPERATIONS["next"](subject, 1)
        return OPERATIONS[operation](subject, *given)

    def _number(self, value: object, kind: str) -> int:
        number = self._numbers.setdefault(id(value), len(self._objects))
        if number == len(self._objects):
            self._objects.append((value, kind))
        return number

    def _described(self, error: BaseException) -> dict[str, Any]:
        own = getattr(error, "_described", None)
        if own is not None and isinstance(own.get("number"), int):
            return {"error": {"own": own["number"]}}
        if isinstance(error, AssertionError) and self.failure is None:
            self.failure = error
        kind = type(error)
        self.errors.append(error)
        described: dict[str, Any] = {
            "name": kind.__name__,
            "kinds": [base.__name__ for base in kind.__mro__ if base.__module__ == "builtins"],
            "text": str(error)[:2_000],
            "number": len(self.errors) - 1,
        }
        if kind.__module__ == _TEST_MODULE:
            described["class"] = self._number(kind, "class")
        try:
            described["arguments"] = self._encode(list(error.args))
        except (BrokenTask, *_USUAL):
            described["arguments"] = self._encode([described["text"]])
        return {"error": described}


def _kind_of(value: Any) -> str | None:
    kind = type(value)
    if isinstance(value, type):
        return "class" if value.__module__ == _TEST_MODULE else None
    if inspect.iscoroutinefunction(value) or inspect.isasyncgenfunction(value):
        # A coroutine runs in one process only.
        return None
    if isinstance(value, FunctionType) or kind.__name__ == "_lru_cache_wrapper":
        return "function" if value.__module__ == _TEST_MODULE else None
    if isinstance(value, (MethodType, BuiltinFunctionType)) or hasattr(value, "assert_called_with"):
        return "function"
    if kind.__module__ == _TEST_MODULE:
        # Data that changes travels as a copy, unless the class has methods of its own.
        is_data = isinstance(value, _CHANGEABLE) and not any(map(callable, vars(kind).values()))
        return None if is_data else "object"
    if isinstance(value, Iterator) and kind.__module__ in ("builtins", "itertools"):
        return "iterator"
    return "object" if kind in _STATEFUL else None


def is_record(value: object) -> bool:
    """Return whether an object travels as a copy: a link of a list or a tree, without methods.

    A copy has no identity, but all of a long list arrives at once.
    """
    kind = type(value)
    if kind.__module__ != _TEST_MODULE or kind.__bases__ != (object,):
        return False
    names = {name for name, item in vars(kind).items() if callable(item) or _is_descriptor(item)}
    own = getattr(value, "__dict__", {})
    is_link = any(not isinstance(item, _PLAIN) for item in own.values())
    return is_link and names <= _OF_RECORDS and not any(name.startswith("_") for name in own)


_PLAIN = (int, float, str, bytes, tuple, frozenset)


def _is_descriptor(item: object) -> bool:
    return isinstance(item, (property, staticmethod, classmethod))


_OF_RECORDS = frozenset({"__init__", "__repr__", "__str__"})


def _abilities(value: Any, kind: str) -> list[str]:
    """Return the special methods that the stand-in of an object must have."""
    if kind in ("function", "iterator"):
        return ["__call__"] if kind == "function" else ["__iter__", "__next__"]
    common = {"__repr__", "__str__", *(["__call__"] if kind == "class" else [])}
    holders = [holder for holder in type(value).__mro__ if holder not in (object, type)]
    if isinstance(value, _FIXED):
        # The program has the data itself.
        holders = [holder for holder in holders if holder.__module__ in (_TEST_MODULE, "enum")]
    return sorted(common | {name for name in METHODS for kind in holders if name in vars(kind)})


def _allowed(value: Any, kind: str) -> set[str]:
    is_class = ["isinstance"] if kind == "class" else []
    return {*is_class, *(METHODS[name] for name in _abilities(value, kind))}


def _attribute(subject: Any, operation: str, given: list[Any]) -> object:
    name = given[0] if given and isinstance(given[0], str) else "_"
    if name.startswith("_") or len(given) > 2:
        raise AttributeError(name)
    if operation != "get":
        own_class = subject if isinstance(subject, type) else type(subject)
        if callable(getattr(own_class, name, None)):
            # The test would call the program's method in place of its own.
            raise AttributeError(f"{name} is a method of the test")
        return OPERATIONS[operation](subject, *given)
    value = getattr(subject, name)
    is_open = type(subject) in _STATEFUL or isinstance(subject, _CHANGEABLE)
    is_library = not is_open and isinstance(
        inspect.getattr_static(subject, name), (BuiltinFunctionType, type(str.format))
    )
    holders = subject.__mro__ if isinstance(subject, type) else type(subject).__mro__
    holder = next((kind for kind in holders if name in vars(kind)), None)
    is_own = holder is None or holder.__module__ == _TEST_MODULE or is_open
    is_member = isinstance(subject, Enum) and name in ("name", "value")
    if is_library or not (is_own or is_member) or hasattr(value, "__spec__"):
        raise AttributeError(name)
    return value


def _parameters(value: Any) -> list[Any]:
    """Return name, kind and whether there is a default, for each parameter of a function."""
    if not isinstance(value, (FunctionType, MethodType)):
        return []
    try:
        parameters = inspect.signature(value).parameters.values()
    except (ValueError, TypeError):
        return []
    return [[one.name, int(one.kind), one.default is not one.empty] for one in parameters]


def allow_nesting() -> None:
    """Let calls of the program and calls of the test be nested as deeply as `Lent` allows."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 100 * _MOST_DEPTH))
