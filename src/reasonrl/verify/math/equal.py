"""Compare the values of two expressions: exactly, or to 50 digits at several points.

Raises NoValueError where neither way finds a value; then another route must decide. Called by
`same` and `sets`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from fractions import Fraction

from reasonrl.verify.math.faults import NoValueError, TooLargeError
from reasonrl.verify.math.number import PlainNumber, is_close
from reasonrl.verify.math.tree import Expression, Number, Operation, Symbol
from reasonrl.verify.math.value import Value, exact, numeric

_DIGITS = 50
# Relative to the size of the value; equal closed forms differ by rounding only.
_AGREE = Fraction(1, 10**40)
# A decimal of more digits could agree with an irrational number.
_LONGEST_DECIMAL = 35
_POINTS, _ENOUGH = 6, 3
"""Number of points, the first half positive; and how many must lie in both domains."""
_FURTHER_POINTS, _FURTHER_RANGE = 40, Fraction(10)
"""Points in a wider range, for expressions whose domain holds too few of the first."""
_LONG, _LARGE_EXPONENT = 10**6, 5
_MIDDLE = Fraction(17, 10)
_WHOLE_POINTS = 12
_OF_WHOLE_NUMBERS = frozenset(
    {
        "floor",
        "ceil",
        "factorial",
        "double factorial",
        "binomial",
        "permutations",
        "gcd",
        "lcm",
        "product up to",
    }
)
_COUNTED = frozenset({"n", "m", "k", "j", "l", "p", "q", "N", "M", "K"})
"""Names that stand for whole numbers if only the answer treats them so."""
_CONTINUOUS = frozenset({"x", "y", "z", "t", "\\theta", "\\phi", "\\alpha", "\\beta"})
"""Names that stand for reals even within a floor."""


def is_same_value(gold: Expression, answer: Expression) -> bool:
    """Compare two expressions, with or without symbols."""
    if gold == answer:
        return True
    x, y = exact(gold), exact(answer)
    if x is not None and y is not None:
        return _is_written(gold, y) if isinstance(gold, Number) else x == y
    if isinstance(gold, Number) and gold.decimals is not None and not symbols(answer):
        value = numeric(answer, {}, _DIGITS)
        return _is_real(value) and _is_written(gold, _as_fraction(value))
    if isinstance(answer, Number) and (answer.decimals or 0) > _LONGEST_DECIMAL:
        return False
    return _agree_at_points(gold, answer)


def _is_written(gold: Number, value: Fraction) -> bool:
    """Compare with a numeral as it was written: a decimal accepts values that round to it."""
    return is_close(PlainNumber(value=gold.value, decimals=gold.decimals), value)


def _agree_at_points(gold: Expression, answer: Expression) -> bool:
    names = sorted(symbols(gold) | symbols(answer))
    if not names:
        return _agree(gold, answer, {})
    whole = _whole_names(gold) | (_whole_names(answer) & _COUNTED)
    # An answer may not hide where it differs: a floor or a factorial without a value counts.
    is_strict = bool(whole) or _has_whole(answer)
    agreed = 0
    for number, point in enumerate(_points(names, whole)):
        if number >= _POINTS and agreed >= _ENOUGH and not whole:
            break
        try:
            if not _agree(gold, answer, point):
                return False
        except TooLargeError:
            if whole and agreed > _ENOUGH and _is_too_large(gold, point):
                break
            raise
        except NoValueError:
            if is_strict and _has_value(gold, point):
                return False
            continue
        agreed += 1
    if agreed < _ENOUGH:
        raise NoValueError
    return True


def _is_too_large(expression: Expression, point: Mapping[str, Fraction]) -> bool:
    try:
        numeric(expression, point, _DIGITS)
    except TooLargeError:
        return True
    except NoValueError:
        return False
    return False


def _has_value(expression: Expression, point: Mapping[str, Fraction]) -> bool:
    """Return whether an expression has a real value at a point."""
    try:
        return _is_real(numeric(expression, point, _DIGITS))
    except NoValueError:
        return False


def _points(names: list[str], whole: frozenset[str]) -> Iterator[Mapping[str, Fraction]]:
    """Yield points: whole numbers for the names in `whole`, fractions of both signs for others."""
    if whole:
        for trial in range(_WHOLE_POINTS):
            yield {
                name: Fraction(_whole_coordinate(name, trial, is_only=len(whole) == 1))
                if name in whole
                else _coordinate(name, trial)
                for name in names
            }
        return
    for trial in range(_POINTS):
        sign = 1 if trial < _POINTS // 2 else -1
        yield {name: sign * _coordinate(name, trial) for name in names}
    for trial in range(_POINTS, _POINTS + _FURTHER_POINTS):
        # The coordinate lies between 0.2 and 3.2.
        yield {name: (_coordinate(name, trial) - _MIDDLE) * _FURTHER_RANGE for name in names}


def _whole_coordinate(name: str, trial: int, *, is_only: bool) -> int:
    """Return 1 to 12 for the only name, so that no residue is left out; else a drawn number."""
    return trial + 1 if is_only else 1 + int(4 * _coordinate(name, trial))


def _whole_names(expression: Expression) -> frozenset[str]:
    """Return the names that stand for whole numbers: those under a floor, in `(-1)^n`, ..."""
    if not isinstance(expression, Operation):
        return frozenset()
    names = frozenset().union(*map(_whole_names, expression.operands))
    if expression.name in _OF_WHOLE_NUMBERS:
        names |= symbols(expression)
    elif expression.name == "pow" and _is_negative(expression.operands[0]):
        names |= symbols(expression.operands[1])
    return names - _CONTINUOUS


def _has_whole(expression: Expression) -> bool:
    """Return whether a function of whole numbers stands anywhere in an expression."""
    return isinstance(expression, Operation) and (
        expression.name in _OF_WHOLE_NUMBERS or any(map(_has_whole, expression.operands))
    )


def _may_hide_a_difference(expression: Expression) -> bool:
    """Return whether a constant holds a long or tiny number, or a power that can make one."""
    if isinstance(expression, Number):
        return max(abs(expression.value.numerator), expression.value.denominator) > _LONG
    if not isinstance(expression, Operation):
        return False
    if expression.name in ("pow", "factorial") and _is_large(expression.operands[-1]):
        return True
    return any(map(_may_hide_a_difference, expression.operands))


def _is_large(exponent: Expression) -> bool:
    number = (
        exponent.operands[0] if isinstance(exponent, Operation) and exponent.operands else exponent
    )
    return not isinstance(number, Number) or abs(number.value) > _LARGE_EXPONENT


def _is_negative(base: Expression) -> bool:
    """Return whether a base has no real power with an exponent that is no whole number."""
    if symbols(base):
        return False
    try:
        value = numeric(base, {}, _DIGITS)
    except NoValueError:
        return False
    return bool(value.imag == 0 and value.real < 0)


def _coordinate(name: str, trial: int) -> Fraction:
    """Return a fraction between 0.2 and 3.2 that depends on name and trial alone."""
    seed = f"{trial} {name}".encode(errors="surrogatepass")
    drawn = hashlib.blake2b(seed, digest_size=4).digest()
    return Fraction(1, 5) + Fraction(3 * int.from_bytes(drawn), 2**32)


def _agree(gold: Expression, answer: Expression, point: Mapping[str, Fraction]) -> bool:
    x, y = numeric(gold, point, _DIGITS), numeric(answer, point, _DIGITS)
    if point and not (_is_real(x) and _is_real(y)):
        # The point is outside the domain of an expression.
        raise NoValueError
    difference, size = abs(x - y), max(abs(x), abs(y))
    if difference <= _as_value(_AGREE, x) * size:
        # A long decimal may agree with an irrational number to all digits that were computed.
        if point or not (_may_hide_a_difference(gold) or _may_hide_a_difference(answer)):
            return True
        return _agree_further(gold, answer)
    if min(abs(x), abs(y)) > _as_value(_AGREE, x) * 10**5:
        return False
    return _vanishes(Operation("add", (gold, Operation("neg", (answer,)))), point)


def _agree_further(gold: Expression, answer: Expression) -> bool:
    """Return whether two constants also agree to twice the digits."""
    x, y = (numeric(expression, {}, 2 * _DIGITS) for expression in (gold, answer))
    return bool(abs(x - y) <= _as_value(_AGREE**2, x) * max(abs(x), abs(y)))


def _vanishes(difference: Expression, point: Mapping[str, Fraction]) -> bool:
    """Distinguish zero from a small number: rounding errors shrink when the digits double."""
    rough, fine = (abs(numeric(difference, point, digits)) for digits in (_DIGITS, 2 * _DIGITS))
    return bool(fine == 0 or fine < rough * 10 ** (-_DIGITS // 2))


def _is_real(value: Value) -> bool:
    size = abs(value)
    return bool(abs(value.imag) <= _as_value(_AGREE, value) * size)


def _as_value(fraction: Fraction, like: Value) -> Value:
    return like.context.mpf(fraction.numerator) / fraction.denominator


def _as_fraction(value: Value) -> Fraction:
    return Fraction(str(value.real))


def symbols(expression: Expression) -> frozenset[str]:
    """Return the names of the symbols in an expression."""
    if isinstance(expression, Symbol):
        return frozenset({expression.name})
    if isinstance(expression, Number):
        return frozenset()
    return frozenset().union(*(symbols(operand) for operand in expression.operands))
