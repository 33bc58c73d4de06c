"""Which side of an equation only names the value of the other. Called by `forms` and `same`."""

from __future__ import annotations

from reasonrl.verify.math.equal import symbols
from reasonrl.verify.math.tree import (
    Answer,
    Expression,
    Items,
    Matrix,
    Number,
    Operation,
    Piecewise,
    Ratio,
    Relation,
    Symbol,
)

_NAME_WORDS = "add mul div abs pow sin cos tan log ln gcd lcm min max floor ceil"
_NAME_OPERATIONS = frozenset(_NAME_WORDS.split())


def is_name(side: Answer) -> bool:
    """Return whether a side of an equation only names the value on the other side.

    Names are symbols, calls and combinations of them without a number: `x`, `f(2)`, `m + n`. The
    left side of an equation to be solved, as in `3x = 15` or `x^2 = 25`, is no name.
    """
    if isinstance(side, Items):
        return side.bracket == "()" and all(map(is_name, side.items))
    if isinstance(side, Ratio):
        return all(map(is_name, side.parts))
    if not isinstance(side, Symbol | Operation) or not symbols(side):
        return False
    if isinstance(side, Symbol):
        return True
    has_power = _has_power(side)
    return _is_made_of_names(side) and not (has_power and len(symbols(side)) == 1)


def _has_power(side: Expression) -> bool:
    """Return whether a power of a symbol is to be solved; a power of `|z|` is a name."""
    if not isinstance(side, Operation):
        return False
    if side.name == "pow":
        base = side.operands[0]
        return not (isinstance(base, Operation) and base.name == "abs")
    return any(map(_has_power, side.operands))


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


def split_statement(answer: Answer) -> tuple[list[Answer], list[Answer]]:
    """Return the names and the values of a chain of equations."""
    if not isinstance(answer, Relation):
        return [], [answer]
    # `A^{-1} = ` before a matrix names it: nobody solves that.
    is_compound = any(isinstance(side, Matrix | Items | Piecewise) for side in answer.sides)
    names: list[Answer] = []
    values: list[Answer] = []
    for side in answer.sides:
        is_known = isinstance(side, Expression) and bool(symbols(side)) if is_compound else False
        (names if is_known or is_name(side) else values).append(side)
    return (names, values) if values else (names[:-1], names[-1:])


def may_be_left_out(answer: Relation) -> bool:
    """Return whether the last side of an equation says all: `5` in `f(2) = 5`, not in `x + y = 5`.

    The left side must be one name, a call, or a product of segments, or hold no symbol at all.
    """
    first, last = answer.sides[0], answer.sides[-1]
    if not isinstance(first, Expression):
        return True
    if isinstance(first, Symbol) or _is_call(first):
        return True
    if isinstance(first, Number) or not symbols(first):
        return isinstance(last, Expression) and not symbols(last)
    if first.name in ("abs", "div", "min", "max", "gcd", "lcm", "sin", "cos", "tan", "ln", "log"):
        return True
    return isinstance(last, Expression) and not symbols(last) and _is_of_capitals(first)


def is_function_of_x(side: Answer) -> bool:
    """Return whether a side is a call such as `f(x)`."""
    match side:
        case Operation(name="mul", operands=(Symbol(name=name), Symbol(name="x"))):
            return name in ("f", "g", "h")
        case Operation(name="mul", operands=(Operation(name="pow"), Symbol(name="x"))):
            return _is_call(side)
    return False


def _is_call(side: Expression) -> bool:
    """Return whether a side is a call such as `f(x)`, which is read as a product."""
    match side:
        case Operation(
            name="mul", operands=(Operation(name="pow", operands=(Symbol(), _)), Symbol())
        ):
            # The inverse of a function, `f^{-1}(x)`.
            return True
        case Operation(name="mul", operands=(Symbol(name=name), _)):
            return name[0] in "fghFGHPQRTSpqNVEDC" or name[0].isupper()
    return False


def _is_of_capitals(side: Expression) -> bool:
    return all(name[0].isupper() or name[0] == "\\" for name in symbols(side))
