"""Two answers are the same, kind by kind; the gold decides how exact the answer must be."""

from __future__ import annotations

import pytest

from reasonrl.verify.math.parse import parse
from reasonrl.verify.math.same import is_same, stated


def is_accepted(gold: str, answer: str) -> bool:
    left, right = parse(gold), parse(answer)
    assert left is not None
    assert right is not None
    return is_same(left, right)


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("1, 2, 3", "3, 1, 2"), (r"\{1, 2\}", "2, 1, 2"), (r"\pm 5", "-5, 5"), ("(1, 2)", "1, 2"),
        ("x = 5", "5"), ("5", "x = 2 + 3 = 5"), (r"\sqrt{2}", r"x = \sqrt{2} \approx 1.41"),
        ("y = 2x + 1", "2x - y + 1 = 0"), ("2:3", "4:6"), ("2:3", r"\frac{2}{3}"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "(1, 2)"), (r"\log 100", "2"),
        (r"5 \text{ m}", "5"),
        (r"5 \text{ m}", "5m"), ("12_{10}", "12"), (r"-\infty", r"-\infty"), (r"\{5\}", "5"),
    ],
)  # fmt: skip
def test_an_answer_of_the_same_meaning_is_accepted(gold: str, answer: str) -> None:
    assert is_accepted(gold, answer)


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("(1, 2)", "(2, 1)"), ("1, 2, 2", "1, 2"), (r"\{1, 2\}", "(1, 2)"), ("5", "3x = 15"),
        ("y = 2x + 1", "y = 2x"), ("2:3", "3:2"), (r"5 \text{ m}", r"5 \text{ cm}"),
        ("1011_2", "11_{10}"),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}",
        r"\begin{pmatrix} 1 & 3 \\ 2 & 4 \end{pmatrix}"),
        ("(1, 2)", "[1, 2]"), (r"\infty", r"-\infty"), ("x = 5", "y = 5 = 6"),
        ("8:30 am", "8:30 pm"),
    ],
)  # fmt: skip
def test_an_answer_of_another_meaning_is_not(gold: str, answer: str) -> None:
    assert not is_accepted(gold, answer)


def test_the_statement_of_an_answer_has_no_rounding_and_no_wrapping() -> None:
    rounded, wrapped, item = parse(r"\sqrt{2} \approx 1.41"), parse(r"\{7\}"), parse("7")

    assert rounded is not None
    assert wrapped is not None
    assert stated(rounded) == parse(r"\sqrt{2}")
    assert stated(wrapped) == item
