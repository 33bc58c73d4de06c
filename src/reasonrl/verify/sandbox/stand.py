"""Stand-ins for objects in a program's process, and what a test may do with them.

An operation on a stand-in runs in the program's process, so its result is whatever the program
likes. For that reason an expected value never meets the program's code: a stand-in is compared with
plain data by the judge, and is not added to plain data. Two exceptions exist. Both operands may be
objects of the program, as in `V(1) < V(2)`. Or the test's own text shows that the object is made
from a class under test (`testcode.class_names`): then the class decides, as in plain Python.
Called by `remote`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import CoroutineType, GeneratorType
from typing import Any, Protocol

from .operations import ARITHMETIC, COMPARISONS, OPERATIONS, UNARY


class Answering(Protocol):
    """The side of `remote.Remote` that stand-ins use."""

    def do(self, operation: str, subject: str | int, *arguments: object) -> Any: ...

    def call(self, subject: str | int, given: tuple[Any, ...], named: dict[str, Any]) -> Any: ...

    def inherit(self, value: object, rank: int) -> Any: ...

    def is_instance(self, kind: Stand, value: object) -> bool: ...

    def is_subclass(self, kind: Stand, other: object) -> bool: ...

    def refuse(self, what: str) -> BaseException: ...


MADE, UNDER_TEST = 1, 2
"""Ranks of a stand-in: its object was made by a name that is written like a class, or by a class
under test. The rank belongs to the stand-in: a method that returns its own object returns it
without a rank."""


class Stand:  # noqa: D101 - a test may ask for the docstring of the program's object
    # A stand-in for a function, a class or another object of the program that is no plain data.

    def __init__(self, remote: Answering, subject: str | int, rank: int = 0) -> None:
        object.__setattr__(self, "_remote", remote)
        object.__setattr__(self, "_subject", subject)
        object.__setattr__(self, "_rank", rank)

    _remote: Answering
    _subject: str | int
    _rank: int

    def __call__(self, *given: Any, **named: Any) -> Any:
        return self._remote.call(self._subject, given, named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in _FORWARDED:
            raise AttributeError(name)
        return self._remote.do("get", self._subject, name)

    def __setattr__(self, name: str, value: object) -> None:
        self._remote.do("set", self._subject, name, value)

    def __delattr__(self, name: str) -> None:
        self._remote.do("del", self._subject, name)

    def __dir__(self) -> list[str]:
        return [str(name) for name in self._remote.do("dir", self._subject)]

    def __iter__(self) -> Iterator[Any]:
        items = self._remote.do("iter", self._subject)
        if not isinstance(items, Stand):
            return iter(())
        return self if items._subject == self._subject else _items(items)

    def __next__(self) -> Any:
        batch = self._remote.do("next", self._subject, 1)
        if not isinstance(batch, list) or not batch:
            raise StopIteration
        return batch[0]

    def __len__(self) -> int:
        return int(self._remote.do("len", self._subject))

    def __getitem__(self, key: object) -> Any:
        return self._remote.do("item", self._subject, key)

    def __setitem__(self, key: object, value: object) -> None:
        self._remote.do("setitem", self._subject, key, value)

    def __delitem__(self, key: object) -> None:
        self._remote.do("delitem", self._subject, key)

    def __contains__(self, item: object) -> bool:
        if isinstance(item, Stand) or self._rank:
            return bool(self._remote.do("has", self._subject, item))
        return any(own is item or own == item for own in self)

    def __bool__(self) -> bool:
        return bool(self._remote.do("true", self._subject))

    def __str__(self) -> str:
        return str(self._remote.do("str", self._subject))

    def __repr__(self) -> str:
        return str(self._remote.do("repr", self._subject))

    def __format__(self, form: str) -> str:
        return str(self._remote.do("format", self._subject, form))

    def __hash__(self) -> int:
        return int(self._remote.do("hash", self._subject))

    def __round__(self, *digits: int) -> Any:
        return self._remote.do("round", self._subject, *digits)

    def __deepcopy__(self, memo: object) -> Stand:
        return self

    def __copy__(self) -> Stand:
        return self

    def __enter__(self) -> Any:
        return self._remote.do("enter", self._subject)

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> bool:
        name = kind.__name__ if kind is not None else ""
        text = str(error)[:200] if kind is not None else ""
        is_quiet = bool(self._remote.do("leave", self._subject, name, text))
        # A program may not swallow the failure of an assertion about it.
        is_ours = isinstance(error, AssertionError) and not hasattr(error, "_described")
        return is_quiet and not is_ours

    def __instancecheck__(self, value: object) -> bool:
        return self._remote.is_instance(self, value)

    def __subclasscheck__(self, kind: object) -> bool:
        return self._remote.is_subclass(self, kind)

    def __mro_entries__(self, bases: object) -> tuple[type, ...]:
        raise self._remote.refuse("test code derives a class from a class of the program")


_FORWARDED = frozenset({"__name__", "__qualname__", "__annotations__", "__defaults__",
                        "__members__", "__bases__", "__mro__", "__wrapped__"})  # fmt: skip


def _items(iterator: Stand) -> Iterator[Any]:
    while True:
        batch = iterator._remote.do("next", iterator._subject, 1)
        if not isinstance(batch, list) or not batch:
            return
        yield from batch


def _one(name: str) -> Callable[[Stand], Any]:
    def operate(self: Stand) -> Any:
        remote = self._remote
        return remote.inherit(remote.do(name, self._subject), self._rank)

    return operate


def _two(name: str) -> Callable[[Stand, object], Any]:
    """Return the method of an arithmetic operation, under the rule in this module's docstring."""

    def operate(self: Stand, other: object) -> Any:
        remote = self._remote
        rank = max(self._rank, other._rank if isinstance(other, Stand) else 0)
        if not isinstance(other, Stand) and rank < UNDER_TEST:
            return NotImplemented
        result = remote.do(name, self._subject, other)
        if not rank and not isinstance(result, Stand):
            return NotImplemented
        return remote.inherit(result, rank)

    return operate


