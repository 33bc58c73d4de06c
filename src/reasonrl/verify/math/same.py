"""Compare two answers, kind by kind: values, statements, lists, matrices, ratios.

Raises NoValueError where neither exact nor numeric values decide. Called by `compare`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from reasonrl.verify.math.binding import (
    assigned_alike,
    binds,
    in_order_of_names,
    label_of,
    unnumbered,
)
from reasonrl.verify.math.curves import (
    as_congruence,
    is_same_chain,
    is_same_congruence,
    is_same_curve,
)
from reasonrl.verify.math.equal import is_same_value, symbols
from reasonrl.verify.math.faults import NoValueError, TooLargeError
from reasonrl.verify.math.forms import Single, has, stated
from reasonrl.verify.math.naming import is_function_of_x, may_be_left_out, split_statement
from reasonrl.verify.math.sets import is_same_set, is_set, read_set
from reasonrl.verify.math.tree import (
    DOTS,
    Answer,
    Choice,
    Congruence,
    Expression,
    Items,
    Matrix,
    Number,
    Numeral,
    Operation,
    Piece,
    Piecewise,
    Quantity,
    Ratio,
    Relation,
    Symbol,
    rewritten,
)
from reasonrl.verify.math.vectors import ORDERED, components, entries, rows_of

_INTERVAL_SIZE = 2
_ONE, _TEN = Fraction(1), Fraction(10)
_ZERO = Number(Fraction(0))
# A set may be written with so many spellings of one item, and compared with so many comparisons.
_MOST_SPELLINGS, _MOST_DISTINCT, _MOST_COMPARISONS = 4, 30, 400
_CLOCK = "time"
_OTHERWISE = ("otherwise", "else", "")
_PI = frozenset({"pi"})


# equality


def is_same(gold: Answer, answer: Answer) -> bool:
    """Compare two answers of any kind; the gold decides how exact the answer must be."""
    gold, answer = stated(gold), stated(answer)
    gold, answer = assigned_alike(gold, answer)
    if isinstance(gold, Items) and gold.bracket == "()":
        answer = in_order_of_names(answer)
    if isinstance(gold, Congruence) or isinstance(answer, Congruence):
        return _is_same_residue(gold, answer)
    if is_set(gold) or is_set(answer):
        return _is_same_set(gold, answer)
    if isinstance(gold, Relation) or isinstance(answer, Relation):
        return _is_same_statement(gold, answer)
    if isinstance(gold, Single) and isinstance(answer, Single):
        return _is_same_quantity(gold, answer)
    return _is_same_structure(gold, answer)


def _is_same_structure(gold: Answer, answer: Answer) -> bool:
    """Compare lists, vectors, pieces, numerals and ratios, of which one may also be a value."""
    match gold, answer:
        case (Items(bracket="()" | "[]" | "<>"), Choice(word="or")):
            # Alternatives have no order.
            return False
        case (Items(items=items), Choice(word="or")) if binds(items):
            return False
        case (Items() | Choice(), Items() | Choice()):
            return _is_same_items(_as_items(gold), _as_items(answer))
        case Piecewise(), Piecewise():
            return _is_same_pieces(gold, answer)
        case Matrix(), Matrix():
            return _is_same_matrix(gold, answer)
        case (Matrix() | Items(), Items() | Matrix()):
            return _is_same_vector(gold, answer)
        case (Number(), Matrix(rows=((top,), (bottom,)))):
            # `\\binom{17}{2}`, written as a column in brackets.
            return is_same_value(gold, Operation("binomial", (top, bottom)))
        case (Items(bracket="()"), Operation()) if (parts := components(answer)) is not None:
            return _is_same_in_order(gold.items, parts)
        case (Operation(), Items(bracket="()")) if (parts := components(gold)) is not None:
            return _is_same_in_order(parts, answer.items)
        case Numeral(), Numeral():
            return gold == answer
        case Numeral(base=10), _:
            return is_same(Number(Fraction(gold.digits)), answer)
        case _, Numeral(base=10):
            return is_same(gold, Number(Fraction(answer.digits)))
        case (Quantity(unit="am" | "pm" as half), Ratio(unit=unit)):
            return half == unit and _is_same_in_order((gold.value, _ZERO), answer.parts)
        case (Ratio(unit=unit), Quantity(unit="am" | "pm" as half)):
            return half == unit and _is_same_in_order(gold.parts, (answer.value, _ZERO))
        case (Items(bracket="()") | Matrix(), Operation(name="binomial", operands=column)):
            # A column of two numbers, written as a binomial.
            return _is_same_in_order(entries(gold) or (), column)
        case Ratio(), _:
            return _is_same_ratio(gold, answer)
        case _, Ratio(parts=(_, _)):
            return _is_same_ratio(_as_ratio(gold), answer)
    return False


def _is_same_residue(gold: Answer, answer: Answer) -> bool:
    """Compare congruences. `x = 7 (mod 12)` answers 7 where the key is a plain residue."""
    match gold, answer:
        case Congruence(), Congruence():
            return is_same_congruence(gold, answer)
        case (Congruence(), Relation()) if (other := as_congruence(answer)) is not None:
            return is_same_congruence(gold, other)
        case (Relation(), Congruence()) if (other := as_congruence(gold)) is not None:
            return is_same_congruence(other, answer)
        case Congruence(), Operation(name="mod", operands=(right, modulus)):
            return is_same_congruence(gold, Congruence(gold.left, right, modulus))
        case Number(), Congruence(right=Number(value=right), modulus=Number(value=modulus)):
            return gold.value == right and 0 <= right < modulus
    return False


def _is_same_set(gold: Answer, answer: Answer) -> bool:
    if gold == answer:
        return True
    if isinstance(gold, Relation) and isinstance(answer, Relation) and is_same_chain(gold, answer):
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
    if (unit == "°") != (other == "°") and has(value, _PI) and has(given, _PI):
        # A multiple of pi is an angle in radians: its degree sign changes it.
        return False
    if value == given:
        return True
    if Operation("infinity") in (_unsigned(value), _unsigned(given)):
        return _signed(value) == _signed(given)
    return _is_same_number(value, given)


def is_same_angle(degrees: Answer, radians: Answer) -> bool:
    """Compare an angle in degrees with a multiple of pi. Alone, neither answers the other."""
    match degrees, radians:
        case Quantity(value=value, unit="°"), Operation() if has(radians, _PI):
            return is_same_value(Operation("degrees", (value,)), radians)
    return False


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


def _is_same_statement(gold: Answer, answer: Answer) -> bool:
    both = isinstance(gold, Relation) and isinstance(answer, Relation)
    if isinstance(gold, Relation) and isinstance(answer, Relation) and is_same_chain(gold, answer):
        return True
    if isinstance(gold, Relation) and not may_be_left_out(gold):
        # The right side alone, or another equation of it, does not say what the equation says.
        return both and is_same_curve(gold, answer)
    names, values = split_statement(gold)
    given_names, given = split_statement(answer)
    if names and given_names and not _has_common_name(names, given_names):
        return is_same_curve(gold, answer)
    if isinstance(gold, Relation) and not names:
        if both:
            return is_same_curve(gold, answer)
        # The left side alone only restates the question.
        return answer != gold.sides[0] and is_same(values[-1], answer)
    if all(is_same(values[-1], value) for value in given):
        return True
    return is_same_curve(gold, answer)


def _has_common_name(names: Sequence[Answer], given: Sequence[Answer]) -> bool:
    """Return whether a name stands on both sides; `y` and `f(x)` are one name of a curve."""
    if any(name in names for name in given):
        return True
    return any(
        _is_called(x, y)
        or _is_called(y, x)
        or (x == Symbol("y") and is_function_of_x(y))
        or (y == Symbol("y") and is_function_of_x(x))
        for x in names
        for y in given
    )


def _is_called(name: Answer, call: Answer) -> bool:
    """Return whether a name, `f`, stands for a call of the same function, `f(x)`."""
    match call:
        case Operation(name="mul", operands=(Symbol() as called, Symbol())):
            return name == called
    return False


def _is_same_pieces(gold: Piecewise, answer: Piecewise) -> bool:
    """Compare the pieces of two functions in any order: the same values under the same conditions.

    The last piece may say "otherwise" on one side and its condition on the other.
    """
    wanted, given = list(gold.pieces), list(answer.pieces)
    if len(wanted) != len(given):
        return False
    for piece in gold.pieces:
        index = next((n for n, other in enumerate(given) if _is_same_condition(piece, other)), None)
        if index is not None:
            if not is_same(piece[0], given[index][0]):
                return False
            wanted.remove(piece)
            del given[index]
    if not wanted:
        return True
    if len(wanted) > 1:
        return False
    # One of the two pieces that are left must be the piece for all other values.
    ((value, condition),), ((other, other_condition),) = wanted, given
    is_rest = condition in _OTHERWISE or other_condition in _OTHERWISE
    return is_rest and is_same(value, other)


def _is_same_condition(gold: Piece, answer: Piece) -> bool:
    """Return whether two pieces state the same condition; "otherwise" states none."""
    if isinstance(gold[1], str) or isinstance(answer[1], str):
        return gold[1] == answer[1] and gold[1] not in _OTHERWISE
    return gold[1] == answer[1] or is_same(gold[1], answer[1])


# several answers


def _as_items(answer: Items | Choice) -> Items:
    return Items("bare", answer.items) if isinstance(answer, Choice) else answer


def _is_same_items(gold: Items, answer: Items) -> bool:
    if gold.bracket in ORDERED and answer.bracket in ORDERED:
        is_interval = len(gold.items) <= _INTERVAL_SIZE and "[]" in (gold.bracket, answer.bracket)
        if gold.bracket != answer.bracket and is_interval:
            return False
        return _is_same_in_order(gold.items, answer.items)
    if gold.bracket in ORDERED or answer.bracket in ORDERED:
        brackets = {gold.bracket, answer.bracket}
        if "set" in brackets or ("[]" in brackets and len(gold.items) <= _INTERVAL_SIZE):
            return False
        return _is_same_in_order(gold.items, answer.items)
    if any(item == DOTS for item in (*gold.items, *answer.items)):
        return _is_same_in_order(gold.items, answer.items)
    gold, answer = unnumbered(gold, answer)
    if binds(gold.items):
        return answer.bracket == "bare" and _is_same_binding(gold.items, answer.items)
    if "set" not in (gold.bracket, answer.bracket):
        return len(gold.items) == len(answer.items) and _matches(gold.items, answer.items)
    wanted, given = list(dict.fromkeys(gold.items)), list(dict.fromkeys(answer.items))
    if set(wanted) == set(given):
        return True
    if len(given) > _MOST_SPELLINGS * len(wanted):
        return False
    wanted, given = _distinct(wanted), _distinct(given)
    return len(wanted) == len(given) and _matches(wanted, given)


def _is_same_binding(gold: Sequence[Answer], answer: Sequence[Answer]) -> bool:
    """Compare values by their names; values without names must stand in the key's order."""
    labels = [label_of(item) for item in answer]
    if not all(labels):
        return _is_same_in_order(gold, answer)
    return len(gold) == len(answer) and _matches(gold, answer)


