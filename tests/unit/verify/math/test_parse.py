"""Each kind of answer is read as that kind."""

from __future__ import annotations

from fractions import Fraction

import pytest

from reasonrl.verify.math.parse import parse
from reasonrl.verify.math.tree import (
    Answer,
    Choice,
    Items,
    Matrix,
    Number,
    Numeral,
    Operation,
    Quantity,
    Ratio,
    Relation,
    SetOperation,
    Symbol,
)

ONE, TWO, THREE = (Number(Fraction(n)) for n in (1, 2, 3))
X = Symbol("x")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("1, 2", Items("bare", (ONE, TWO))),
        (r"\{1, 2\}", Items("set", (ONE, TWO))),
        (r"\{\}", Operation("empty")),
        ("(1, 2)", Items("()", (ONE, TWO))),
        ("(1, 2]", Items("(]", (ONE, TWO))),
        (r"\langle 1, 2 \rangle", Items("<>", (ONE, TWO))),
        (r"1 \text{ or } 2", Choice("or", (ONE, TWO))),
        ("1, 2, or 3", Choice("or", (ONE, TWO, THREE))),
        (r"1 \le x < 2", Relation((ONE, X, TWO), ("<=", "<"))),
        (r"\{x | x < 1\}", Relation((X, ONE), ("<",))),
        (r"(x < 1)", Relation((X, ONE), ("<",))),
        (r"(1,2) \cup \{3\}",
         SetOperation("cup", Items("()", (ONE, TWO)), Items("set", (THREE,)))),
        (r"2 \text{ cm}", Quantity(TWO, "cm")),
        (r"\$2", Quantity(TWO, "$")),
        ("2%", Quantity(TWO, "%")),
        ("3 ft 2 in", Items("()", (Quantity(THREE, "ft"), Quantity(TWO, "in")))),
        ("2:3", Ratio((TWO, THREE))),
        ("1:2:3", Ratio((ONE, TWO, THREE))),
        ("1011_2", Numeral("1011", 2)),
        ("-0012_3", Numeral("-12", 3)),
        ("(2a)_{16}", Numeral("2A", 16)),
        (r"101_{\text{two}}", Numeral("101", 2)),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 1 \end{pmatrix}", Matrix(((ONE, TWO), (THREE, ONE)))),
        (r"\begin{cases} x = 1 \\ x = 2 \end{cases}",
         Choice("and", (Relation((X, ONE), ("=",)), Relation((X, TWO), ("=",))))),
    ],
)  # fmt: skip
def test_an_answer_is_read_as_its_kind(text: str, tree: Answer) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    "text",
    [
        r"1 \text{ or } 2 \text{ and } 3", "1012_2", "()", "(1, 2}", "x = ", "1 <",
        r"\begin{pmatrix} 1 & 2 \\ 3 \end{pmatrix}", r"\begin{tabular} 1 \end{tabular}",
    ],
)  # fmt: skip
def test_a_text_of_no_known_kind_is_none(text: str) -> None:
    assert parse(text) is None
