"""Compare two tokens that are written as numbers. Pure, linear in the length of the tokens.

A number is read as sign, digits and exponent. No text is converted to an integer or a float, except
the first digits of it: Python needs quadratic time for thousands of digits, and a float has no
number beyond 1e308. Called by `compare`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

RELATIVE = 1e-9
"""Error relative to an expected number that is no integer, unless the task states a tolerance."""
_NOISE_EXPONENT = -12
"""An expected zero that is written as a float allows rounding noise below this power of ten."""
# A leading zero stands before a point only: `0011` and `007` are texts of digits, not numbers.
_NUMBER = re.compile(r"([+-]?)(0|[1-9][0-9]*|(?=\.[0-9]))(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,9}))?")
_FAR = 1_000
"""Numbers this many places behind the point differ by less than any tolerance."""
_DIGITS = 40
"""Digits that decide whether two numbers are close; a float holds 17."""


@dataclass(frozen=True, slots=True)
class _Number:
    """The number 0.DIGITS times ten to the exponent; zero has neither digits nor an exponent."""

    is_negative: bool
    digits: str
    exponent: int


def same_number(expected: str, written: str, tolerance: float | None) -> bool:
    """Return whether both texts are numbers and the written one is right.

    An expected integer must be met exactly, any other number within `RELATIVE`. With a tolerance
    two numbers are the same if their difference is at most the tolerance, or at most the tolerance
    times the expected number; two integers must still be equal.
    """
    if (left := _read(expected)) is None or (right := _read(written)) is None:
        return False
    if left == right:
        return True
    if _is_integer(expected) and (tolerance is None or _is_integer(written)):
        return False
    if tolerance is not None and _is_within(left, right, tolerance):
        return True
    return not _is_integer(expected) and _is_near(left, right)


def _is_integer(text: str) -> bool:
    return text.lstrip("+-").isdecimal()


def _read(text: str) -> _Number | None:
    if (match := _NUMBER.fullmatch(text)) is None:
        return None
    sign, whole, part, power = match.groups()
    whole, part = whole.lstrip("0"), (part or "").rstrip("0")
    digits = whole + part if whole else part.lstrip("0")
    exponent = len(whole) if whole else len(digits) - len(part)
    digits = digits.rstrip("0")
    if not digits:
        return _Number(False, "", 0)
    return _Number(sign == "-", digits, exponent + int(power or "0"))


def _is_near(expected: _Number, written: _Number) -> bool:
    """Return whether two numbers differ by at most `RELATIVE` of the expected one."""
    if not expected.digits:
        return written.exponent <= _NOISE_EXPONENT
    left, right, _ = _aligned(expected, written)
    return abs(left - right) * round(1 / RELATIVE) <= abs(left)


def _is_within(expected: _Number, written: _Number, tolerance: float) -> bool:
    # As written: the float 1e-6 is a little less than a millionth.
    allowed = Fraction(str(tolerance))
    left, right, shift = _aligned(expected, written)
    difference = abs(left - right)
    if difference <= allowed * abs(left):
        return True
    # Ten to `shift` of the units that both are counted in make one.
    return shift >= 0 and (shift > _FAR or difference <= allowed * 10**shift)


def _aligned(expected: _Number, written: _Number) -> tuple[int, int, int]:
    """Return the first digits of both as integers in one unit, and minus the unit's exponent."""
    top = max(expected.exponent, written.exponent) if written.digits else expected.exponent
    if not expected.digits:
        top = written.exponent
    return (_scaled(expected, top), _scaled(written, top), _DIGITS - top)


def _scaled(number: _Number, top: int) -> int:
    behind = top - number.exponent
    if not number.digits or behind >= _DIGITS:
        return 0
    value = int(number.digits[: _DIGITS - behind].ljust(_DIGITS - behind, "0"))
    return -value if number.is_negative else value