def _comparison(name: str) -> Callable[[Stand, object], Any]:
    def compare(self: Stand, other: object) -> Any:
        if isinstance(other, Stand):
            if name in ("eq", "ne") and self._subject == other._subject and not self._rank:
                return name == "eq"
            return self._remote.do(name, self._subject, other)
        plain = self._remote.do("self", self._subject)
        if not isinstance(plain, Stand):
            # The object extends plain data: the judge compares the data.
            return OPERATIONS[name](plain, other)
        if self._rank < UNDER_TEST:
            return NotImplemented
        return self._remote.do(name, self._subject, other)

    return compare


for _name in UNARY:
    setattr(Stand, f"__{_name}__", _one(_name))
for _name in ARITHMETIC:
    for _form in (_name, f"r{_name}") if _name == "divmod" else (_name, f"r{_name}", f"i{_name}"):
        setattr(Stand, f"__{_form}__", _two(_form))
for _name in COMPARISONS:
    setattr(Stand, f"__{_name}__", _comparison(_name))


async def awaited(remote: Answering, number: int) -> Any:
    """Let the program run its coroutine when the test awaits the stand-in."""
    return remote.do("await", number)


def is_made_here(value: object) -> bool:
    """Return whether a value is a coroutine or an iterator that stands for one of the program."""
    if isinstance(value, GeneratorType):
        return value.gi_code is _items.__code__
    return isinstance(value, CoroutineType) and value.cr_code is awaited.__code__


class Linked:
    """Plain data with a link to the program's object, whose class extends a class of plain data.

    The data is the judge's own and is compared as such. Only an attribute that the plain class does
    not have is asked for in the program: `f().x` of a named tuple, `.value` of an `IntEnum`.
    """

    _remote: Answering
    _subject: int

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_remote", "_subject"):
            raise AttributeError(name)
        return self._remote.do("get", self._subject, name)

    def __str__(self) -> str:
        return str(self._remote.do("str", self._subject))

    def __repr__(self) -> str:
        return str(self._remote.do("repr", self._subject))

    def __format__(self, form: str) -> str:
        return str(self._remote.do("format", self._subject, form))


def _linked(base: type) -> type[Any]:
    return type(base.__name__, (Linked, base), {"__hash__": base.__hash__})


_LINKED = {
    base: _linked(base) for base in (int, float, str, bytes, tuple, list, dict, set, frozenset)
}


def linked(remote: Answering, number: int, plain: Any) -> Any:
    """Return plain data with a link to the program's object of this number."""
    kind = _LINKED.get(type(plain))
    if kind is None:
        return plain
    value = kind(plain)
    value._remote, value._subject = remote, number
    return value
