"""The tree of an answer: expressions, and the kinds of answer that are built from them.

Plain records, and two functions that walk them. `parse` builds trees, `value` evaluates them,
`compare` judges them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Number:
    """An exact value. `decimals` counts the digits after the point as written, less the power of
    ten; None for an exact numeral. Half a unit in the last place is `10**-decimals / 2`."""

    value: Fraction
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name: a letter or a Greek command, perhaps with an index or primes."""

    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """The name of an operation and its operands. `value` evaluates the operations that it knows;
    those in `UNEVALUATED` a final answer must not leave to be done."""

    name: str
    operands: tuple[Expression, ...] = ()


Expression: TypeAlias = Number | Symbol | Operation

PARAMETERS = frozenset({"k", "m", "n", "t", "l", "j"})
"""Names that stand for any whole number in a family of solutions."""

DOTS = Operation("dots")
"""The dots of a list that goes on: `1, 2, ..., n`."""


def rewritten(expression: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """Return the expression with every node changed, operands before their operation."""
    if isinstance(expression, Operation):
        operands = tuple(rewritten(operand, change) for operand in expression.operands)
        expression = Operation(expression.name, operands)
    return change(expression)


MOST_LEVELS = 150
"""Each link of a chain such as `A \\cup B \\cup C` adds a level to a tree. A comparison of trees
needs up to three calls for each level."""


def is_deeper(answer: Answer, most: int = MOST_LEVELS) -> bool:
    """Return whether a tree has more than `most` levels. Uses no recursion."""
    level: list[Answer] = [answer]
    for _ in range(most):
        level = [part for node in level for part in _parts(node)]
        if not level:
            return False
    return True


def _parts(node: Answer) -> Iterable[Answer]:
    """Return the trees right below a node."""
    match node:
        case (
            Operation(operands=parts)
            | Items(items=parts)
            | Choice(items=parts)
            | Relation(sides=parts)
            | Ratio(parts=parts)
        ):
            return parts
        case Quantity(value=value):
            return (value,)
        case SetOperation(left=left, right=right):
            return left, right
        case Congruence(left=name, right=right, modulus=modulus):
            return (right, modulus) if name is None else (name, right, modulus)
        case Matrix(rows=rows):
            return chain.from_iterable(rows)
        case Piecewise(pieces=pieces):
            return (part for piece in pieces for part in piece if not isinstance(part, str))
    return ()


UNEVALUATED_COMMANDS = {
    "\\int": "integral", "\\sum": "sum", "\\prod": "product", "\\lim": "limit", "\\gcd": "gcd",
    "\\det": "determinant", "\\lcm": "lcm", "\\mod": "mod",
}  # fmt: skip
"""Commands that a final answer must not leave to be done, and the names of their operations."""

UNEVALUATED = frozenset(UNEVALUATED_COMMANDS.values()) | {"derivative"}
"""The names of all operations that a final answer must not leave to be done."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with a unit, a percent sign or a degree sign; units are never converted."""

    value: Expression
    unit: str


Bracket: TypeAlias = Literal["bare", "set", "()", "[]", "(]", "[)", "<>"]


@dataclass(frozen=True, slots=True)
class Items:
    """Several answers and their brackets; `bare` is a list without brackets."""

    bracket: Bracket
    items: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Statements that are all joined by the same word."""

    word: Literal["or", "and"]
    items: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """A chain such as `1 <= x < 2`: n sides and the n - 1 signs between them."""

    sides: tuple[Answer, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Congruence:
    """Two sides that agree modulo a number: `x = 7 (mod 12)`. Without a name, `left` is None."""

    left: Expression | None
    right: Expression
    modulus: Expression


Piece: TypeAlias = "tuple[Answer, Answer | str]"


@dataclass(frozen=True, slots=True)
class Piecewise:
    """Values under conditions, one in each line. A condition in words is its text."""

    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class SetOperation:
    """A union, an intersection or a difference of two sets."""

    name: Literal["cup", "cap", "setminus"]
    left: Answer
    right: Answer


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of expressions, all of the same length."""

    rows: tuple[tuple[Expression, ...], ...]


@dataclass(frozen=True, slots=True)
class Numeral:
    """Digits written in a base, with a sign if negative and without leading zeros."""

    digits: str
    base: int


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio `a : b` or `a : b : c`; with a unit, as in `8:34 pm`, it is a time."""

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
    | Congruence
    | Piecewise
    | SetOperation
    | Matrix
    | Numeral
    | Ratio
)
