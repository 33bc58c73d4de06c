"""The judge's side of values on their way to a program and back. Called by `remote`.

What the program sends becomes plain copies and stand-ins; anything else raises `Tampered`.
"""

from __future__ import annotations

import builtins
from typing import Any

from . import frames, special, values
from .failures import BrokenTask, Failures, Tampered
from .kinds import SPELLED_TYPES, name_of
from .lent import Lent, is_record
from .stand import Answering, Linked, Stand, awaited, is_made_here, linked


class Exchange:
    """The values that both processes know: classes of records, stand-ins, objects of the test."""

    def __init__(self, remote: Answering, failures: Failures) -> None:
        self._remote = remote
        self._failures = failures
        self.classes: dict[str, type] = {}
        self.stands: dict[int, Stand] = {}
        self._links: dict[int, Any] = {}
        self.lent = Lent(self.decode, self.encode)
        failures.find_lent = self.lent.find

    def encode(self, value: object) -> dict[str, Any]:
        return values.encode(value, self.classes, self._number, self._special)

    def encode_with_objects(self, value: object) -> tuple[dict[str, Any], list[object]]:
        return values.encode_with_objects(value, self.classes, self._number, self._special)

    def decode(self, table: object) -> Any:
        try:
            return values.decode(table, self.classes, self.stand, self._make)
        except frames.Malformed as error:
            raise Tampered(f"a malformed value: {error}") from error

    def stand(self, number: int) -> Stand:
        """Return the only stand-in of a remote object: `is` then compares the remote objects."""
        return self.stands.setdefault(number, Stand(self._remote, number))

    def copy_of(self, described: object) -> BaseException:
        """Return the exception that the program describes: its own, or one of the test's own."""
        number = described.get("lent") if isinstance(described, dict) else None
        if isinstance(number, int) and 0 <= number < len(self.lent.errors):
            error = self.lent.errors[number]
            error._described = described  # type: ignore[attr-defined]
            return error
        return self._failures.copy_of(
            described, self.decode, lambda number, name: self._remote.do("get", number, name)
        )

    def _number(self, value: object) -> int:
        if isinstance(value, Stand) and isinstance(value._subject, int):
            return value._subject
        if isinstance(value, Stand):
            own = (number for number, stand in self.stands.items() if stand is value)
            if (number := next(own, None)) is not None:
                return number
            same = self._remote.do("reference", value._subject)
            if isinstance(same, Stand) and isinstance(same._subject, int):
                return same._subject
        is_error = isinstance(value, BaseException) and hasattr(value, "_described")
        is_copy = isinstance(value, Stand) or is_error or is_made_here(value)
        kind = type(value).__name__
        if is_copy:
            # The program has made the value: it may not blame the task for it.
            raise TypeError(f"a {kind} of the program cannot be sent back to it")
        raise BrokenTask(f"test code passes a {kind}, which cannot be sent to the program")

    def _special(self, value: Any) -> special.Written | None:
        kind = type(value)
        if kind in _CONTAINERS or kind in (Stand, builtins.type):
            return self._class(value) if kind is type else None
        if isinstance(value, Linked):
            is_fixed = isinstance(value, (int, float, str, bytes, tuple, frozenset))
            return ("back", [value._subject], []) if is_fixed else None
        if kind.__module__ == "numpy" and (written := special.write_numpy(value)) is not None:
            return written
        if isinstance(value, BaseException) and hasattr(value, "_described"):
            number = value._described.get("number")
            return ("back", [number], []) if isinstance(number, int) else None
        if is_made_here(value):
            return None
        if isinstance(value, type):
            return self._class(value)
        if kind.__name__ in self.classes or kind in _WRITTEN:
            return None
        if (written := special.write_data(value)) is not None:
            return written
        if is_record(value):
            self.classes[kind.__name__] = kind
            return None
        written = special.write_library(value) or special.write_made(value)
        return written or self.lent.write(value)

    def _class(self, value: type) -> special.Written | None:
        if name_of(value) is not None or self.classes.get(value.__name__) is value:
            return None
        return special.write_library(value) or self.lent.write(value)

    def _make(self, tag: str, parts: list[Any], items: list[Any]) -> object:
        if tag == "lent":
            return self.lent.find(parts)
        if tag in ("view", "constant", "memory", "pattern"):
            return special.make_data(tag, parts, items)
        if tag == "numpy":
            try:
                return special.make_numpy(parts, items)
            except Exception as error:
                raise frames.Malformed(f"no value of numpy: {error}") from error
        (number,) = parts
        if tag == "error":
            return self.copy_of(number)
        if not isinstance(number, int):
            raise frames.Malformed(f"a value of kind {tag}")
        return self._linked(tag, number, items)

    def _linked(self, tag: str, number: int, items: list[Any]) -> object:
        if tag == "coroutine":
            return awaited(self._remote, number)
        if tag not in ("linked", "factory"):
            raise frames.Malformed(f"a value of kind {tag}")
        (plain,) = items
        if tag == "factory":
            return values.with_factory(self.stand(number), plain)
        known = self._links.get(number)
        if isinstance(plain, (int, float, str)) and known is not None and known == plain:
            return known
        return self._links.setdefault(number, linked(self._remote, number, plain))


_CONTAINERS = frozenset({list, tuple, dict, set, frozenset})
_WRITTEN = frozenset({int, bytes, bytearray, complex, range, slice, *values.LIBRARY,
                      *SPELLED_TYPES})  # fmt: skip
