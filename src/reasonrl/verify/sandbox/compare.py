"""Compare the output or the result of a program with the expected one. Pure; never raises.

Standard output is the same if it has the same lines of the same tokens; `numbers` says when two
tokens are the same number. Only ASCII blanks separate tokens, and only a line feed separates lines.
Every step is linear in the length of the output. Values are compared as JSON would write them.
docs/verifiers.md has the reasons. Called by `supervisor` and `judge`.
"""

from __future__ import annotations

import math

from .numbers import RELATIVE, same_number

_DEPTH = 200
_NOISE = 1e-12


def same_output(expected: str, written: str, tolerance: float | None = None) -> bool:
    """Return whether two texts are the same output: trimmed lines, then tokens, then numbers."""
    left, right = _lines(expected), _lines(written)
    if left == right:
        return True
    return len(left) == len(right) and all(
        ours == theirs or _same_line(ours, theirs, tolerance)
        for ours, theirs in zip(left, right, strict=True)
    )


def _lines(text: str) -> list[bytes]:
    """Return every line that has a token, with one blank between two tokens.

    Bytes are split at ASCII blanks only. A line is no list, because the garbage collector would
    visit a million of them again and again.
    """
    lines = text.encode("utf-8", "surrogatepass").split(b"\n")
    return [tokens for line in lines if (tokens := b" ".join(line.split()))]


def _same_line(expected: bytes, written: bytes, tolerance: float | None) -> bool:
    left, right = expected.split(b" "), written.split(b" ")
    return len(left) == len(right) and all(
        ours == theirs or _same_token(ours, theirs, tolerance)
        for ours, theirs in zip(left, right, strict=True)
    )


def _same_token(expected: bytes, written: bytes, tolerance: float | None) -> bool:
    if not (expected.isascii() and written.isascii()):
        return False
    return same_number(expected.decode(), written.decode(), tolerance)


def same_result(expected: object, given: object, tolerance: float | None, *, is_apps: bool) -> bool:
    """Return whether a function's result is the expected one.

    With `is_apps` an expected list may hold the result as its only item: the data set APPS wraps
    results so, but not all of them, and its judge accepts either.
    """
    if same_value(expected, given, tolerance):
        return True
    is_wrapped = is_apps and isinstance(expected, list) and len(expected) == 1
    return is_wrapped and same_value(expected[0], given, tolerance)  # type: ignore[index]


def same_value(
    expected: object, given: object, tolerance: float | None = None, depth: int = 0
) -> bool:
    """Return whether two plain values are equal as JSON: a tuple as a list, a key as its text.

    JSON tells `true` from `1`, so a truth value never equals a number.
    """
    if depth > _DEPTH:
        return False
    if isinstance(expected, (list, tuple)):
        return (
            isinstance(given, (list, tuple))
            and len(expected) == len(given)
            and all(
                same_value(a, b, tolerance, depth + 1) for a, b in zip(expected, given, strict=True)
            )
        )
    if isinstance(expected, dict):
        return isinstance(given, dict) and _same_object(expected, given, tolerance, depth)
    if isinstance(expected, bool) or isinstance(given, bool):
        return expected is given
    if isinstance(expected, float) or (tolerance is not None and isinstance(given, float)):
        are_numbers = isinstance(expected, (int, float)) and isinstance(given, (int, float))
        return are_numbers and _is_close(expected, given, tolerance)  # type: ignore[arg-type]
    is_comparable = type(expected) is type(given) or _are_numbers(expected, given)
    return is_comparable and bool(expected == given)


def _same_object(
    expected: dict[object, object], given: dict[object, object], tolerance: float | None, depth: int
) -> bool:
    if len(expected) != len(given):
        return False
    by_text = {_key(key): value for key, value in given.items()}
    return len(by_text) == len(given) and all(
        _key(key) in by_text and same_value(value, by_text[_key(key)], tolerance, depth + 1)
        for key, value in expected.items()
    )


def _is_close(expected: float, given: float, tolerance: float | None) -> bool:
    """Compare floats relative to the expected one; an expected zero allows only rounding noise."""
    try:
        left, right = float(expected), float(given)
    except OverflowError:
        return expected == given
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    if math.isinf(left) or math.isinf(right):
        return left == right
    difference = abs(left - right)
    if tolerance is not None and difference <= tolerance * max(1.0, abs(left)):
        return True
    return difference <= (RELATIVE * abs(left) if left else _NOISE)


def _are_numbers(expected: object, given: object) -> bool:
    return isinstance(expected, (int, float, complex)) and isinstance(given, (int, float, complex))


def _key(key: object) -> str | tuple[str]:
    if isinstance(key, bool) or key is None:
        return {True: "true", False: "false", None: "null"}[key]
    try:
        return str(key)
    except ValueError:
        # An integer of more digits than Python writes.
        return (hex(key),) if isinstance(key, int) else ("",)
