"""Functions of whole numbers, exact and bounded: factorials, choices, divisors, long products.

Each returns None for numbers that are not whole or negative where it has no value, and raises
TooLargeError before it would make a number of more than `bound.MAX_DIGITS_VALUE` digits. Called by
`value`.
"""

from __future__ import annotations

import math
from fractions import Fraction

from reasonrl.verify.math.bound import MAX_DIGITS_VALUE
from reasonrl.verify.math.faults import TooLargeError

MAX_BITS = int(MAX_DIGITS_VALUE * math.log2(10))
MAX_FACTORIAL = 6_000


def bits(value: Fraction) -> int:
    """Return the bits of the larger of numerator and denominator."""
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def factorial(n: Fraction) -> Fraction | None:
    """Return n!."""
    if n.denominator != 1 or n < 0:
        return None
    if n > MAX_FACTORIAL:
        raise TooLargeError
    return Fraction(math.factorial(int(n)))


def double_factorial(n: Fraction) -> Fraction | None:
    """Return n (n - 2) (n - 4) ..., down to 1 or 2."""
    if n.denominator != 1 or n < 0:
        return None
    if n > 2 * MAX_FACTORIAL:
        raise TooLargeError
    return Fraction(math.prod(range(int(n), 0, -2)))


def product_up_to(first: Fraction, second: Fraction, last: Fraction) -> Fraction | None:
    """Return the product of numbers at equal distances, which `1 * 3 * 5 ... 9` means."""
    numbers = (first, second, last)
    if (
        any(n.denominator != 1 for n in numbers)
        or second <= first
        or (last - first) % (second - first)
    ):
        return None
    if last > 2 * MAX_FACTORIAL:
        raise TooLargeError
    return Fraction(math.prod(range(int(first), int(last) + 1, int(second - first))))


def common_divisor(*values: Fraction) -> Fraction | None:
    """Return the greatest common divisor."""
    if any(value.denominator != 1 for value in values):
        return None
    return Fraction(math.gcd(*(value.numerator for value in values)))


def common_multiple(*values: Fraction) -> Fraction | None:
    """Return the least common multiple."""
    if any(value.denominator != 1 for value in values):
        return None
    if sum(map(bits, values)) > MAX_BITS:
        raise TooLargeError
    return Fraction(math.lcm(*(value.numerator for value in values)))


def choose(n: Fraction, k: Fraction) -> Fraction | None:
    """Return the number of choices of k among n."""
    if n.denominator != 1 or k.denominator != 1 or n < 0 or k < 0:
        return None
    if min(k, n - k) * max(1, n.numerator.bit_length()) > 4 * MAX_BITS:
        raise TooLargeError
    return Fraction(math.comb(int(n), int(k)))


def arrange(n: Fraction, k: Fraction) -> Fraction | None:
    """Return the number of arrangements of k among n."""
    if n.denominator != 1 or k.denominator != 1 or n < 0 or k < 0:
        return None
    if k * max(1, n.numerator.bit_length()) > 4 * MAX_BITS:
        raise TooLargeError
    return Fraction(math.perm(int(n), int(k)))
