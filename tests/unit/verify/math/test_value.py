"""Values are exact where arithmetic allows it, have all digits elsewhere, and stay bounded."""

from __future__ import annotations

import threading
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonrl.verify.math.faults import NoValueError, TooLargeError
from reasonrl.verify.math.parse import parse
from reasonrl.verify.math.tree import Expression, Number, Operation
from reasonrl.verify.math.value import exact, numeric


def read(text: str) -> Expression:
    tree = parse(text)
    assert isinstance(tree, Expression)
    return tree


# The digits are those of published tables: sqrt(2) OEIS A002193, e A001113, pi A000796.
@pytest.mark.parametrize(
    ("text", "digits"),
    [
        (r"\sqrt{2}", "1.4142135623730950488016887242096980785696"),
        ("e", "2.7182818284590452353602874713526624977572"),
        (r"\arccos(-1)", "3.1415926535897932384626433832795028841971"),
    ],
)
def test_a_numeric_value_has_the_digits_that_were_asked_for(text: str, digits: str) -> None:
    value = numeric(read(text), {}, 50)

    assert abs(Fraction(str(value.real)) - Fraction(digits)) < Fraction(1, 10**39)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\sqrt{\frac{4}{9}}", Fraction(2, 3)), ("4^{3/2}", 8), ("5!", 120), (r"\binom{2}{5}", 0),
        ("(-1)^{99999999}", -1), ("0^5", 0), ("2^{-3}", Fraction(1, 8)),
    ],
)  # fmt: skip
def test_rational_arithmetic_is_exact(text: str, value: Fraction) -> None:
    assert exact(read(text)) == value


@pytest.mark.parametrize("text", [r"\sqrt{2}", r"\sqrt[3]{8}", r"\pi", "x", "(1/2)!"])
def test_what_rational_arithmetic_cannot_find_is_none(text: str) -> None:
    assert exact(read(text)) is None


@settings(derandomize=True, max_examples=200)
@given(st.fractions(max_denominator=10**6), st.fractions(max_denominator=10**6))
def test_exact_and_numeric_values_agree(x: Fraction, y: Fraction) -> None:
    product = Operation("mul", (Number(x), Operation("add", (Number(x), Number(y)))))

    value = exact(product)

    assert value == x * (x + y)
    error = abs(Fraction(str(numeric(product, {}, 50).real)) - value)
    assert error <= abs(value) / 10**45 + Fraction(1, 10**45)


def test_an_odd_root_of_a_negative_number_is_the_real_one() -> None:
    assert numeric(read(r"\sqrt[3]{-8}"), {}, 30) == -2


def test_a_symbol_has_the_value_that_it_is_given() -> None:
    assert numeric(read("x^2"), {"x": Fraction(-3)}, 30) == 9
    with pytest.raises(NoValueError):
        numeric(read("x + y"), {"x": Fraction(1)}, 30)


@pytest.mark.parametrize("text", ["1/0", "0^{-1}", "0^0"])
def test_a_pole_has_no_exact_value(text: str) -> None:
    with pytest.raises(NoValueError):
        exact(read(text))


@pytest.mark.parametrize("text", [r"\ln 0", r"\tan(\arccos(0)) \cdot 0^{-1}", r"\lfloor i \rfloor"])
def test_a_pole_has_no_numeric_value(text: str) -> None:
    with pytest.raises(NoValueError):
        numeric(read(text), {}, 50)


@pytest.mark.parametrize("text", ["10^{30000}", "7000!", r"\binom{10^9}{10^8}", r"2^{10^{9}}"])
def test_a_value_of_too_many_digits_is_refused_before_it_is_computed(text: str) -> None:
    with pytest.raises(TooLargeError):
        exact(read(text))


def test_threads_do_not_share_their_precision() -> None:
    lengths: dict[int, int] = {}

    def evaluate(digits: int) -> None:
        for _ in range(50):
            lengths[digits] = len(str(numeric(read(r"\sqrt{2}"), {}, digits)))

    threads = [threading.Thread(target=evaluate, args=(digits,)) for digits in (20, 80)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert lengths[20] <= 21
    assert lengths[80] >= 79
