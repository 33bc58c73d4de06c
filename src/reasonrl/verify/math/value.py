"""Evaluate an expression: exactly as a fraction, or to many digits with mpmath.

Both ways are bounded: they raise `TooLargeError` before they would make a number of more than
`bound.MAX_DIGITS_VALUE` digits, or an exponent that mpmath cannot hold.
"""

from __future__ import annotations

import math
import operator
import threading
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

import mpmath

from reasonrl.verify.math.faults import NoValueError, TooLargeError
from reasonrl.verify.math.tree import Expression, Number, Symbol
from reasonrl.verify.math.whole_numbers import (
    MAX_BITS,
    MAX_FACTORIAL,
    arrange,
    bits,
    choose,
    common_divisor,
    common_multiple,
    double_factorial,
    factorial,
    product_up_to,
)

# An mpf or mpc of this thread's context; mpmath has no annotations.
Value: TypeAlias = Any

_CIRCULAR = ("sin", "cos", "tan", "cot", "sec", "csc")
_HYPERBOLIC = ("sinh", "cosh", "tanh")
# The bits of the largest argument of a circular function, whose reduction takes long.
_MAX_ANGLE_BITS = 1_000
_LOCAL = threading.local()


# exact values


def exact(expression: Expression) -> Fraction | None:
    """Return a rational value, or None where rational arithmetic finds none."""
    if isinstance(expression, Number):
        return expression.value
    if isinstance(expression, Symbol) or (rule := _EXACT.get(expression.name)) is None:
        return None
    operands = [exact(operand) for operand in expression.operands]
    known = [operand for operand in operands if operand is not None]
    return _bounded(rule(*known)) if len(known) == len(operands) else None


def _bounded(value: Fraction | None) -> Fraction | None:
    if value is not None and bits(value) > MAX_BITS:
        raise TooLargeError
    return value


def _product(*factors: Fraction) -> Fraction:
    if sum(map(bits, factors)) > 4 * MAX_BITS:
        raise TooLargeError
    return math.prod(factors, start=Fraction(1))


def _divide(a: Fraction, b: Fraction) -> Fraction:
    if b == 0:
        raise NoValueError
    return a / b


def _raise(base: Fraction, exponent: Fraction) -> Fraction | None:
    if exponent.denominator > 2:
        return None
    if exponent.denominator != 1:
        return _root(_raise(base, Fraction(exponent.numerator)), Fraction(exponent.denominator))
    if base == 0 and exponent <= 0:
        raise NoValueError
    if abs(base) != 1 and base != 0 and abs(exponent) * (bits(base) - 1) > MAX_BITS:
        raise TooLargeError
    return base ** (exponent.numerator % 2 if abs(base) == 1 else exponent.numerator)


def _root(value: Fraction | None, index: Fraction) -> Fraction | None:
    """Return a rational square root, or None; `numeric` takes all other roots."""
    if value is None or value < 0 or index != 2:
        return None
    top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
    root = Fraction(top, bottom)
    return root if root * root == value else None


_EXACT: Mapping[str, Callable[..., Fraction | None]] = {
    "add": lambda *terms: sum(terms, Fraction(0)),
    "mul": _product,
    "neg": operator.neg,
    "div": _divide,
    "pow": _raise,
    "root": _root,
    "abs": abs,
    "floor": lambda x: Fraction(math.floor(x)),
    "ceil": lambda x: Fraction(math.ceil(x)),
    "min": lambda *values: min(values),
    "max": lambda *values: max(values),
    "factorial": factorial,
    "double factorial": double_factorial,
    "gcd": common_divisor,
    "lcm": common_multiple,
    "binomial": choose,
    "permutations": arrange,
}


# values to many digits


def numeric(expression: Expression, given: Mapping[str, Fraction], digits: int) -> Value:
    """Return the value as a real or complex number of `digits` digits; `given` holds the symbols.

    Raises NoValueError for other symbols, for poles and for operations that it does not know.
    """
    context = _context(digits)
    try:
        return _evaluate(expression, given, context)
    except (ArithmeticError, ValueError, TypeError, NotImplementedError) as error:
        raise NoValueError from error


def _context(digits: int) -> Any:
    """Return this thread's mpmath context: the library's own is shared between threads."""
    context = getattr(_LOCAL, "context", None)
    if context is None:
        context = _LOCAL.context = mpmath.MPContext()
    context.dps = digits
    return context


