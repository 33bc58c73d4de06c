"""Two expressions are equal by value, not by form."""

from __future__ import annotations

import pytest

from reasonrl.verify.math.equal import is_same_value, symbols
from reasonrl.verify.math.faults import NoValueError
from reasonrl.verify.math.parse import parse
from reasonrl.verify.math.tree import Expression


def read(text: str) -> Expression:
    tree = parse(text)
    assert isinstance(tree, Expression)
    return tree


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"\sin^2 x + \cos^2 x", "1"), (r"2\ln x", r"\ln x^2"), ("(x+1)^2", "x^2+2x+1"),
        (r"\sqrt{2} + \sqrt{3}", r"\sqrt{5 + 2\sqrt{6}}"),
        (r"\sqrt[3]{2 + \sqrt{5}} + \sqrt[3]{2 - \sqrt{5}}", "1"),
        (r"\frac{1}{\sqrt{2}}", r"\frac{\sqrt{2}}{2}"), (r"e^{i\pi}", "-1"),
        ("0.33", r"\frac{33}{100}"),
        ("1.4142", r"\sqrt{2}"), ("0", r"\sqrt{3} - \sqrt{4 - 1}"),
        ("0", r"\ln 6 - \ln 2 - \ln 3"),
    ],
)  # fmt: skip
def test_equal_values_have_many_forms(gold: str, answer: str) -> None:
    assert is_same_value(read(gold), read(answer))


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"\sqrt{x^2}", "x"), (r"\frac{1}{3}", "0.33"),
        (r"\sqrt{2}", "1.41421356237309504880168872"),
        (r"\frac{1}{2004!}", r"\frac{1}{2006!}"), ("10^{-45}", "10^{-46}"), ("x", "y"),
        ("x + 1", "x"),
        (r"\pi", r"\frac{355}{113}"), ("1.5", r"\sqrt{2}"),
        ("0", r"\sqrt{2} - 1.41421356237309504880168872420969807856967187537694"),
    ],
)  # fmt: skip
def test_different_values_differ_however_close_they_are(gold: str, answer: str) -> None:
    assert not is_same_value(read(gold), read(answer))


def test_expressions_without_a_common_domain_are_not_judged() -> None:
    with pytest.raises(NoValueError):
        is_same_value(read(r"\sqrt{-1 - x^2}"), read("x"))


def test_the_symbols_of_an_expression_are_found_at_every_depth() -> None:
    assert symbols(read(r"\sin(x_1) + \frac{y}{2^{\alpha}} + \pi e")) == {"x_1", "y", r"\alpha"}
