"""The program's side of values on their way to a judge and back.

Everything here shares its process with untrusted code, so nobody trusts what it says. An object
that is no plain data is kept, and the judge gets its number. Called by `served`.
"""

from __future__ import annotations

import collections
import enum
import sys
import threading
from collections.abc import Callable, Mapping
from types import CoroutineType
from typing import Any, cast

from . import frames, values
from .borrowed import borrow, raised, take_back
from .special import (
    Written,
    find_in_library,
    make_data,
    make_made,
    make_numpy,
    write_data,
    write_numpy,
)

_BIG_ERROR = 2_000
_CAUSES = 3


class Holding:
    """The objects to which the judge holds references, and those of the test in use here.

    `reply` answers a request of the judge; `names` are those of the solution.
    """

    def __init__(
        self,
        channel: int,
        names: Mapping[str, object],
        reply: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._channel = channel
        self._reply = reply
        self.kept: dict[int, object] = {}
        self.classes: dict[str, type] = _Records(names)
        # Whether the tests compare plain data only.
        self.is_plain = True
        # Objects of the test: their stand-ins by number, and the numbers by identity.
        self._borrowed: dict[int, Any] = {}
        self._borrowed_ids: dict[int, int] = {}
        self._lock = threading.RLock()

    def reference(self, value: object) -> dict[str, Any]:
        return {"nodes": [["kept", self.keep(value)]], "root": [0]}

    def encode(self, value: object) -> dict[str, Any]:
        return values.encode(value, self.classes, self.keep, self._special)

    def decode(self, table: object) -> Any:
        return self.decode_with_objects(table)[0]

    def decode_with_objects(self, table: object) -> tuple[Any, Mapping[int, object]]:
        return values.decode_with_objects(table, self.classes, self.kept.__getitem__, self._make)

    def keep(self, value: object) -> int:
        self.kept[id(value)] = value
        return id(value)

    def _special(self, value: Any) -> Written | None:
        """Write what is more than plain data: own classes, named tuples, arrays, coroutines."""
        kind = type(value)
        if id(value) in self._borrowed_ids:
            return "lent", [self._borrowed_ids[id(value)]], []
        if self.is_plain:
            return None
        if (written := write_data(value)) is not None:
            return written
        if isinstance(value, BaseException):
            return "error", [self.described(value)], []
        if kind is collections.defaultdict and values.has_own_factory(value):
            return "factory", [self.keep(value.default_factory)], [dict(value)]
        if kind.__module__ == "numpy" and (written := write_numpy(value)) is not None:
            return written
        if kind is CoroutineType:
            return "coroutine", [self.keep(value)], []
        is_linked = kind.__module__ == "solution" or isinstance(value, enum.Enum)
        if not (is_linked or hasattr(kind, "_fields")) or isinstance(value, type):
            return None
        plain = values.plain_base(value)
        return None if plain is value else ("linked", [self.keep(value)], [plain])

    def _make(self, tag: str, parts: list[Any], items: list[Any]) -> object:
        if tag == "numpy":
            return make_numpy(parts, items)
        if tag == "library":
            return find_in_library(*parts)
        if tag == "made":
            return make_made(items)
        if tag == "back":
            return self.kept[parts[0]]
        if tag != "lent":
            return make_data(tag, parts, items)
        if (number := parts[0]) not in self._borrowed:
            made = self._borrowed[number] = borrow(self._ask_test, parts, items)
            self._borrowed_ids[id(made)] = number
        return self._borrowed[number]

    def _ask_test(self, number: int, operation: str, *given: Any) -> Any:
        """Use an object of the test. The judge may call the program again before it answers."""
        with self._lock:
            ask = {"ask": "test", "of": number, "do": operation, "with": self.encode(list(given))}
            frames.send(self._channel, ask)
            while "do" in (reply := frames.receive(self._channel, frames.MAX_JOB_BYTES)):
                self._reply(reply)
        if "error" not in reply:
            if "given" in reply and operation == "call":
                take_back(given[0], self.decode(reply["given"])[0])
            return self.decode(reply["value"])
        described = reply["error"]
        if "own" in described:
            raise cast(BaseException, self.kept[described["own"]])
        raise raised(described, self._borrowed, self.decode(described["arguments"]))

    # exceptions

    def described(self, error: BaseException, depth: int = 0) -> dict[str, Any]:
        """Return what the judge needs for a copy of an exception."""
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
        try:
            text = str(error)[:_BIG_ERROR]
        except BaseException:
            text = ""
        described: dict[str, Any] = {"name": type(error).__name__, "kinds": kinds, "text": text}
        try:
            described["arguments"] = self.encode(list(error.args))
            described["tree"] = self.tree(type(error))
            described["number"] = self.keep(error)
            described["lent"] = getattr(error, "_lent", None)
            if error.__cause__ is not None and depth < _CAUSES:
                described["cause"] = self.described(error.__cause__, depth + 1)
        except BaseException:
            # The program's exception cannot be described further.
            return {"name": described["name"], "kinds": kinds, "text": text}
        return described

    def tree(self, kind: Any) -> list[Any]:
        """Return a class of exceptions: its name for one of the library, else also its bases."""
        if kind.__module__ == "builtins":
            return [kind.__name__]
        if kind.__module__.partition(".")[0] in sys.stdlib_module_names:
            return [f"{kind.__module__}.{kind.__qualname__}"]
        if (number := vars(kind).get("_lent_class")) is not None:
            return [kind.__name__, number, "lent"]
        bases = [self.tree(base) for base in kind.__bases__]
        return [kind.__name__, self.keep(kind), bases]


class _Records(dict[str, type]):
    """Classes whose instances travel by attributes: the program's own, else one without methods."""

    def __init__(self, names: Mapping[str, object]) -> None:
        self._names = names

    def __missing__(self, name: str) -> type:
        own = self._names.get(name)
        self[name] = own if isinstance(own, type) else type(name, (), {})
        return self[name]
