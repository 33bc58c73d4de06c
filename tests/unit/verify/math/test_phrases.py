"""Words beside a value are dropped, unless one of them changes the value."""

from __future__ import annotations

import pytest

from reasonrl.verify.math.notation import clean
from reasonrl.verify.math.phrases import number_in_words, value_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\text{Total: } 5", "5"), (r"\text{The area is } 5", "5"), ("Answer: 5", "5"),
        (r"\text{ответ: } 5", "5"), (r"\text{only } 1", "1"), (r"\text{Point } (1,2)", "(1,2)"),
        (r"2^n - 1 \text{ for all } n \ge 1", "2^n - 1"), ("42, where x is a number", "42"),
        ("y=2x (x>0)", "y=2x, x>0"), (r"\text{all } n \ge 3", r"n \ge 3"),
        (r"\text{all real numbers}", r"\mathbb{R}"), (r"73 \text{ (mod 100)}", "73"),
        (r"\text{minus } 5", "-5"), ("one half", r"\frac{1}{2}"), (r"\text{fifth}", "5"),
        (r"\text{all reals except } 1 \text{ and } 2", r"\mathbb{R} \setminus \{1, 2\}"),
        (r"(1,2) \text{ and its permutations}", "(1, 2), (2, 1)"),
    ],
)  # fmt: skip
def test_the_mathematics_of_a_phrase_is_left(text: str, value: str) -> None:
    assert value_of(clean(text)) == value


@pytest.mark.parametrize(
    "text",
    [r"\text{not } 5", r"\text{at least } 5", r"\text{half of } 5",
     r"\text{square root of } 5", r"\text{about } 5", r"5 \text{ or so}", r"\text{more than } 5"],
)  # fmt: skip
def test_a_word_that_changes_the_value_stays(text: str) -> None:
    assert value_of(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("words", "number"),
    [("five", 5), ("twenty-one", 21), ("one hundred and five", 105), ("two thousand", 2_000),
     ("three million", 3_000_000), ("nineteen", 19), ("zero", 0)],
)  # fmt: skip
def test_numbers_in_words_are_read(words: str, number: int) -> None:
    assert number_in_words(words) == number


@pytest.mark.parametrize("words", ["five six", "twenty nineteen", "hundred", "and", "", "fivety"])
def test_other_words_are_no_number(words: str) -> None:
    assert number_in_words(words) is None
