"""Sets of reals have one form, so equal sets are equal however they are written."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonrl.verify.math.faults import NoValueError
from reasonrl.verify.math.parse import parse
from reasonrl.verify.math.sets import RealSet, is_same_set, is_set, read_set
from reasonrl.verify.math.tree import Answer, Bracket, Items, Number, Operation, SetOperation


def read(text: str) -> RealSet:
    tree = parse(text)
    assert tree is not None
    return read_set(tree)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2x + 1 > 7", r"(3, \infty)"), ("-2x < 6", r"(-3, \infty)"), ("|x - 1| < 2", "(-1, 3)"),
        (r"|x| \ge 1", r"(-\infty, -1] \cup [1, \infty)"), (r"0 \le x < 1", "[0, 1)"),
        (r"x \ne 1", r"(-\infty, 1) \cup (1, \infty)"), (r"(0, 1) \cup [1, 2)", "(0, 2)"),
        (r"\R \setminus \{0\}", r"x \ne 0"),
        (r"x < 1 \text{ or } x > 3", r"x < 1 \text{ and } x > 3"),
        (r"x > 1 \text{ and } x < 3", "(1, 3)"), (r"[0, 2] \cap [1, 3]", "[1, 2]"),
        (r"(0, \sqrt{2})", r"(0, 2^{1/2})"), (r"\{1, 2\}", r"\{2, 1, 1\}"),
        (r"x \in [1, 1]", r"\{1\}"),
    ],
)  # fmt: skip
def test_a_set_has_one_form_in_every_notation(text: str, same: str) -> None:
    assert is_same_set(read(text), read(same))


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("(0, 1)", "[0, 1)"), (r"[0, 1) \cup (1, 2]", "[0, 2]"), ("x < 1", "y < 1"),
        ("x < 1", r"x \le 1"),
        (r"\R", r"x \ne 0"), (r"\varnothing", r"\{0\}"), ("(0, 1.4142135)", r"(0, \sqrt{2})"),
    ],
)  # fmt: skip
def test_an_endpoint_a_gap_and_a_variable_make_a_difference(text: str, other: str) -> None:
    assert not is_same_set(read(text), read(other))


@pytest.mark.parametrize("text", ["x^2 < 4", "x + y < 1", "(2, 1)", "(i, 2i)", r"(0,1) \cap 5"])
def test_what_is_no_set_with_constant_endpoints_has_no_form(text: str) -> None:
    with pytest.raises(NoValueError):
        read(text)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("(1, 2)", False), (r"(1, \infty)", True), ("(1, 2]", True), ("x = 1", False),
        ("x < 1", True),
        (r"\R", True), ("5", False), ("1, 2", False),
    ],
)  # fmt: skip
def test_a_pair_of_numbers_may_be_a_point_so_it_need_not_be_a_set(text: str, answer: bool) -> None:
    tree = parse(text)

    assert tree is not None
    assert is_set(tree) is answer


def interval(low: int, width: int, bracket: Bracket) -> Items:
    ends = (Number(Fraction(low)), Number(Fraction(low + width)))
    return Items("[]" if width == 0 else bracket, ends)


INTERVALS: st.SearchStrategy[Answer] = st.builds(
    interval, st.integers(-4, 4), st.integers(0, 3), st.sampled_from(["()", "[]", "(]", "[)"])
)
SETS = st.recursive(
    INTERVALS,
    lambda sets: st.builds(SetOperation, st.sampled_from(["cup", "cap", "setminus"]), sets, sets),
    max_leaves=4,
)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(SETS, SETS, SETS)
def test_the_laws_of_set_algebra_hold(a: Answer, b: Answer, c: Answer) -> None:
    def same(left: Answer, right: Answer) -> bool:
        return is_same_set(read_set(left), read_set(right))

    reals, empty = Operation("reals"), Operation("empty")
    union = SetOperation("cup", b, c)
    without_b, without_c = SetOperation("setminus", a, b), SetOperation("setminus", a, c)

    assert same(SetOperation("cup", a, b), SetOperation("cup", b, a))
    assert same(SetOperation("cap", a, b), SetOperation("cap", b, a))
    assert same(SetOperation("setminus", a, union), SetOperation("cap", without_b, without_c))
    assert same(SetOperation("setminus", reals, SetOperation("setminus", reals, a)), a)
    assert same(SetOperation("cup", a, SetOperation("cap", a, b)), a)
    assert same(SetOperation("setminus", a, a), empty)
