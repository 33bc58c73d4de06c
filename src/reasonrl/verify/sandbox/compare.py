"""Compare what a program wrote or returned with what was expected. Pure; never raises.

Standard output: equal without trailing blanks, else the same lines of the same tokens, where two
numbers are equal exactly, or within 1e-9 of the expected one if that is not an integer. Values: as
JSON would write them. docs/verifiers.md has the reasons. Called by `supervisor` and `judge`.
"""

from __future__ import annotations

import math
import re

RELATIVE = 1e-9
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?")
_INTEGER = re.compile(r"[+-]?\d+")
_DEPTH = 200


def same_output(expected: str, written: str) -> bool:
    """Say whether two texts are the same output: trimmed lines, then tokens, then numbers."""
    left, right = _lines(expected), _lines(written)
    if left == right:
        return True
    if len(left) != len(right):
        return False
    return all(
        ours == theirs or _same_line(ours.split(), theirs.split())
        for ours, theirs in zip(left, right, strict=True)
    )


def same_value(expected: object, found: object, depth: int = 0) -> bool:
    """Say whether two plain values are equal as JSON: a tuple is a list, a key its text."""
    if depth > _DEPTH:
        return False
    if isinstance(expected, (list, tuple)):
        return (
            isinstance(found, (list, tuple))
            and len(expected) == len(found)
            and all(same_value(a, b, depth + 1) for a, b in zip(expected, found, strict=True))
        )
    if isinstance(expected, dict):
        if not isinstance(found, dict) or len(expected) != len(found):
            return False
        by_text = {_key(key): value for key, value in found.items()}
        return len(by_text) == len(found) and all(
            _key(key) in by_text and same_value(value, by_text[_key(key)], depth + 1)
            for key, value in expected.items()
        )
    if isinstance(expected, float):
        return isinstance(found, (int, float)) and _close(expected, found)
    return bool(type(expected) is type(found) or _are_numbers(expected, found)) and (
        expected == found
    )


def _lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.strip().split("\n")]
    return [line for line in lines if line]


def _same_line(expected: list[str], written: list[str]) -> bool:
    return len(expected) == len(written) and all(
        ours == theirs or _same_number(ours, theirs)
        for ours, theirs in zip(expected, written, strict=True)
    )


def _same_number(expected: str, written: str) -> bool:
    if not (_NUMBER.fullmatch(expected) and _NUMBER.fullmatch(written)):
        return False
    if _INTEGER.fullmatch(expected) and _INTEGER.fullmatch(written):
        return _canonical(expected) == _canonical(written)
    if _INTEGER.fullmatch(expected):  # 5 and 5.0: exact
        whole, _, tail = written.partition(".")
        return (
            bool(_INTEGER.fullmatch(whole))
            and not tail.strip("0")
            and (_canonical(expected) == _canonical(whole))
        )
    return _close(float(expected), float(written))


def _canonical(integer: str) -> str:
    """Return an integer's one spelling, without making a number of thousands of digits of it."""
    digits = integer.lstrip("+-").lstrip("0") or "0"
    return "-" + digits if integer.startswith("-") and digits != "0" else digits


def _close(expected: float, found: float) -> bool:
    """Compare floats relative to the expected one; nothing is near zero but rounding noise."""
    try:
        left, right = float(expected), float(found)
    except OverflowError:
        return expected == found
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    if math.isinf(left) or math.isinf(right):
        return left == right
    return abs(left - right) <= (RELATIVE * abs(left) if left else 1e-12)


def _are_numbers(expected: object, found: object) -> bool:
    return isinstance(expected, (int, float, complex)) and isinstance(found, (int, float, complex))


def _key(key: object) -> str:
    if isinstance(key, bool) or key is None:
        return {True: "true", False: "false", None: "null"}[key]
    return str(key)