def _evaluate(expression: Expression, given: Mapping[str, Fraction], context: Any) -> Value:
    if isinstance(expression, Number):
        return context.mpf(expression.value.numerator) / expression.value.denominator
    if isinstance(expression, Symbol):
        if (value := given.get(expression.name)) is None:
            raise NoValueError
        return context.mpf(value.numerator) / value.denominator
    if (rule := _NUMERIC.get(expression.name)) is None:
        raise NoValueError
    operands = [_evaluate(operand, given, context) for operand in expression.operands]
    value = rule(context, *operands)
    if not context.isfinite(value):
        raise NoValueError
    if context.mag(value) > MAX_BITS:
        raise TooLargeError
    return value


def _power(c: Any, base: Value, exponent: Value) -> Value:
    if base == 0:
        if c.re(exponent) <= 0:
            raise NoValueError
        return c.zero
    if abs(c.log(abs(base)) * exponent) > MAX_BITS:
        raise TooLargeError
    return c.power(base, exponent)


def _nth_root(c: Any, value: Value, index: Value) -> Value:
    if c.im(value) == 0 and c.re(value) < 0 and index == c.nint(index) and int(index) % 2:
        # This is the real root, as taught at school.
        return -c.power(-value, 1 / index)
    return c.sqrt(value) if index == 2 else c.power(value, 1 / index)


def _exponential(name: str) -> Callable[..., Value]:
    def evaluate(c: Any, value: Value) -> Value:
        if abs(value) > MAX_BITS:
            raise TooLargeError
        return getattr(c, name)(value)

    return evaluate


def _gamma(c: Any, value: Value) -> Value:
    if abs(value) > MAX_FACTORIAL:
        raise TooLargeError
    return c.factorial(value)


def _binomial(c: Any, n: Value, k: Value) -> Value:
    if max(abs(n), abs(k)) > MAX_FACTORIAL:
        raise TooLargeError
    return c.binomial(n, k)


def _permutations(c: Any, n: Value, k: Value) -> Value:
    if max(abs(n), abs(k)) > MAX_FACTORIAL:
        raise TooLargeError
    return c.ff(n, k)


def _whole(c: Any, function: Callable[..., Fraction | None], *values: Value) -> Value:
    """Evaluate a function of whole numbers. Raises NoValueError for others."""
    if any(value != c.nint(c.re(value)) for value in values):
        raise NoValueError
    result = function(*(Fraction(int(c.re(value))) for value in values))
    if result is None:
        raise NoValueError
    return c.mpf(result.numerator) / result.denominator


def _logarithm(c: Any, value: Value, base: Value | None = None) -> Value:
    return c.log(value) if base is None else c.log(value) / c.log(base)


def _real(c: Any, function: Callable[..., Value], *values: Value) -> Value:
    if any(c.im(value) != 0 for value in values):
        raise NoValueError
    return function(*(c.re(value) for value in values))


def _named(name: str) -> Callable[..., Value]:
    def evaluate(c: Any, value: Value) -> Value:
        if value != 0 and c.mag(value) > _MAX_ANGLE_BITS:
            raise TooLargeError
        return getattr(c, name)(value)

    return evaluate


_NUMERIC: Mapping[str, Callable[..., Value]] = {
    "add": lambda c, *terms: c.fsum(terms),
    "mul": lambda c, *factors: c.fprod(factors),
    "neg": lambda _, a: -a,
    "div": lambda _, a, b: a / b,
    "pow": _power,
    "root": _nth_root,
    "abs": lambda _, a: abs(a),
    "floor": lambda c, a: _real(c, c.floor, a),
    "ceil": lambda c, a: _real(c, c.ceil, a),
    "min": lambda c, *a: _real(c, lambda *values: min(values), *a),
    "max": lambda c, *a: _real(c, lambda *values: max(values), *a),
    "factorial": _gamma,
    "binomial": _binomial,
    "permutations": _permutations,
    "double factorial": lambda c, n: _whole(c, double_factorial, n),
    "product up to": lambda c, *n: _whole(c, product_up_to, *n),
    "gcd": lambda c, *values: _whole(c, common_divisor, *values),
    "lcm": lambda c, *values: _whole(c, common_multiple, *values),
    "cis": lambda c, a: c.expj(_real(c, c.mpf, a)),
    "pi": lambda c: +c.pi,
    "e": lambda c: +c.e,
    "i": lambda c: c.mpc(0, 1),
    "degrees": lambda c, a: a * c.pi / 180,
    "ln": _logarithm,
    "log": _logarithm,
    **{name: _exponential(name) for name in ("exp", *_HYPERBOLIC)},
    **{name: _named(name) for name in _CIRCULAR},
    **{f"arc{name}": _named(f"a{name}") for name in (*_CIRCULAR, *_HYPERBOLIC)},
}
