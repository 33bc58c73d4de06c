"""Compare two answers, kind by kind: values, statements, lists, matrices, ratios.

Raises NoValueError where neither exact nor numeric values decide. Called by `compare`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import TypeAlias

from reasonrl.verify.math.equal import is_same_value, symbols
from reasonrl.verify.math.sets import is_same_set, is_set, read_set
from reasonrl.verify.math.tree import (
    Answer,
    Bracket,
    Choice,
    Expression,
    Items,
    Matrix,
    Number,
    Numeral,
    Operation,
    Quantity,
    Ratio,
    Relation,
    Symbol,
    rewritten,
)

_ORDERED: frozenset[Bracket] = frozenset({"()", "[]", "<>"})
_INTERVAL_SIZE = 2
_ONE, _TEN = Fraction(1), Fraction(10)
_NAME_OPERATIONS = frozenset({"add", "mul", "div", "abs", "pow", "sin", "cos", "tan", "log", "ln"})

Single: TypeAlias = Expression | Quantity


# the statement of an answer


def stated(answer: Answer) -> Answer:
    """Drop roundings and wrappings: `~ 1.41` in `x = sqrt(2) ~ 1.41`, the brackets of one item."""
    if isinstance(answer, Relation) and "~" in answer.signs:
        index = answer.signs.index("~")
        exact_sides = answer.sides[: index + 1]
        if all(_is_name(side) for side in exact_sides):
            return Relation(answer.sides, tuple("=" for _ in answer.signs))
        kept = Relation(exact_sides, answer.signs[:index])
        return kept if kept.signs else exact_sides[0]
    if isinstance(answer, Items) and answer.bracket in ("bare", "set") and len(answer.items) == 1:
        is_set_of_empty = answer.bracket == "set" and answer.items[0] == Operation("empty")
        return answer if is_set_of_empty else stated(answer.items[0])
    if isinstance(answer, Single) and (both := _signs_apart(answer)) is not None:
        return both
    if isinstance(answer, Items) and answer.bracket in ("bare", "set"):
        return Items(answer.bracket, tuple(_spread(answer.items)))
    return answer


def _spread(items: Sequence[Answer]) -> Iterator[Answer]:
    """Yield the items; a plus-minus yields both of its values."""
    for item in items:
        both = _signs_apart(item) if isinstance(item, Single) else None
        yield from (item,) if both is None else both.items


def _signs_apart(answer: Single) -> Items | None:
    """Return the two values of a plus-minus, or None if the answer has none."""
    value = answer.value if isinstance(answer, Quantity) else answer
    if not has(value, frozenset({"pm", "mp"})):
        return None
    pair = [rewritten(value, partial(_one_sign, is_upper=is_upper)) for is_upper in (True, False)]
    if isinstance(answer, Quantity):
        return Items("bare", tuple(Quantity(signed, answer.unit) for signed in pair))
    return Items("bare", tuple(pair))


def _one_sign(expression: Expression, *, is_upper: bool) -> Expression:
    if not isinstance(expression, Operation) or expression.name not in ("pm", "mp"):
        return expression
    first, second = expression.operands
    is_plus = is_upper == (expression.name == "pm")
    return Operation("add", (first, second if is_plus else Operation("neg", (second,))))


def has(expression: Expression, names: frozenset[str]) -> bool:
    """Return whether an expression contains an operation with one of these names."""
    return isinstance(expression, Operation) and (
        expression.name in names or any(has(operand, names) for operand in expression.operands)
    )


# equality


def is_same(gold: Answer, answer: Answer) -> bool:
    """Compare two answers of any kind; the gold decides how exact the answer must be."""
    gold, answer = stated(gold), stated(answer)
    if is_set(gold) or is_set(answer):
        return _is_same_set(gold, answer)
    if isinstance(gold, Relation) or isinstance(answer, Relation):
        return _is_same_statement(gold, answer)
    match gold, answer:
        case (Items() | Choice(), Items() | Choice()):
            return _is_same_items(_as_items(gold), _as_items(answer))
        case Matrix(), Matrix():
            return _is_same_matrix(gold, answer)
        case (Matrix() | Items(), Items() | Matrix()):
            return _is_same_vector(gold, answer)
        case Numeral(), Numeral():
            return gold == answer
        case Numeral(base=10), _:
            return is_same(Number(Fraction(gold.digits)), answer)
        case _, Numeral(base=10):
            return is_same(gold, Number(Fraction(answer.digits)))
        case Ratio(), _:
            return _is_same_ratio(gold, answer)
        case _, Ratio(parts=(_, _)):
            return _is_same_ratio(_as_ratio(gold), answer)
    if isinstance(gold, Single) and isinstance(answer, Single):
        return _is_same_quantity(gold, answer)
    return False


def _is_same_set(gold: Answer, answer: Answer) -> bool:
    if isinstance(gold, Relation) and isinstance(answer, Relation) and gold == answer:
        return True
    if isinstance(gold, Single) and not is_set(gold):
        return False
    if isinstance(answer, Single) and not is_set(answer):
        return False
    return is_same_set(read_set(gold), read_set(answer))


def _is_same_quantity(gold: Single, answer: Single) -> bool:
    unit, value = _apart(gold)
    other, given = _apart(answer)
    if unit and not other:
        given = _without_unit(given, unit)
    if unit and other and unit != other:
        return False
    if value == given:
        return True
    if Operation("infinity") in (_unsigned(value), _unsigned(given)):
        return _signed(value) == _signed(given)
    return _is_same_number(value, given)


def _is_same_number(value: Expression, given: Expression) -> bool:
    """Compare two values; `log` without a base may mean either logarithm."""
    if is_same_value(value, given):
        return True
    decimal = rewritten(value, _decimal_log), rewritten(given, _decimal_log)
    return decimal != (value, given) and is_same_value(*decimal)


def _decimal_log(expression: Expression) -> Expression:
    match expression:
        case Operation(name="log", operands=(operand,)):
            return Operation("log", (operand, Number(_TEN)))
    return expression


def _apart(answer: Single) -> tuple[str, Expression]:
    return (answer.unit, answer.value) if isinstance(answer, Quantity) else ("", answer)


def _without_unit(given: Expression, unit: str) -> Expression:
    """Drop the factor `m` of `5 m` where the gold has the unit `m`: it is no variable then."""
    match given:
        case Operation(name="mul", operands=(value, Symbol(name=name))) if name == unit:
            return value
    return given


def _unsigned(expression: Expression) -> Expression:
    return _signed(expression)[1]


def _signed(expression: Expression) -> tuple[int, Expression]:
    if isinstance(expression, Operation) and expression.name == "neg":
        sign, inner = _signed(expression.operands[0])
        return -sign, inner
    return 1, expression


# statements: `x = 5`, `f(2) = a_{10} = 5`, equations of curves


def _is_name(side: Answer) -> bool:
    """Return whether a side of an equation only names the value on the other side.

    Names are symbols, calls and combinations of them without a number: `x`, `f(2)`, `m + n`. The
    left side of an equation to be solved, as in `3x = 15` or `x^2 = 25`, is no name.
    """
    if isinstance(side, Items):
        return side.bracket == "()" and all(map(_is_name, side.items))
    if not isinstance(side, Symbol | Operation) or not symbols(side):
        return False
    if isinstance(side, Symbol):
        return True
    has_power = has(side, frozenset({"pow"}))
    return _is_made_of_names(side) and not (has_power and len(symbols(side)) == 1)


def _is_made_of_names(side: Expression) -> bool:
    if isinstance(side, Symbol):
        return True
    if isinstance(side, Number) or side.name not in _NAME_OPERATIONS:
        return False
    first, *others = side.operands
    if side.name in ("mul", "pow"):
        # A call f(2) is read as a product: its number was in brackets.
        return _is_made_of_names(first)
    return all(map(_is_made_of_names, (first, *others)))


def _split_statement(answer: Answer) -> tuple[list[Answer], list[Answer]]:
    """Return the names and the values of a chain of equations."""
    if not isinstance(answer, Relation):
        return [], [answer]
    names = [side for side in answer.sides if _is_name(side)]
    values = [side for side in answer.sides if not _is_name(side)]
    return (names, values) if values else (names[:-1], names[-1:])


def _is_same_statement(gold: Answer, answer: Answer) -> bool:
    names, values = _split_statement(gold)
    given_names, given = _split_statement(answer)
    if names and given_names and not any(name in names for name in given_names):
        return _is_same_curve(gold, answer)
    if isinstance(gold, Relation) and not names:
        return _is_same_curve(gold, answer)
    if all(is_same(values[-1], value) for value in given):
        return True
    return _is_same_curve(gold, answer)


def _is_same_curve(gold: Answer, answer: Answer) -> bool:
    """Compare equations of two or more variables: equal if one is a multiple of the other."""
    left, right = _difference(gold), _difference(answer)
    if left is None or right is None or len(symbols(left)) < 2:
        return False
    if symbols(left) != symbols(right):
        return False
    quotient = Operation("div", (left, right))
    # A constant keeps its value when its symbols are renamed, and so get other values.
    return is_same_value(quotient, rewritten(quotient, _renamed))


def _renamed(expression: Expression) -> Expression:
    return Symbol(expression.name + "*") if isinstance(expression, Symbol) else expression


def _difference(answer: Answer) -> Expression | None:
    match answer:
        case Relation(sides=(left, right), signs=("=",)):
            if isinstance(left, Expression) and isinstance(right, Number | Symbol | Operation):
                return Operation("add", (left, Operation("neg", (right,))))
    return None


# several answers


def _as_items(answer: Items | Choice) -> Items:
    return Items("bare", answer.items) if isinstance(answer, Choice) else answer


def _is_same_items(gold: Items, answer: Items) -> bool:
    if gold.bracket in _ORDERED and answer.bracket in _ORDERED:
        is_interval = len(gold.items) <= _INTERVAL_SIZE and "[]" in (gold.bracket, answer.bracket)
        if gold.bracket != answer.bracket and is_interval:
            return False
        return _is_same_in_order(gold.items, answer.items)
    if gold.bracket in _ORDERED or answer.bracket in _ORDERED:
        brackets = {gold.bracket, answer.bracket}
        if "set" in brackets or ("[]" in brackets and len(gold.items) <= _INTERVAL_SIZE):
            return False
        return _is_same_in_order(gold.items, answer.items)
    is_set_of = "set" in (gold.bracket, answer.bracket)
    wanted, given = (_distinct(x.items) if is_set_of else list(x.items) for x in (gold, answer))
    return len(wanted) == len(given) and _matches(wanted, given)


def _is_same_in_order(gold: Sequence[Answer], answer: Sequence[Answer]) -> bool:
    return len(gold) == len(answer) and all(
        is_same(x, y) for x, y in zip(gold, answer, strict=True)
    )


def _distinct(items: Sequence[Answer]) -> list[Answer]:
    distinct: list[Answer] = []
    for item in items:
        if not any(is_same(other, item) for other in distinct):
            distinct.append(item)
    return distinct


def _matches(gold: Sequence[Answer], answer: Sequence[Answer]) -> bool:
    """Pair equal items in any order. Equality is transitive, so the first match is enough."""
    left = list(answer)
    for wanted in gold:
        index = next((n for n, item in enumerate(left) if is_same(wanted, item)), None)
        if index is None:
            return False
        del left[index]
    return True


def _is_same_matrix(gold: Matrix, answer: Matrix) -> bool:
    return len(gold.rows) == len(answer.rows) and all(
        _is_same_in_order(x, y) for x, y in zip(gold.rows, answer.rows, strict=True)
    )


def _is_same_vector(gold: Matrix | Items, answer: Matrix | Items) -> bool:
    wanted, given = _entries(gold), _entries(answer)
    return wanted is not None and given is not None and _is_same_in_order(wanted, given)


def _entries(answer: Matrix | Items) -> tuple[Answer, ...] | None:
    if isinstance(answer, Items):
        return answer.items if answer.bracket in _ORDERED else None
    if len(answer.rows) == 1:
        return answer.rows[0]
    is_column = all(len(row) == 1 for row in answer.rows)
    return tuple(row[0] for row in answer.rows) if is_column else None


def _as_ratio(answer: Answer) -> Answer:
    if not isinstance(answer, Expression):
        return answer
    return Ratio((answer, Number(_ONE)))


def _is_same_ratio(gold: Answer, answer: Answer) -> bool:
    if not isinstance(answer, Ratio):
        answer = _as_ratio(answer)
    if not isinstance(gold, Ratio) or not isinstance(answer, Ratio):
        return False
    if gold.unit or answer.unit:
        units_agree = gold.unit == answer.unit or not (gold.unit and answer.unit)
        return units_agree and _is_same_in_order(gold.parts, answer.parts)
    (first, *others), (given, *given_others) = gold.parts, answer.parts
    return len(others) == len(given_others) and all(
        is_same_value(Operation("mul", (first, y)), Operation("mul", (x, given)))
        for x, y in zip(others, given_others, strict=True)
    )
