"""Sets of real numbers: intervals, inequalities and their unions in one normal form.

`read_set` turns an answer into sorted intervals, `is_same_set` compares two such sets. An answer
that is not a set of reals with constant endpoints raises NoValueError. Called by `same`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from math import inf

from reasonrl.verify.math.equal import is_same_value, symbols
from reasonrl.verify.math.faults import NoValueError
from reasonrl.verify.math.intervals import (
    LEFT_END,
    REALS,
    RIGHT_END,
    Endpoint,
    Interval,
    RealSet,
    complement,
    intersection,
    union,
)
from reasonrl.verify.math.tree import (
    Answer,
    Choice,
    Expression,
    Items,
    Number,
    Operation,
    Relation,
    SetOperation,
    Symbol,
    rewritten,
)
from reasonrl.verify.math.value import numeric

_DIGITS = 30
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
_LINE_POINTS = (Fraction(-5, 2), Fraction(7, 3))
"""A function is linear if its line through 0 and 1 passes through these points too."""


def is_set(answer: Answer) -> bool:
    """Return whether an answer cannot be anything but a set of reals."""
    match answer:
        case SetOperation():
            return True
        case Relation(signs=signs):
            return any(sign != "=" and sign != "~" and sign != "==" for sign in signs)
        case Items(bracket="(]" | "[)"):
            return True
        case Items(bracket="()" | "[]", items=items):
            return len(items) == 2 and any(_is_infinite(item) for item in items)
        case Choice(items=items) | Items(items=items):
            return any(is_set(item) for item in items)
        case Operation(name="reals" | "empty"):
            return True
    return False


def is_same_set(gold: RealSet, answer: RealSet) -> bool:
    """Compare all endpoints. Variables must be equal, but each side may leave its variable out."""
    if gold.variable and answer.variable and gold.variable != answer.variable:
        return False
    return len(gold.intervals) == len(answer.intervals) and all(
        _is_same_endpoint(x.low, y.low) and _is_same_endpoint(x.high, y.high)
        for x, y in zip(gold.intervals, answer.intervals, strict=True)
    )


def _is_same_endpoint(gold: Endpoint, answer: Endpoint) -> bool:
    if gold.is_closed != answer.is_closed:
        return False
    if inf in (abs(gold.position), abs(answer.position)):
        return gold.position == answer.position
    return is_same_value(gold.expression, answer.expression)


def read_set(answer: Answer) -> RealSet:
    """Return the normal form of a set of reals. Raises NoValueError for any other answer."""
    match answer:
        case Operation(name="reals"):
            return RealSet(REALS)
        case Operation(name="empty"):
            return RealSet(())
        case SetOperation(name=name, left=left, right=right):
            return _combine(name, read_set(left), read_set(right))
        case Items(bracket="set" | "bare", items=items) if not any(map(is_set, items)):
            return RealSet(union([(_point(item),) for item in items]))
        case Items(bracket="()" | "[]" | "(]" | "[)" as bracket, items=(low, high)):
            return _interval(low, high, bracket)
        case Relation(sides=sides, signs=signs):
            return _solved(sides, signs)
        case Choice(word=word, items=items):
            return _joined(word, [read_set(item) for item in items])
        case Items(bracket="bare", items=items):
            return _joined("and", [read_set(item) for item in items])
    raise NoValueError


def _interval(low: Answer, high: Answer, bracket: str) -> RealSet:
    left = _endpoint(low, is_closed=bracket[0] == "[")
    right = _endpoint(high, is_closed=bracket[1] == "]")
    if left.position > right.position:
        raise NoValueError
    return RealSet((Interval(left, right),))


def _endpoint(answer: Answer, *, is_closed: bool) -> Endpoint:
    if _is_infinite(answer):
        is_negative = isinstance(answer, Operation) and answer.name == "neg"
        return LEFT_END if is_negative else RIGHT_END
    if not isinstance(answer, Expression):
        raise NoValueError
    value = numeric(answer, {}, _DIGITS)
    if value.imag != 0:
        raise NoValueError
    return Endpoint(float(value.real), answer, is_closed)


def _point(answer: Answer) -> Interval:
    endpoint = _endpoint(answer, is_closed=True)
    return Interval(endpoint, endpoint)


def _is_infinite(answer: Answer) -> bool:
    if isinstance(answer, Operation) and answer.name in ("neg", "add") and answer.operands:
        return _is_infinite(answer.operands[-1])
    return answer == Operation("infinity")


# relations


def _solved(sides: Sequence[Answer], signs: Sequence[str]) -> RealSet:
    """Solve each link of a chain for its only variable, and intersect the solutions."""
    links = [
        _link(left, sign, right) for (left, right), sign in zip(pairwise(sides), signs, strict=True)
    ]
    return reduce(lambda a, b: _combine("cap", a, b), links)


def _link(left: Answer, sign: str, right: Answer) -> RealSet:
    if sign == "in":
        if not isinstance(left, Symbol):
            raise NoValueError
        return RealSet(read_set(right).intervals, left.name)
    if sign not in _FLIPPED or not isinstance(left, Expression):
        raise NoValueError
    if not isinstance(right, Expression):
        raise NoValueError
    if symbols(right) and not symbols(left):
        left, right, sign = right, left, _FLIPPED[sign]
    if isinstance(left, Operation) and left.name == "abs" and not symbols(right):
        return _between(left.operands[0], sign, right)
    if not isinstance(left, Symbol) or symbols(right):
        left, sign, right = _isolated(left, sign, right)
    return RealSet(_side(sign, right), left.name)


def _between(inner: Expression, sign: str, radius: Expression) -> RealSet:
    """Solve `|x - 1| < 2`: for `<` both bounds must hold, for `>` either of them."""
    upper = _link(inner, sign, radius)
    lower = _link(inner, _FLIPPED[sign], Operation("neg", (radius,)))
    return _combine("cap" if sign in ("<", "<=", "!=") else "cup", upper, lower)


def _isolated(left: Expression, sign: str, right: Expression) -> tuple[Symbol, str, Expression]:
    """Solve a linear relation of one variable: `2x + 1 < 7` becomes `x < 3`."""
    difference = Operation("add", (left, Operation("neg", (right,))))
    names = symbols(difference)
    if len(names) != 1:
        raise NoValueError
    (name,) = names

    def at(x: Fraction) -> Expression:
        return rewritten(difference, lambda e: Number(x) if e == Symbol(name) else e)

    start, after = at(Fraction(0)), at(Fraction(1))
    slope = Operation("add", (after, Operation("neg", (start,))))
    for x in _LINE_POINTS:
        line = Operation("add", (start, Operation("mul", (Number(x), slope))))
        if not is_same_value(at(x), line):
            raise NoValueError
    steepness = numeric(slope, {}, _DIGITS).real
    if abs(steepness) < 10 ** (-_DIGITS // 2):
        raise NoValueError
    endpoint = Operation("neg", (Operation("div", (start, slope)),))
    return Symbol(name), sign if steepness > 0 else _FLIPPED[sign], endpoint


def _side(sign: str, endpoint: Expression) -> tuple[Interval, ...]:
    """Return the reals x with `x sign endpoint`."""
    open_, closed = _endpoint(endpoint, is_closed=False), _endpoint(endpoint, is_closed=True)
    match sign:
        case "<" | "<=":
            return (Interval(LEFT_END, closed if sign == "<=" else open_),)
        case ">" | ">=":
            return (Interval(closed if sign == ">=" else open_, RIGHT_END),)
        case "!=":
            return (Interval(LEFT_END, open_), Interval(open_, RIGHT_END))
    return (Interval(closed, closed),)


# set algebra on sorted intervals


def _joined(word: str, sets: Sequence[RealSet]) -> RealSet:
    """Join statements. `and` between disjoint sets, as in `x < 1 and x > 3`, means their union."""
    if word == "and":
        common = reduce(lambda a, b: _combine("cap", a, b), sets)
        if common.intervals:
            return common
    return reduce(lambda a, b: _combine("cup", a, b), sets)


def _combine(name: str, left: RealSet, right: RealSet) -> RealSet:
    if left.variable and right.variable and left.variable != right.variable:
        raise NoValueError
    variable = left.variable or right.variable
    if name == "cup":
        return RealSet(union([left.intervals, right.intervals]), variable)
    other = right.intervals if name == "cap" else complement(right.intervals)
    return RealSet(intersection(left.intervals, other), variable)