def _is_same_in_order(gold: Sequence[Answer], answer: Sequence[Answer]) -> bool:
    return len(gold) == len(answer) and all(
        is_same(x, y) for x, y in zip(gold, answer, strict=True)
    )


def _distinct(items: Sequence[Answer]) -> list[Answer]:
    if len(items) > _MOST_DISTINCT:
        raise TooLargeError
    distinct: list[Answer] = []
    for item in items:
        if not any(is_same(other, item) for other in distinct):
            distinct.append(item)
    return distinct


def _matches(gold: Sequence[Answer], answer: Sequence[Answer]) -> bool:
    """Pair equal items in any order. Equality is transitive, so the first match is enough."""
    left, open_ = list(answer), []
    for wanted in gold:
        if wanted in left:
            left.remove(wanted)
        else:
            open_.append(wanted)
    if len(open_) * len(left) > _MOST_COMPARISONS:
        raise TooLargeError
    for wanted in open_:
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
    rows, given_rows = rows_of(gold), rows_of(answer)
    if rows is not None and given_rows is not None:
        return len(rows) == len(given_rows) and all(map(_is_same_in_order, rows, given_rows))
    wanted, given = entries(gold), entries(answer)
    return wanted is not None and given is not None and _is_same_in_order(wanted, given)


def _as_ratio(answer: Answer) -> Answer:
    if not isinstance(answer, Expression):
        return answer
    return Ratio((answer, Number(_ONE)))


