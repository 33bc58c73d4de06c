"""Two spellings of one text, and the sides of an equation."""

from __future__ import annotations

import pytest

from reasonrl.verify.math.spelling import is_named, is_same_spelling, sides_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"a \mid b", r"a\mid b"), (r"x^{2}", "x^2"), (r"\neg p \vee q", r"\neg p\lor q"),
        (r"\sum_{k=1}^{n} k", r"\sum_{i=1}^{n} i"), (r"\int_0^1 f(x) dx", r"\int_0^1 f(t) dt"),
        (r"1, \dots, n", r"1,\ldots,n"),
    ],
)  # fmt: skip
def test_blanks_braces_synonyms_and_bound_names_mean_nothing(one: str, other: str) -> None:
    assert is_same_spelling(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12", "1 2"), ("x^{12}", "x^12 3"), ("a_{12}", "a_1 2"),
        (r"\sum_{k=1}^{n} k", r"\sum_{k=1}^{m} k"),
        (r"\int_0^1 f(x) dx", r"\int_0^2 f(x) dx"), (r"a \mid b", r"b \mid a"),
    ],
)  # fmt: skip
def test_other_texts_are_other_answers(one: str, other: str) -> None:
    assert not is_same_spelling(one, other)


def test_an_equation_is_split_outside_brackets_only() -> None:
    assert sides_of("x = 2 + 3 = 5") == ["x", "2 + 3", "5"]
    assert sides_of("P(X=3) = 5") == ["P(X=3)", "5"]
    assert sides_of(r"x \le 5") == [r"x \le 5"]
    assert sides_of("a = b < c") == ["a = b < c"]


def test_a_name_is_letters_and_indices() -> None:
    assert all(map(is_named, ["X", r"\vec{r}(t)", "A^{-1}", r"\mathbf{y}", "a_{10}"]))
    assert not any(map(is_named, ["3x", r"\frac{a}{b}", r"\int f", "x + 1"]))
