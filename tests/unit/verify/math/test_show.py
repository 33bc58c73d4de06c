"""A printed tree has one reading, and fits on a line."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonrl.verify.math.faults import NoValueError
from reasonrl.verify.math.parse import parse
from reasonrl.verify.math.show import MAX_CHARS, show
from reasonrl.verify.math.tree import Expression, Number, Operation
from reasonrl.verify.math.value import exact

INTEGERS: st.SearchStrategy[Expression] = st.builds(
    lambda n: Number(Fraction(n)), st.integers(0, 9)
)
EXPRESSIONS = st.recursive(
    INTEGERS,
    lambda inner: st.one_of(
        st.builds(
            lambda name, a, b: Operation(name, (a, b)),
            st.sampled_from(["add", "mul", "div", "pow"]),
            inner,
            inner,
        ),
        st.builds(lambda a: Operation("neg", (a,)), inner),
    ),
    max_leaves=6,
)


@settings(derandomize=True, max_examples=300)
@given(EXPRESSIONS)
def test_a_printed_expression_is_read_back_with_the_same_value(tree: Expression) -> None:
    try:
        value = exact(tree)
    except NoValueError:
        return
    text = show(tree)
    again = parse(text)

    assert isinstance(again, Expression), text
    assert exact(again) == value, text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"\{1, 2\}", "{1, 2}"), ("(1, 2]", "(1, 2]"), (r"1 \le x < 2", "1 <= x < 2"),
        ("1011_2", "1011 in base 2"),
        (r"1 \text{ or } 2", "1 or 2"), (r"2 \text{ cm}", "2 cm"), ("2:3", "2:3"), ("0.5", "1/2"),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "[1, 2; 3, 4]"),
        (r"\langle 1, 2 \rangle", "<1, 2>"),
    ],
)  # fmt: skip
def test_each_kind_of_answer_has_its_own_form(text: str, shown: str) -> None:
    tree = parse(text)

    assert tree is not None
    assert show(tree) == shown


def test_a_long_answer_is_cut_and_a_large_number_is_named_by_its_size() -> None:
    long, large = parse("1, " * 200 + "1"), parse("1" + "0" * 100)
    assert long is not None
    assert large is not None

    assert len(show(long)) == MAX_CHARS
    assert show(large) == "<a number of 333 bits>"
