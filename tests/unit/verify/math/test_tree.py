"""A tree is changed from its leaves to its root."""

from __future__ import annotations

from fractions import Fraction

from reasonrl.verify.math.tree import (
    UNEVALUATED,
    UNEVALUATED_COMMANDS,
    Expression,
    Number,
    Operation,
    Symbol,
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
