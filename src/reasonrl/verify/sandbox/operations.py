"""The operations of Python that a stand-in sends to the program's process, by name.

A program's process looks each name up in `OPERATIONS`; a judge gives its stand-ins the methods of
the same names. Nothing else is shared between the two. Called by `served` and `stand`.
"""

from __future__ import annotations

import builtins
import copy
import dataclasses
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

UNARY: Mapping[str, Callable[[Any], object]] = {
    "neg": operator.neg,
    "pos": operator.pos,
    "invert": operator.invert,
    "abs": abs,
    "int": int,
    "float": float,
    "complex": complex,
    "index": operator.index,
    "trunc": math.trunc,
    "floor": math.floor,
    "ceil": math.ceil,
    "reversed": reversed,
}
"""Operations on one object. No value of a test goes to the program with them."""

ARITHMETIC = "add sub mul matmul truediv floordiv mod pow lshift rshift and or xor divmod".split()
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")


def _function(name: str) -> Callable[[Any, Any], object]:
    if name == "divmod":
        return divmod
    function: Callable[[Any, Any], object] = getattr(operator, f"__{name}__")
    return function


def _reflected(name: str) -> Callable[[Any, Any], object]:
    function = _function(name)
    return lambda subject, other: function(other, subject)


def _next(iterator: Any, at_most: int) -> list[object]:
    """Return up to `at_most` items; fewer items mean the end."""
    items = []
    for _ in range(at_most):
        try:
            items.append(next(iterator))
        except StopIteration:
            break
    return items


def _leave(manager: Any, name: str, text: str) -> bool:
    """Leave a `with` block: call `__exit__` with the exception of a builtin class, or with None."""
    kind = getattr(builtins, name, RuntimeError) if name else None
    error = None if kind is None else kind(text)
    return bool(type(manager).__exit__(manager, kind, error, None))


def _delete(subject: Any, key: object) -> None:
    del subject[key]


def _is_of(subject: Any, kind: type) -> bool:
    """Answer `isinstance` by the object's class alone, whatever the object says of its class."""
    return issubclass(type(subject), kind)


def _has(subject: Any, name: str) -> bool:
    return hasattr(subject, name)


OPERATIONS: Mapping[str, Callable[..., object]] = {
    **UNARY,
    **{name: _function(name) for name in ARITHMETIC},
    **{f"r{name}": _reflected(name) for name in ARITHMETIC},
    **{f"i{name}": _function(f"i{name}") for name in ARITHMETIC if name != "divmod"},
    **{name: _function(name) for name in COMPARISONS},
    "get": getattr,
    "set": setattr,
    "del": delattr,
    "dir": dir,
    "iter": iter,
    "next": _next,
    "len": len,
    "item": operator.getitem,
    "setitem": operator.setitem,
    "delitem": _delete,
    "has": operator.contains,
    "str": str,
    "repr": repr,
    "format": format,
    "round": round,
    "hash": hash,
    "true": bool,
    "enter": lambda subject: type(subject).__enter__(subject),
    "leave": _leave,
    "type": type,
    "callable": callable,
    "isinstance": lambda subject, value: isinstance(value, subject),
    "issubclass": lambda subject, kind: issubclass(kind, subject),
    "self": lambda subject: subject,
    "reference": lambda subject: subject,
    "is of": _is_of,
    "has name": _has,
    "asdict": dataclasses.asdict,
    "astuple": dataclasses.astuple,
    "fields": lambda subject: list(dataclasses.fields(subject)),
    "is_dataclass": dataclasses.is_dataclass,
    "replace": lambda subject, changes: dataclasses.replace(subject, **changes),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


METHODS: Mapping[str, str] = {
    **{f"__{name}__": name for name in (*UNARY, *ARITHMETIC, *COMPARISONS)},
    **{f"__r{name}__": f"r{name}" for name in ARITHMETIC},
    **{f"__i{name}__": f"i{name}" for name in ARITHMETIC if name != "divmod"},
    **{f"__{name}__": name for name in ("iter", "next", "len", "str", "repr", "format", "hash")},
    "__round__": "round",
    "__getitem__": "item",
    "__setitem__": "setitem",
    "__delitem__": "delitem",
    "__contains__": "has",
    "__bool__": "true",
    "__enter__": "enter",
    "__exit__": "leave",
    "__call__": "call",
}
"""The operation behind each special method, for objects of a test that a program uses."""
