"""The grammar of expressions: what binds what, checked by exact values and by printed trees."""

from __future__ import annotations

from fractions import Fraction

import pytest

from reasonrl.verify.math.parse import parse
from reasonrl.verify.math.show import show
from reasonrl.verify.math.tree import Expression, Operation, Symbol
from reasonrl.verify.math.value import exact


def read(text: str) -> Expression:
    tree = parse(text)
    assert isinstance(tree, Expression)
    return tree


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-2^2", -4), ("2^3^2", 512), ("2^{-1}", Fraction(1, 2)), ("8/2/2", 2), ("8/2*2", 8),
        ("1-2-3", -4), ("3!2!", 12), ("3 1/2", Fraction(7, 2)), ("-3 1/2", Fraction(-7, 2)),
        (r"3\frac12", Fraction(7, 2)), (r"3\frac{3}{2}", Fraction(9, 2)),
        (r"\frac12", Fraction(1, 2)),
        (r"\frac34\frac{4}{3}", 1), (r"\sqrt{9}", 3), ("|2-5|", 3), ("|-1|+|1|", 2), ("C(5,2)", 10),
        ("P(5,2)", 20), (r"{5 \choose 2}", 10), (r"\binom52", 10), (r"\max(1, 7, 3)", 7),
        (r"\max(7)", 7), (r"\min(7)", 7),
        (r"\lfloor 7/2 \rfloor", 3), (r"\lceil 7/2 \rceil", 4), ("abs(-2)", 2), ("2(3)(4)", 24),
    ],
)  # fmt: skip
def test_an_expression_has_the_value_of_its_usual_reading(text: str, value: Fraction) -> None:
    assert exact(read(text)) == value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"\sin 2x \cos x", "sin(2*x)*cos(x)"), (r"\sin^2 x", "sin(x)^2"),
        (r"\sin^{-1} x", "arcsin(x)"), (r"\sin 30°", "sin(degrees(30))"),
        (r"\log_2 x", "log(x, 2)"), (r"\ln(x) y", "ln(x)*y"), (r"\sin x + 1", "sin(x) + 1"),
        (r"\sqrt[3]{x}", "root(x, 3)"), ("2x^2y", "2*(x^2)*y"), (r"a \pm b", "a ± b"),
        ("1/2x", "(1*x)/2"), (r"\sin xyz", "sin(x*y*z)"), (r"\ln x/y/z", "ln(x/(y*z))"),
    ],
)  # fmt: skip
def test_an_operand_ends_where_the_next_factor_begins(text: str, shown: str) -> None:
    assert show(read(text)) == shown


@pytest.mark.parametrize("text", ["a_{10}", "f'", r"\alpha_1", "P(X=3)", r"\overline{AB}"])
def test_an_index_a_prime_and_an_event_belong_to_one_name(text: str) -> None:
    assert isinstance(read(text), Symbol)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (r"\int_0^1 x dx", "integral"), (r"\sum_{k=1}^{9} k", "sum"), (r"\prod k", "product"),
        (r"\lim_{x \to 0} x", "limit"), (r"\gcd(12, 18)", "gcd"),
        (r"\frac{d}{dx} x^2", "derivative"),
        (r"\begin{vmatrix} 1 & 2 \\ 3 & 4 \end{vmatrix}", "determinant"),
    ],
)  # fmt: skip
def test_an_operation_left_to_be_done_is_read_without_its_operands(text: str, name: str) -> None:
    expression = read(text)
    assert isinstance(expression, Operation)
    assert expression.name == name


def test_the_depth_of_the_recursion_is_bounded() -> None:
    assert parse("-" * 50 + "1") is not None
    assert parse("-" * 100 + "1") is None
