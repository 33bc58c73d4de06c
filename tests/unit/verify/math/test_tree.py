"""A tree is changed from its leaves to its root, and its levels are counted."""

from __future__ import annotations

from fractions import Fraction

import pytest

from reasonrl.verify.math.parse import parse
from reasonrl.verify.math.tree import (
    UNEVALUATED,
    UNEVALUATED_COMMANDS,
    Expression,
    Number,
    Operation,
    Symbol,
    is_deeper,
    rewritten,
)

ONE, X = Number(Fraction(1)), Symbol("x")


def test_operands_are_changed_before_their_operation() -> None:
    seen: list[Expression] = []

    def note(expression: Expression) -> Expression:
        seen.append(expression)
        return ONE if expression == X else expression

    result = rewritten(Operation("add", (X, Operation("neg", (X,)))), note)

    assert result == Operation("add", (ONE, Operation("neg", (ONE,))))
    assert seen == [X, X, Operation("neg", (ONE,)), result]


def test_no_change_gives_an_equal_tree() -> None:
    tree = Operation("mul", (X, Operation("pow", (X, ONE))))

    assert rewritten(tree, lambda expression: expression) == tree


def test_every_command_names_an_operation_that_an_answer_must_not_leave() -> None:
    assert set(UNEVALUATED_COMMANDS.values()) < UNEVALUATED
    assert UNEVALUATED - set(UNEVALUATED_COMMANDS.values()) == {"derivative"}


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("x", 1), ("-x", 2), ("-(x + 1)", 3), ("1011_2", 1), ("-x, 2", 3), (r"-x \text{ or } 2", 3),
        ("y = -x", 3), ("-2:3", 3), (r"(0, -x) \cup (1, 2)", 4), (r"-x \text{ cm}", 3),
        (r"x \equiv -a \pmod{3}", 3), (r"3 \equiv -a \pmod{3}", 3),
        (r"\begin{pmatrix} 1 \\ -x \end{pmatrix}", 3),
        (r"\begin{cases} 1 & x > 0 \\ 2 & x < -a \end{cases}", 4),
    ],
)  # fmt: skip
def test_every_kind_of_answer_counts_its_levels(text: str, levels: int) -> None:
    tree = parse(text)

    assert tree is not None
    assert not is_deeper(tree, levels)
    assert is_deeper(tree, levels - 1)
