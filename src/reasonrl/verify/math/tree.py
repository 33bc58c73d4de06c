"""What an answer is once it has been read: expressions, and the kinds of answer built from them.

Plain records and `rewritten`. Built by `parse`, evaluated by `value`, compared by `compare`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Number:
    """Hold an exact value. `decimals` counts the digits after the point as written (less the power
    of ten), None for an exact numeral: half a unit in the last place is `10**-decimals / 2`."""

    value: Fraction
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Symbol:
    """Hold a name: a letter, a Greek command, or either with an index or primes."""

    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """Hold an operation by name and its operands. `value.EXACT` and `value.NUMERIC` list those with
    a value; `UNEVALUATED` those that a final answer must not leave to be done."""

    name: str
    operands: tuple[Expression, ...] = ()


Expression: TypeAlias = Number | Symbol | Operation


def rewritten(expression: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """Return the expression with every node changed, operands before what they are operands of."""
    if isinstance(expression, Operation):
        operands = tuple(rewritten(operand, change) for operand in expression.operands)
        expression = Operation(expression.name, operands)
    return change(expression)


UNEVALUATED_COMMANDS = {
    "\\int": "integral", "\\sum": "sum", "\\prod": "product", "\\lim": "limit", "\\gcd": "gcd",
    "\\det": "determinant", "\\lcm": "lcm", "\\mod": "mod",
}  # fmt: skip
"""Commands that a final answer must not leave to be done, and the names of their operations."""

UNEVALUATED = frozenset(UNEVALUATED_COMMANDS.values()) | {"derivative"}
"""The names of all operations that a final answer must not leave to be done."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """Hold a value with a unit, a percent or a degree sign; units are never converted."""

    value: Expression
    unit: str


Bracket: TypeAlias = Literal["bare", "set", "()", "[]", "(]", "[)", "<>"]


@dataclass(frozen=True, slots=True)
class Items:
    """Hold several answers and how they were enclosed: `bare` is a list without brackets."""

    bracket: Bracket
    items: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Hold statements joined by a word: all of `or`, or all of `and`."""

    word: Literal["or", "and"]
    items: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """Hold a chain such as `1 <= x < 2`: n sides and the n - 1 signs between them."""

    sides: tuple[Answer, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetOperation:
    """Hold a union, an intersection or a difference of sets."""

    name: Literal["cup", "cap", "setminus"]
    left: Answer
    right: Answer


@dataclass(frozen=True, slots=True)
class Matrix:
    """Hold rows of expressions."""

    rows: tuple[tuple[Expression, ...], ...]


@dataclass(frozen=True, slots=True)
class Numeral:
    """Hold digits written in a base, with a sign if negative and without leading zeros."""

    digits: str
    base: int


@dataclass(frozen=True, slots=True)
class Ratio:
    """Hold `a : b` or `a : b : c`; with a unit, `8:34 pm`, it is a time and has no factor."""

    parts: tuple[Expression, ...]
    unit: str = ""


Answer: TypeAlias = (
    Number
    | Symbol
    | Operation
    | Quantity
    | Items
    | Choice
    | Relation
    | SetOperation
    | Matrix
    | Numeral
    | Ratio
)
