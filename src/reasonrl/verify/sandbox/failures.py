"""Copies of a program's exceptions, and of their classes, in the judge's process.

`except Bad` in a test needs a class of this process. The judge makes one for each class that the
program describes, with the same name and the same bases. A program can describe any class; it can
also raise any. Called by `remote`.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from typing import Any

_MOST_DEPTH = 20


class ProgramError(Exception):
    """An exception of the program whose type is not builtin."""


class Tampered(BaseException):
    """The program's answer breaks the protocol."""


class BrokenTask(BaseException):
    """The test code cannot be run, whatever the program does."""


class _Twin:
    """What every class of this process has that stands for a class of the program."""

    _described: dict[str, Any]
    _attribute: Callable[[str], Any]

    def __str__(self) -> str:
        return str(self._described["text"])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._attribute(name)


class Failures:
    """The classes of exceptions that the program has described."""

    def __init__(self) -> None:
        self._twins: dict[int, type[BaseException]] = {}
        self.numbers: dict[type[BaseException], int] = {}
        # Exceptions such as SystemExit arrive as themselves only where the test speaks of them.
        self.expected = ""
        # Returns a class of the test that the program has been given.
        self.find_lent: Callable[[list[Any]], object] = _nothing

    def class_of(self, tree: object, depth: int = 0) -> type[BaseException] | None:
        """Return the class that a tree describes, or None for one that is no exception."""
        if (
            not (isinstance(tree, list) and tree and isinstance(tree[0], str))
            or depth > _MOST_DEPTH
        ):
            raise Tampered("the description of a class has the wrong shape")
        if len(tree) == 1:
            return self._library_class(tree[0])
        if len(tree) == 3 and tree[2] == "lent":
            kind = self.find_lent(tree[1:2])
            return kind if isinstance(kind, type) and issubclass(kind, Exception) else None
        if len(tree) != 3 or not isinstance(tree[1], int) or not isinstance(tree[2], list):
            raise Tampered("the description of a class has the wrong shape")
        name, number, bases = tree
        if number not in self._twins:
            kinds = [self.class_of(base, depth + 1) for base in bases[:_MOST_DEPTH]]
            twin = _twin(name, [kind for kind in kinds if kind is not None])
            if twin is None:
                return None
            self._twins[number] = twin
            self.numbers[twin] = number
        return self._twins[number]

    def copy_of(
        self,
        described: object,
        decode: Callable[[object], Any],
        get: Callable[[int, str], Any],
        depth: int = 0,
    ) -> BaseException:
        """Return an exception of the same class as the program's, or a ProgramError."""
        if not (
            isinstance(described, dict)
            and isinstance(described.get("name"), str)
            and isinstance(described.get("text"), str)
            and isinstance(described.get("kinds"), list)
        ):
            raise Tampered("the description of an error has the wrong shape")
        text = described["text"]
        kind = self.class_of(described["tree"]) if "tree" in described else None
        if kind is None:
            kind = self._library_class(str((described["kinds"] or [""])[0])) or ProgramError
        arguments = decode(described["arguments"]) if "arguments" in described else [text]
        if not isinstance(arguments, list):
            raise Tampered("the arguments of an error have the wrong shape")
        error = _instance(kind, arguments, text)
        error._described = described  # type: ignore[attr-defined]
        if "cause" in described and depth < _MOST_DEPTH:
            error.__cause__ = self.copy_of(described["cause"], decode, get, depth + 1)
        if isinstance(number := described.get("number"), int):
            error._attribute = lambda name: get(number, name)  # type: ignore[attr-defined]
        return error

    def _library_class(self, name: str) -> type[BaseException] | None:
        kind = _library_class(name)
        is_usual = kind is not None and issubclass(kind, Exception)
        return kind if is_usual or name in self.expected.split() else None


def _nothing(_: list[Any]) -> object:
    raise Tampered("a reference to no object of the test")


def _instance(kind: type[BaseException], arguments: list[Any], text: str) -> BaseException:
    for given in (arguments, [text]):
        try:
            return kind(*given)
        except Exception:  # noqa: S112 - the class takes other arguments
            continue
    if kind.__module__ == "builtins":
        return ProgramError(text)
    try:
        error = kind.__new__(kind, *arguments)
        error.args = tuple(arguments)
    except Exception:
        return ProgramError(text)
    return error


def _library_class(name: str) -> type[BaseException] | None:
    """Return a builtin exception, or one of a module of the library that is loaded here."""
    module, _, last = name.rpartition(".")
    holder = builtins if not module else sys.modules.get(module)
    if module and module.partition(".")[0] not in sys.stdlib_module_names:
        return None
    kind = vars(holder).get(last) if holder is not None else None
    is_error = isinstance(kind, type) and issubclass(kind, BaseException)
    return kind if is_error else None


def _twin(name: str, bases: list[type[BaseException]]) -> type[BaseException] | None:
    if not bases:
        return None
    has_twin = any(issubclass(base, _Twin) for base in bases)
    try:
        made: type[BaseException] = type(name, (*bases,) if has_twin else (_Twin, *bases), {})
    except TypeError:
        # Bases that do not go together: the first one must do.
        made = type(name, (bases[0],), {})
    return made
