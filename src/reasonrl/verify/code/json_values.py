"""Read JSON whose integers may have any number of digits, and values that are written as text.

Python's own reader refuses integers of more than 4,300 digits, because it needs quadratic time for
them. Called by `tests`.
"""

from __future__ import annotations

import ast
import json
from typing import Any

_PLAIN_DIGITS = 4_000
_MOST_DIGITS = 200_000


def load(text: str) -> Any:
    """Return the value of a JSON text. Raises ValueError, or RecursionError for a deep one."""
    return json.loads(text, parse_int=read_integer)


def read_integer(text: str) -> int:
    """Return an integer of up to `_MOST_DIGITS` digits, converted half by half."""
    if len(text) <= _PLAIN_DIGITS:
        return int(text)
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits")
    value = _read_digits(text.lstrip("-"))
    return -value if text.startswith("-") else value


def _read_digits(digits: str) -> int:
    if len(digits) <= _PLAIN_DIGITS:
        return int(digits)
    n_low = len(digits) // 2
    low = _read_digits(digits[-n_low:])
    return int(_read_digits(digits[:-n_low]) * 10**n_low) + low


def value_of(written: object) -> Any:
    """Read a JSON value, else a Python literal; else return the text itself."""
    if not isinstance(written, str):
        return written
    for read in (load, ast.literal_eval):
        try:
            return read(written.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return written


def arguments_of(written: object) -> list[Any]:
    """Return the arguments of one call.

    A list holds them, as in APPS, where JSON made a text of each integer key; a text has one JSON
    value a line; any other value is the only argument.
    """
    if isinstance(written, list):
        return [_with_integer_keys(value) for value in written]
    if not isinstance(written, str):
        return [written]
    lines = [line for line in written.split("\n") if line.strip()]
    try:
        return [load(line) for line in lines]
    except (ValueError, RecursionError):
        pass
    try:
        # The text may be a single value that spans several lines.
        return [load(written)]
    except (ValueError, RecursionError):
        return [value_of(line) for line in lines]


def _with_integer_keys(value: Any) -> Any:
    if isinstance(value, dict) and value and all(_is_integer(key) for key in value):
        return {int(key): item for key, item in value.items()}
    return value


def _is_integer(key: str) -> bool:
    digits = key.removeprefix("-")
    return digits.isascii() and digits.isdecimal() and len(digits) < 20 and str(int(key)) == key
