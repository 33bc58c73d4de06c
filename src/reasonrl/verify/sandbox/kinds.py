"""Classes of Python that both processes know by name, and values that are written as one text.

Called by `values`, `exchange` and `remote`.
"""

from __future__ import annotations

import array
import builtins
import collections
import datetime
import decimal
import fractions
import re
import types
from collections.abc import Callable, Mapping
from typing import Any


def _all_types() -> dict[str, type]:
    data: dict[str, str] = {}
    views = (data.keys(), data.values(), data.items())
    iterators: tuple[object, ...] = (
        iter([]),
        iter(()),
        iter(""),
        iter(data),
        iter(set()),
        iter(range(0)),
    )
    own = [type(value) for value in (*views, *iterators, reversed([]), NotImplemented)]
    named = [kind for kind in vars(types).values() if isinstance(kind, type)]
    known = {kind.__name__: kind for kind in (*own, *named) if kind.__module__ == "builtins"}
    known |= {name: kind for name, kind in vars(builtins).items() if isinstance(kind, type)}
    library = [collections.deque, collections.Counter, collections.OrderedDict,
               collections.defaultdict, decimal.Decimal, fractions.Fraction, datetime.date,
               datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone,
               array.array, re.Pattern, re.Match]  # fmt: skip
    return known | {f"{kind.__module__}.{kind.__name__}": kind for kind in library}


TYPES: Mapping[str, type] = _all_types()
_NAMES = {kind: name for name, kind in TYPES.items()}


def name_of(kind: type) -> str | None:
    """Return the name under which both processes know a class, or None."""
    return next((name for known, name in _NAMES.items() if known is kind), None)


SPELLED: Mapping[str, Callable[[str], object]] = {
    "Decimal": decimal.Decimal,
    "Fraction": fractions.Fraction,
    "date": datetime.date.fromisoformat,
    "datetime": datetime.datetime.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timedelta": lambda text: datetime.timedelta(*map(int, text.split())),
    "timezone": lambda text: datetime.timezone(datetime.timedelta(*map(int, text.split()))),
    "complex": complex,
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "int": lambda text: int(text, 16),
}
SPELLED_TYPES = (decimal.Decimal, fractions.Fraction, datetime.date, datetime.datetime,
                 datetime.time, datetime.timedelta, datetime.timezone)  # fmt: skip
SPELLED_MODULES = ("builtins", "decimal", "fractions", "datetime")


def spell(value: Any) -> str:
    """Return the text of a value of `SPELLED`."""
    if isinstance(value, int):
        return hex(value)
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, datetime.timezone):
        return spell(value.utcoffset(None))
    if isinstance(value, datetime.timedelta):
        return f"{value.days} {value.seconds} {value.microseconds}"
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return str(value)
