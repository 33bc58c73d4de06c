"""Write and read values of numpy, and names of the library, as parts of a table of `values`.

Called by `served` and `remote`.
"""

from __future__ import annotations

import importlib
import re
import sys
from types import BuiltinFunctionType
from typing import Any

from .frames import Malformed

_NUMPY_KINDS = "biufcSU"
Written = tuple[str, list[Any], list[Any]]


def write_library(value: Any) -> Written | None:
    """Write a class or a builtin function of the library, or a class of numpy, as its name."""
    module = getattr(value, "__module__", None)
    if not isinstance(value, (type, BuiltinFunctionType)) or not isinstance(module, str):
        return None
    if module.partition(".")[0] not in {"numpy", *sys.stdlib_module_names}:
        return None
    is_found = getattr(sys.modules.get(module), value.__name__, None) is value
    return ("library", [module, value.__name__], []) if is_found else None


def find_in_library(module: str, name: str) -> object:
    """Return what `write_library` wrote. Only a program's process does so."""
    return getattr(importlib.import_module(module), name)


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
