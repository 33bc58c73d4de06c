"""Compare equations of curves, orders such as `a < b < c`, and congruences. Called by `same`."""

from __future__ import annotations

from fractions import Fraction

from reasonrl.verify.math.equal import is_same_value, symbols
from reasonrl.verify.math.faults import NoValueError
from reasonrl.verify.math.tree import (
    PARAMETERS,
    Answer,
    Congruence,
    Expression,
    Number,
    Operation,
    Relation,
    Symbol,
    rewritten,
)
from reasonrl.verify.math.value import exact

_WHOLE = (Fraction(0), Fraction(1), Fraction(2))
_GREATER = {">": "<", ">=": "<="}


def is_same_curve(gold: Answer, answer: Answer) -> bool:
    """Compare equations of two or more variables.

    Two equations are equal if one is a multiple of the other, or if one gives a variable, `y =
    1/x`, and the other is linear in it and holds for that value, `xy = 1`.
    """
    left, right = _difference(gold), _difference(answer)
    if left is None or right is None or len(symbols(left)) < 2:
        return False
    if symbols(left) != symbols(right):
        return False
    quotient = Operation("div", (left, right))
    # A constant keeps its value when its symbols are renamed, and so get other values.
    if is_same_value(quotient, rewritten(quotient, _renamed)):
        return True
    return _gives_variable(gold, right) or _gives_variable(answer, left)


def _renamed(expression: Expression) -> Expression:
    return Symbol(expression.name + "*") if isinstance(expression, Symbol) else expression


def _gives_variable(solved: Answer, difference: Expression) -> bool:
    """Return whether `y = f(x)` is the only solution for y of `difference = 0`."""
    match solved:
        case Relation(sides=(Symbol() as name, value)) if isinstance(value, Expression):
            pass
        case _:
            return False
    if name.name in symbols(value):
        return False

    def at(given: Expression) -> Expression:
        return rewritten(difference, lambda e: given if e == name else e)

    zero, one, two = (at(Number(n)) for n in _WHOLE)
    rise, next_rise = _minus(one, zero), _minus(two, one)
    try:
        is_linear = is_same_value(rise, next_rise) and not is_same_value(rise, Number(_WHOLE[0]))
        return is_linear and is_same_value(_minus(at(value), zero), _minus(Number(_WHOLE[0]), zero))
    except NoValueError:
        return False


def _minus(a: Expression, b: Expression) -> Expression:
    return Operation("add", (a, Operation("neg", (b,))))


def _difference(answer: Answer) -> Expression | None:
    match answer:
        case Relation(sides=(left, right), signs=("=",)):
            if isinstance(left, Expression) and isinstance(right, Number | Symbol | Operation):
                return _minus(left, right)
    return None


def is_same_chain(gold: Relation, answer: Relation) -> bool | None:
    """Compare `a < b < c` with `c > b > a`, and `a = b = c` in any order; None for other chains."""
    if len(gold.sides) != len(answer.sides) or not _all_expressions(gold, answer):
        return None
    if set(gold.signs) == set(answer.signs) == {"="}:
        if not any(map(symbols, gold.sides)) and gold.sides[0] != answer.sides[0]:  # type: ignore[arg-type]
            return None
        left = list(answer.sides)
        for side in gold.sides:
            index = next((n for n, x in enumerate(left) if is_same_value(side, x)), None)  # type: ignore[arg-type]
            if index is None:
                return None
            del left[index]
        return True
    first, second = _rising(gold), _rising(answer)
    if first.signs != second.signs:
        return None
    sides = zip(first.sides, second.sides, strict=True)
    return all(is_same_value(x, y) for x, y in sides) or None  # type: ignore[arg-type]


def _all_expressions(*relations: Relation) -> bool:
    return all(isinstance(side, Expression) for relation in relations for side in relation.sides)


def _rising(relation: Relation) -> Relation:
    """Turn a chain of `>` into a chain of `<`."""
    if not set(relation.signs) <= set(_GREATER):
        return relation
    signs = tuple(_GREATER[sign] for sign in reversed(relation.signs))
    return Relation(relation.sides[::-1], signs)


def as_congruence(answer: Answer) -> Congruence | None:
    """Return `x = 12k + 7` as a congruence: a line in one whole parameter; else None."""
    match answer:
        case Relation(sides=(Symbol() as name, value), signs=("=",)) if isinstance(
            value, Operation
        ):
            parameters = symbols(value)
        case _:
            return None
    if len(parameters) != 1 or not parameters <= PARAMETERS - {name.name}:
        return None
    points = [
        exact(rewritten(value, lambda e, n=n: Number(n) if isinstance(e, Symbol) else e))  # type: ignore[misc]
        for n in _WHOLE
    ]
    if None in points:
        return None
    zero, one, two = (point for point in points if point is not None)
    is_line = two - one == one - zero and (one - zero).denominator == zero.denominator == 1
    return (
        Congruence(name, Number(zero), Number(abs(one - zero))) if is_line and one != zero else None
    )


def is_same_congruence(gold: Congruence, answer: Congruence) -> bool:
    """Compare names, moduli and residues: 19 and 7 are the same residue modulo 12."""
    if gold.left is not None and answer.left is not None and gold.left != answer.left:
        return False
    if not is_same_value(gold.modulus, answer.modulus):
        return False
    if is_same_value(gold.right, answer.right):
        return True
    quotient = Operation("div", (_minus(gold.right, answer.right), gold.modulus))
    value = None if symbols(quotient) else exact(quotient)
    return value is not None and value.denominator == 1
