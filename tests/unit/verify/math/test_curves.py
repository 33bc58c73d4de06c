"""Equations of curves, orders and congruences."""

from __future__ import annotations

import pytest

from reasonrl.verify.math.curves import is_same_chain, is_same_congruence, is_same_curve
from reasonrl.verify.math.parse import parse
from reasonrl.verify.math.tree import Congruence, Relation


@pytest.mark.parametrize(
    ("gold", "answer", "is_same"),
    [
        ("y = 1/x", "xy = 1", True), ("xy = 1", "y = 1/x", True),
        ("x + y = 3", "2x + 2y = 6", True),
        ("y = 1/x", "xy^2 = 1", False), ("y = 1/x", "xy = 2", False), ("y = x", "y = x^2", False),
        ("y = x^2", "y^2 = x^4", False),
    ],
)  # fmt: skip
def test_two_equations_of_one_curve(gold: str, answer: str, is_same: bool) -> None:
    left, right = parse(gold), parse(answer)
    assert left is not None
    assert right is not None

    assert is_same_curve(left, right) is is_same


@pytest.mark.parametrize(
    ("gold", "answer", "is_same"),
    [("a < b < c", "c > b > a", True), ("a < b < c", "a < c < b", None),
     ("a = b = c", "c = a = b", True), ("a < b", "a > b", None)],
)  # fmt: skip
def test_a_chain_may_be_read_from_either_end(gold: str, answer: str, is_same: bool | None) -> None:
    left, right = parse(gold), parse(answer)
    assert isinstance(left, Relation)
    assert isinstance(right, Relation)

    assert is_same_chain(left, right) is is_same


@pytest.mark.parametrize(
    ("answer", "is_same"),
    [(r"x \equiv 19 \pmod{12}", True), (r"x \equiv -5 \pmod{12}", True),
     (r"x \equiv 7 \pmod{6}", False), (r"y \equiv 7 \pmod{12}", False)],
)  # fmt: skip
def test_residues_are_equal_modulo_the_same_number(answer: str, is_same: bool) -> None:
    gold, given = parse(r"x \equiv 7 \pmod{12}"), parse(answer)
    assert isinstance(gold, Congruence)
    assert isinstance(given, Congruence)

    assert is_same_congruence(gold, given) is is_same
