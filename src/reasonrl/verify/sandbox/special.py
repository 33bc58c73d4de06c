"""Write and read values that need more than a container: parts of a table of `values`.

Arrays of numpy, views of dictionaries, names and objects of the library. Called by `holding`,
`exchange` and `lent`.
"""

from __future__ import annotations

import collections
import importlib
import re
import sys
from collections.abc import ItemsView, KeysView, ValuesView
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from .frames import Malformed

_NUMPY_KINDS = "biufcSU"
Written = tuple[str, list[Any], list[Any]]


# plain data beside the containers: both processes make their own


def write_data(value: Any) -> Written | None:
    """Write a view of a dictionary, a constant, a view of bytes or a pattern; else None."""
    kind = type(value)
    if (name := _VIEWS.get(kind)) is not None:
        return "view", [name], [list(value)]
    if value is Ellipsis or value is NotImplemented:
        return "constant", [repr(value)], []
    if kind is memoryview and value.format == "B":
        return "memory", [value.tobytes().hex()], []
    if kind is re.Pattern and isinstance(value.pattern, str):
        return "pattern", [value.pattern, value.flags], []
    return None


def make_data(tag: str, parts: list[Any], items: list[Any]) -> object:
    """Return the value of `write_data`. Raises Malformed."""
    try:
        if tag == "view":
            return _view(str(parts[0]), items[0])
        if tag == "constant":
            return {"Ellipsis": Ellipsis, "NotImplemented": NotImplemented}[parts[0]]
        if tag == "memory":
            return memoryview(bytes.fromhex(parts[0]))
        if tag == "pattern":
            return re.compile(str(parts[0]), int(parts[1]))
    except Exception as error:
        raise Malformed(f"no {tag}: {error}") from error
    raise Malformed(f"a value of kind {tag}")


_VIEWS = {
    type({}.keys()): "keys",
    type({}.values()): "values",
    type({}.items()): "items",
    type(collections.OrderedDict().keys()): "keys",
    type(collections.OrderedDict().values()): "values",
    type(collections.OrderedDict().items()): "items",
    KeysView: "keys",
    ValuesView: "values",
    ItemsView: "items",
}


def _view(name: str, items: list[Any]) -> object:
    if name == "keys":
        return dict.fromkeys(items).keys()
    return dict(items).items() if name == "items" else dict(enumerate(items)).values()


# the library, by name


def write_library(value: Any) -> Written | None:
    """Write a class or a function of the library, or a class of numpy, as its name."""
    if isinstance(value, ModuleType):
        is_known = sys.modules.get(value.__name__) is value and value.__name__ != "__main__"
        return ("library", [value.__name__, ""], []) if is_known else None
    module = getattr(value, "__module__", None)
    is_named = isinstance(value, (type, BuiltinFunctionType, FunctionType))
    if not is_named or not isinstance(module, str):
        return None
    if module.partition(".")[0] not in {"numpy", *sys.stdlib_module_names}:
        return None
    is_found = getattr(sys.modules.get(module), value.__name__, None) is value
    return ("library", [module, value.__name__], []) if is_found else None


def find_in_library(module: str, name: str) -> object:
    """Return what `write_library` wrote. Only a program's process does so."""
    found = importlib.import_module(module)
    return getattr(found, name) if name else found


def write_made(value: Any) -> Written | None:
    """Write an immutable object of the library as the call that makes an equal one; else None."""
    module = type(value).__module__.partition(".")[0]
    is_bound = isinstance(value, BuiltinFunctionType) and not isinstance(value.__self__, _FIXED)
    if module not in _MADE_MODULES or isinstance(value, _NOT_MADE) or is_bound:
        return None
    try:
        parts = value.__reduce_ex__(2)
    except Exception:
        return None
    if isinstance(parts, str):
        holder = str(value.__module__)
        is_known = holder.partition(".")[0] in sys.stdlib_module_names
        return ("library", [holder, parts], []) if is_known else None
    if len(parts) < 2:
        return None
    function, arguments, state = (*parts, None)[:3]
    return "made", [], [function, list(arguments), state]


_NOT_MADE = (ModuleType, FunctionType, MethodType)
_FIXED = (str, bytes, int, float, complex, tuple, frozenset, type)
_MADE_MODULES = frozenset({"builtins", "datetime", "functools", "ipaddress", "numpy", "operator",
                           "pathlib", "types", "typing", "uuid", "zoneinfo"})  # fmt: skip


def make_made(items: list[Any]) -> object:
    """Return what `write_made` wrote. Only a program's process does so."""
    function, arguments, state = items
    value = function(*arguments)
    if hasattr(value, "__setstate__") and state is not None:
        value.__setstate__(state)
    elif state is not None:
        fields, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
        for name, item in {**(fields or {}), **(slots or {})}.items():
            object.__setattr__(value, name, item)
    return value


# numpy


def write_numpy(value: Any) -> tuple[str, list[Any], list[Any]] | None:
    """Write an array or a scalar of numpy as its type, its shape and its items."""
    kind = getattr(value, "dtype", None)
    if kind is None or getattr(kind, "kind", "") not in _NUMPY_KINDS:
        return None
    shape = list(value.shape)
    items = value.ravel().tolist() if shape or hasattr(value, "ravel") else value.tolist()
    return "numpy", [str(kind.str), shape], [items]


_NUMPY_TYPE = re.compile(r"[<>|=]?[biufcSU][0-9]{1,6}")


def make_numpy(parts: list[Any], items: list[Any]) -> object:
    """Return the array or scalar of `write_numpy`."""
    import numpy

    written, shape = parts
    if not (isinstance(written, str) and _NUMPY_TYPE.fullmatch(written)):
        raise Malformed("not a type of numpy")
    array = numpy.array(items[0], dtype=numpy.dtype(written)).reshape([int(n) for n in shape])
    return array if shape else array[()]
