"""Compare the output or the result of a program with the expected one. Pure; never raises.

Standard output is the same if it is equal without trailing blanks, or has the same lines of the
same tokens. Two numbers are equal exactly, or within 1e-9 of the expected number if that is not an
integer. Values are compared as JSON would write them. docs/verifiers.md has the reasons. Called by
`supervisor` and `judge`.
"""

from __future__ import annotations

import math
import re

RELATIVE = 1e-9
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?")
_INTEGER = re.compile(r"[+-]?\d+")
_DEPTH = 200


def same_output(expected: str, written: str) -> bool:
    """Return whether two texts are the same output: trimmed lines, then tokens, then numbers."""
    left, right = _lines(expected), _lines(written)
    if left == right:
        return True
    if len(left) != len(right):
        return False
    return all(
        ours == theirs or _same_line(ours.split(), theirs.split())
        for ours, theirs in zip(left, right, strict=True)
    )


def same_value(expected: object, given: object, depth: int = 0) -> bool:
    """Return whether two plain values are equal as JSON: a tuple as a list, a key as its text."""
    if depth > _DEPTH:
        return False
    if isinstance(expected, (list, tuple)):
        return (
            isinstance(given, (list, tuple))
            and len(expected) == len(given)
            and all(same_value(a, b, depth + 1) for a, b in zip(expected, given, strict=True))
        )
    if isinstance(expected, dict):
        if not isinstance(given, dict) or len(expected) != len(given):
            return False
        by_text = {_key(key): value for key, value in given.items()}
        return len(by_text) == len(given) and all(
            _key(key) in by_text and same_value(value, by_text[_key(key)], depth + 1)
            for key, value in expected.items()
        )
    if isinstance(expected, float):
        return isinstance(given, (int, float)) and _close(expected, given)
    is_comparable = type(expected) is type(given) or _are_numbers(expected, given)
    return is_comparable and bool(expected == given)


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
    if _INTEGER.fullmatch(expected):  # 5 and 5.0 are compared exactly
        whole, _, tail = written.partition(".")
        return (
            bool(_INTEGER.fullmatch(whole))
            and not tail.strip("0")
            and (_canonical(expected) == _canonical(whole))
        )
    return _close(float(expected), float(written))


def _canonical(integer: str) -> str:
    """Return the canonical spelling of an integer, without converting thousands of digits."""
    digits = integer.lstrip("+-").lstrip("0") or "0"
    return "-" + digits if integer.startswith("-") and digits != "0" else digits


def _close(expected: float, given: float) -> bool:
    """Compare floats relative to the expected one; an expected zero allows only rounding noise."""
    try:
        left, right = float(expected), float(given)
    except OverflowError:
        return expected == given
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    if math.isinf(left) or math.isinf(right):
        return left == right
    return abs(left - right) <= (RELATIVE * abs(left) if left else 1e-12)


def _are_numbers(expected: object, given: object) -> bool:
    return isinstance(expected, (int, float, complex)) and isinstance(given, (int, float, complex))


def _key(key: object) -> str:
    if isinstance(key, bool) or key is None:
        return {True: "true", False: "false", None: "null"}[key]
    return str(key)
