"""Bring an answer into the form in which it is compared: roundings, plus-minus, dots, wrappings.

`stated` changes one answer by its own structure and compares nothing. Called by `same` and
`compare`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import TypeAlias

from reasonrl.verify.math.equal import symbols
from reasonrl.verify.math.naming import is_name
from reasonrl.verify.math.tree import (
    DOTS,
    UNEVALUATED,
    Answer,
    Choice,
    Expression,
    Items,
    Number,
    Operation,
    Quantity,
    Relation,
    Symbol,
    rewritten,
)

Single: TypeAlias = Expression | Quantity

NUMBER_SETS = frozenset({"\\Z", "\\N", "\\Q", "\\C", "\\Zpos"})
"""The names of the sets of numbers that are no intervals."""

_PLUS_MINUS = frozenset({"pm", "mp"})
_OF_SYMBOLS = frozenset({"gcd", "lcm"})
_LONGEST_LIST = 1_000


def stated(answer: Answer) -> Answer:
    """Drop roundings and wrappings: `~ 1.41` in `x = sqrt(2) ~ 1.41`, the brackets of one item."""
    if isinstance(answer, Relation):
        return _stated_relation(answer)
    if isinstance(answer, Items) and answer.bracket in ("bare", "set") and len(answer.items) == 1:
        is_set_of_empty = answer.bracket == "set" and answer.items[0] == Operation("empty")
        return answer if is_set_of_empty else stated(answer.items[0])
    if isinstance(answer, Single) and (both := _signs_apart(answer)) is not None:
        return both
    if isinstance(answer, Items) and answer.bracket == "()":
        return _tuples_apart(answer)
    if isinstance(answer, Items) and answer.bracket in ("bare", "set"):
        return Items(answer.bracket, tuple(_without_dots(list(_spread(answer.items)))))
    if isinstance(answer, Choice) and answer.word == "or":
        return Choice("or", tuple(_spread(answer.items)))
    return answer


def _stated_relation(answer: Relation) -> Answer:
    if "~" in answer.signs:
        index = answer.signs.index("~")
        exact_sides = answer.sides[: index + 1]
        if all(is_name(side) for side in exact_sides):
            return Relation(answer.sides, tuple("=" for _ in answer.signs))
        kept = Relation(exact_sides, answer.signs[:index])
        return kept if kept.signs else exact_sides[0]
    match answer:
        case Relation(sides=(Symbol(), Symbol(name=name)), signs=("in",)) if name in NUMBER_SETS:
            return answer.sides[1]
        case Relation(sides=(Symbol(), Items(bracket="set") as values), signs=("in",)):
            return stated(values)
    return _relations_apart(answer) or answer


def _spread(items: Sequence[Answer]) -> Iterator[Answer]:
    """Yield the items; a plus-minus yields both of its values."""
    for item in items:
        both: Answer | None = _signs_apart(item) if isinstance(item, Single) else None
        if isinstance(item, Relation):
            both = _relations_apart(item)
        if isinstance(item, Items) and item.bracket == "()":
            tuples = _tuples_apart(item)
            both = tuples if tuples.bracket == "bare" else None
        yield from (item,) if not isinstance(both, Items | Choice) else both.items


def _signs_apart(answer: Single) -> Items | None:
    """Return the two values of a plus-minus, or None if the answer has none."""
    value = answer.value if isinstance(answer, Quantity) else answer
    if not has(value, _PLUS_MINUS):
        return None
    pair = [rewritten(value, partial(_one_sign, is_upper=is_upper)) for is_upper in (True, False)]
    if isinstance(answer, Quantity):
        return Items("bare", tuple(Quantity(signed, answer.unit) for signed in pair))
    return Items("bare", tuple(pair))


def _tuples_apart(answer: Items) -> Items:
    """Return both tuples of `(±2, 3)`; several plus-minus in one tuple are left as they are."""
    both = [_signs_apart(item) if isinstance(item, Single) else None for item in answer.items]
    found = [(at, pair) for at, pair in enumerate(both) if pair is not None]
    if len(found) != 1:
        return answer
    ((at, pair),) = found
    tuples = (
        Items("()", (*answer.items[:at], value, *answer.items[at + 1 :])) for value in pair.items
    )
    return Items("bare", tuple(tuples))


def _relations_apart(answer: Relation) -> Items | Choice | None:
    """Return both statements of `x = ±1`, which may hold, and of `x != ±1`, which must."""
    if set(answer.signs) not in ({"="}, {"!="}):
        return None
    sides = [side for side in answer.sides if isinstance(side, Expression)]
    if len(sides) < len(answer.sides) or not any(has(side, _PLUS_MINUS) for side in sides):
        return None
    pair = tuple(
        Relation(
            tuple(rewritten(side, partial(_one_sign, is_upper=is_upper)) for side in sides),
            answer.signs,
        )
        for is_upper in (True, False)
    )
    return Items("bare", pair) if answer.signs[0] == "=" else Choice("and", pair)


def _one_sign(expression: Expression, *, is_upper: bool) -> Expression:
    if not isinstance(expression, Operation) or expression.name not in _PLUS_MINUS:
        return expression
    first, second = expression.operands
    is_plus = is_upper == (expression.name == "pm")
    return Operation("add", (first, second if is_plus else Operation("neg", (second,))))


def _without_dots(items: list[Answer]) -> list[Answer]:
    """Write out `1, 2, ..., 5`: whole numbers at equal distances before dots and a last number."""
    match items:
        case [*start, Operation(name="dots"), Number(value=last)] if len(start) >= 2:
            values = [item.value for item in start if isinstance(item, Number)]
            step = values[1] - values[0] if len(values) == len(start) else Fraction(0)
            if step == 0 or any(b - a != step for a, b in pairwise(values)):
                return items
            number = (last - values[0]) / step
            if number.denominator == 1 and len(start) <= number <= _LONGEST_LIST:
                return [Number(values[0] + step * n) for n in range(int(number) + 1)]
    return _shortest_start(items)


def _shortest_start(items: list[Answer]) -> list[Answer]:
    """Keep two of the whole numbers at equal distances before dots: more say nothing new."""
    at = next((n for n, item in enumerate(items) if item == DOTS), 0)
    values = [item.value for item in items[:at] if isinstance(item, Number)]
    if at < 2 or len(values) < at or len({b - a for a, b in pairwise(values)}) > 1:
        return items
    return [*items[:2], *items[at:]]


def has(expression: Expression, names: frozenset[str]) -> bool:
    """Return whether an expression contains an operation with one of these names."""
    return isinstance(expression, Operation) and (
        expression.name in names or any(has(operand, names) for operand in expression.operands)
    )


def is_undone(expression: Expression) -> bool:
    """Return whether an operation was left to be done; `gcd(m, n)` of symbols can be no number."""
    if not isinstance(expression, Operation):
        return False
    if expression.name == "product up to" and not symbols(expression):
        return True
    if expression.name in UNEVALUATED and not (
        expression.name in _OF_SYMBOLS and expression.operands and symbols(expression)
    ):
        return True
    return any(map(is_undone, expression.operands))
