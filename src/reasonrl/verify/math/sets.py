"""Sets of real numbers: intervals, inequalities and their unions in one normal form.

`read_set` turns an answer into sorted pieces, `is_same_set` compares them. Anything that is not a
set of reals with constant borders raises NoValueError. Called by `compare`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from math import inf

from reasonrl.verify.math.equal import is_same_value, symbols
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
from reasonrl.verify.math.value import NoValueError, numeric

_DIGITS = 30
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
_LINE_POINTS = (Fraction(-5, 2), Fraction(7, 3))  # a line through 0 and 1 must pass here too


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Hold an end of a piece: its place among the reals, and the exact expression if finite."""

    place: float
    expression: Expression
    is_closed: bool


@dataclass(frozen=True, slots=True)
class Interval:
    """Hold one interval; a point has two equal closed borders."""

    low: Endpoint
    high: Endpoint


@dataclass(frozen=True, slots=True)
class RealSet:
    """Hold disjoint pieces from left to right, and the variable that the set was said of."""

    pieces: tuple[Interval, ...]
    variable: str = ""


_LEFT_END = Endpoint(-inf, Operation("infinity"), is_closed=False)
_RIGHT_END = Endpoint(inf, Operation("infinity"), is_closed=False)
_REALS = (Interval(_LEFT_END, _RIGHT_END),)


def is_set(answer: Answer) -> bool:
    """Say whether an answer cannot be anything but a set of reals."""
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
    """Compare border by border. A variable that one side leaves out agrees with any."""
    if gold.variable and answer.variable and gold.variable != answer.variable:
        return False
    return len(gold.pieces) == len(answer.pieces) and all(
        _is_same_border(x.low, y.low) and _is_same_border(x.high, y.high)
        for x, y in zip(gold.pieces, answer.pieces, strict=True)
    )


def _is_same_border(gold: Endpoint, answer: Endpoint) -> bool:
    if gold.is_closed != answer.is_closed:
        return False
    if inf in (abs(gold.place), abs(answer.place)):
        return gold.place == answer.place
    return is_same_value(gold.expression, answer.expression)


def read_set(answer: Answer) -> RealSet:
    """Return the normal form of a set of reals. Raises NoValueError if it is none."""
    match answer:
        case Operation(name="reals"):
            return RealSet(_REALS)
        case Operation(name="empty"):
            return RealSet(())
        case SetOperation(name=name, left=left, right=right):
            return _combine(name, read_set(left), read_set(right))
        case Items(bracket="set" | "bare", items=items) if not any(map(is_set, items)):
            return RealSet(_union([(_point(item),) for item in items]))
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
    left = _border(low, is_closed=bracket[0] == "[")
    right = _border(high, is_closed=bracket[1] == "]")
    if left.place > right.place:
        raise NoValueError
    return RealSet((Interval(left, right),))


def _border(answer: Answer, *, is_closed: bool) -> Endpoint:
    if _is_infinite(answer):
        is_negative = isinstance(answer, Operation) and answer.name == "neg"
        return _LEFT_END if is_negative else _RIGHT_END
    if not isinstance(answer, Expression):
        raise NoValueError
    value = numeric(answer, {}, _DIGITS)
    if value.imag != 0:
        raise NoValueError
    return Endpoint(float(value.real), answer, is_closed)


def _point(answer: Answer) -> Interval:
    border = _border(answer, is_closed=True)
    return Interval(border, border)


def _is_infinite(answer: Answer) -> bool:
    if isinstance(answer, Operation) and answer.name in ("neg", "add") and answer.operands:
        return _is_infinite(answer.operands[-1])
    return answer == Operation("infinity")


# relations


def _solved(sides: Sequence[Answer], signs: Sequence[str]) -> RealSet:
    """Solve each link of a chain for its one variable and intersect."""
    links = [
        _link(left, sign, right) for (left, right), sign in zip(pairwise(sides), signs, strict=True)
    ]
    return reduce(lambda a, b: _combine("cap", a, b), links)


def _link(left: Answer, sign: str, right: Answer) -> RealSet:
    if sign == "in":
        if not isinstance(left, Symbol):
            raise NoValueError
        return RealSet(read_set(right).pieces, left.name)
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
    """Solve `|x - 1| < 2`: below the radius both bounds hold, above it either does."""
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
    border = Operation("neg", (Operation("div", (start, slope)),))
    return Symbol(name), sign if steepness > 0 else _FLIPPED[sign], border


def _side(sign: str, border: Expression) -> tuple[Interval, ...]:
    """Return the reals x with `x sign border`."""
    open_, closed = _border(border, is_closed=False), _border(border, is_closed=True)
    match sign:
        case "<" | "<=":
            return (Interval(_LEFT_END, closed if sign == "<=" else open_),)
        case ">" | ">=":
            return (Interval(closed if sign == ">=" else open_, _RIGHT_END),)
        case "!=":
            return (Interval(_LEFT_END, open_), Interval(open_, _RIGHT_END))
    return (Interval(closed, closed),)


# set algebra on sorted pieces


def _joined(word: str, found: Sequence[RealSet]) -> RealSet:
    """Join statements. `and` between disjoint sets, `x < 1 and x > 3`, means either of them."""
    if word == "and":
        common = reduce(lambda a, b: _combine("cap", a, b), found)
        if common.pieces:
            return common
    return reduce(lambda a, b: _combine("cup", a, b), found)


def _combine(name: str, left: RealSet, right: RealSet) -> RealSet:
    if left.variable and right.variable and left.variable != right.variable:
        raise NoValueError
    variable = left.variable or right.variable
    if name == "cup":
        return RealSet(_union([left.pieces, right.pieces]), variable)
    other = right.pieces if name == "cap" else _complement(right.pieces)
    return RealSet(_intersection(left.pieces, other), variable)


def _union(groups: Sequence[tuple[Interval, ...]]) -> tuple[Interval, ...]:
    pieces = sorted(
        (piece for group in groups for piece in group),
        key=lambda piece: (piece.low.place, not piece.low.is_closed),
    )
    merged: list[Interval] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if last is not None and _touch(last.high, piece.low):
            merged[-1] = Interval(last.low, max(last.high, piece.high, key=_high_key))
        else:
            merged.append(piece)
    return tuple(merged)


def _touch(high: Endpoint, low: Endpoint) -> bool:
    return high.place > low.place or (high.place == low.place and (high.is_closed or low.is_closed))


def _high_key(border: Endpoint) -> tuple[float, bool]:
    return border.place, border.is_closed


def _intersection(left: tuple[Interval, ...], right: tuple[Interval, ...]) -> tuple[Interval, ...]:
    found = []
    for a in left:
        for b in right:
            low = max(a.low, b.low, key=lambda border: (border.place, not border.is_closed))
            high = min(a.high, b.high, key=_high_key)
            is_point = low.place == high.place and low.is_closed and high.is_closed
            if low.place < high.place or is_point:
                found.append(Interval(low, high))
    return _union([tuple(found)])


def _complement(pieces: tuple[Interval, ...]) -> tuple[Interval, ...]:
    found, start = [], _LEFT_END
    for piece in pieces:
        if start.place < piece.low.place or (start.is_closed and not piece.low.is_closed):
            found.append(Interval(start, _turned(piece.low)))
        start = _turned(piece.high)
    if start.place < inf:
        found.append(Interval(start, _RIGHT_END))
    return tuple(found)


def _turned(border: Endpoint) -> Endpoint:
    return Endpoint(border.place, border.expression, not border.is_closed)
