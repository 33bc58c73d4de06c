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
