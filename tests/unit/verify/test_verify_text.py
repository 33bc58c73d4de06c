"""Decisions from text alone: extraction, numbers, size bounds. No worker is needed."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonrl.verify.extract import answer_part, last_box
from reasonrl.verify.math.bound import size_fault
from reasonrl.verify.math.number import is_same, read_number
from reasonrl.verify.prose import last_number


def test_the_inner_of_two_nested_boxes_decides() -> None:
    assert last_box(r"\boxed{x = \boxed{5}}") == "5"


def test_escaped_braces_do_not_close_a_box() -> None:
    assert last_box(r"\boxed{\{1, 2\}}") == r"\{1, 2\}"


@pytest.mark.parametrize("junk", ["{", "}", "\\boxed{", "\\", "<think></think>", "1,111", "a", " "])
def test_a_million_characters_of_junk_before_the_answer_change_nothing(junk: str) -> None:
    response = junk * (1_000_000 // len(junk)) + "\n\\boxed{5}"

    part = answer_part(response)

    assert part is not None
    assert last_box(part) == "5"


def test_a_million_boxes_left_open_are_no_answer() -> None:
    assert last_box("\\boxed{" * 150_000) is None


def test_only_the_last_line_with_a_digit_is_searched_for_a_number() -> None:
    assert last_number("It is 7.\nNo: 2^10\nSorry.") is None


def test_an_exponent_is_not_a_final_number() -> None:
    assert last_number("7 and 2^10") is None


def test_a_subtraction_is_not_a_sign() -> None:
    assert last_number("8 -5") == "5"


@settings(derandomize=True, max_examples=200)
@given(st.integers(-(10**30), 10**30), st.integers(1, 10**9))
def test_a_fraction_is_read_exactly_in_both_notations(top: int, bottom: int) -> None:
    for text in (f"{top}/{bottom}", f"\\frac{{{top}}}{{{bottom}}}"):
        number = read_number(text)
        assert number is not None
        assert number.value == Fraction(top, bottom)
        assert number.decimals is None


@settings(derandomize=True, max_examples=200)
@given(st.integers(0, 10**15))
def test_thousands_separators_have_no_meaning(value: int) -> None:
    number = read_number(f"{value:,}")

    assert number is not None
    assert number.value == value


@pytest.mark.parametrize(
    "text", ["", "-", "1,23", "1/0", "2x", "5 or 7", "5 apples and", "1..2", "x"]
)
def test_what_is_not_a_plain_number_is_none(text: str) -> None:
    assert read_number(text) is None


def test_the_tolerance_is_for_a_decimal_gold_only() -> None:
    exact, decimal, near = read_number("3"), read_number("3.00"), read_number("3.0001")
    assert exact is not None
    assert decimal is not None
    assert near is not None

    assert is_same(decimal, near)
    assert not is_same(exact, near)


@pytest.mark.parametrize(
    "text",
    ["9^9^9", "9**9**9", "2^{2^{2^{2^{2^2}}}}", "1^{9^{9^9}}", "(9!)!", "9!!!!", r"\Gamma(10^9)",
     "9^{9^9+1}", "9^{9*9*9*9*9*9}", "(10^{5})!", "0.1^{20000}", r"\frac{1}{9^{9^9}}",
     "(x+1)^{100000}", r"\exp(\exp(100))", "{" * 50 + "}" * 50, "{" * 20 + "1" + "}" * 20,
     "1" * 1_001],
)  # fmt: skip
def test_what_would_explode_is_refused(text: str) -> None:
    assert size_fault(text)


@pytest.mark.parametrize(
    "text",
    ["2^{2024}", "2004!", r"\binom{2024}{1012}", "10^{100}", "x^{100000}", "e^{x^2}", "2^{n^2+1}",
     r"\frac{1}{\frac{1}{\frac{1}{x}}}", "3^{2^{3}}", "n!", "(x+1)^{2024}", r"\sqrt[3]{2}",
     "}" * 9],
)  # fmt: skip
def test_what_competitions_ask_for_is_not_refused(text: str) -> None:
    assert size_fault(text) == ""