def _is_nothing(part: Expression) -> bool:
    """Return whether a part of a ratio is zero, or has no value that could tell."""
    try:
        return not symbols(part) and is_same_value(_ZERO, part)
    except NoValueError:
        return True


def _is_same_ratio(gold: Answer, answer: Answer) -> bool:
    """Compare ratios up to a factor, and times part by part; a key of two digits is a time."""
    if not isinstance(answer, Ratio):
        answer = _as_ratio(answer)
    if not isinstance(gold, Ratio) or not isinstance(answer, Ratio):
        return False
    unit, given_unit = gold.unit, answer.unit.removeprefix(_CLOCK)
    if unit or given_unit:
        unit = unit.removeprefix(_CLOCK)
        units_agree = unit == given_unit or not (unit and given_unit)
        return units_agree and _is_same_in_order(gold.parts, answer.parts)
    if any(map(_is_nothing, (*gold.parts, *answer.parts))):
        # A factor relates ratios without a zero only: 0 : 0 would equal every ratio.
        return _is_same_in_order(gold.parts, answer.parts)
    (first, *others), (given, *given_others) = gold.parts, answer.parts
    return len(others) == len(given_others) and all(
        is_same_value(Operation("mul", (first, y)), Operation("mul", (x, given)))
        for x, y in zip(others, given_others, strict=True)
    )
