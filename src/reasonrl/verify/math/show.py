"""Print a tree on one line, for verdicts, `--explain` and people.

Writes out products and quotients, and puts everything nested in brackets, so that the text has only
one reading.
"""

from __future__ import annotations

from fractions import Fraction

from reasonrl.verify.math.tree import (
    Answer,
    Choice,
    Congruence,
    Expression,
    Items,
    Matrix,
    Number,
    Numeral,
    Operation,
    Piecewise,
    Quantity,
    Ratio,
    Relation,
    SetOperation,
    Symbol,
)

MAX_CHARS = 200
# Larger numbers are named by their size.
_MAX_BITS = 200
_INFIX = {"add": " + ", "mul": "*", "div": "/", "pow": "^", "pm": " ± ", "mp": " ∓ "}
_BRACKETS = {"bare": ("", ""), "set": ("{", "}"), "<>": ("<", ">")}
_SETS = {"cup": "∪", "cap": "∩", "setminus": "\\"}  # noqa: RUF001


def show(answer: Answer) -> str:
    """Return the text of a tree, cut to MAX_CHARS."""
    text = _show(answer)
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 3] + "..."


def _show(answer: Answer) -> str:
    match answer:
        case Number() | Symbol() | Operation():
            return _expression(answer)
        case Quantity(value=value, unit=unit):
            return f"{_expression(value)} {unit}"
        case Items(bracket=bracket, items=items):
            opener, closer = _BRACKETS.get(bracket, (bracket[0], bracket[-1]))
            return opener + ", ".join(map(_show, items)) + closer
        case Choice(word=word, items=items):
            return f" {word} ".join(map(_show, items))
        case Relation(sides=sides, signs=signs):
            rest = (f" {sign} {_show(side)}" for sign, side in zip(signs, sides[1:], strict=True))
            return _show(sides[0]) + "".join(rest)
        case Congruence(left=named, right=right, modulus=modulus):
            start = "" if named is None else f"{_expression(named)} = "
            return f"{start}{_expression(right)} (mod {_expression(modulus)})"
        case Piecewise(pieces=pieces):
            return "; ".join(f"{_show(value)} if {_condition(c)}" for value, c in pieces)
        case SetOperation(name=name, left=left, right=right):
            return f"{_show(left)} {_SETS[name]} {_show(right)}"
        case Matrix(rows=rows):
            return "[" + "; ".join(", ".join(map(_expression, row)) for row in rows) + "]"
        case Numeral(digits=digits, base=base):
            return f"{digits} in base {base}"
        case Ratio(parts=parts, unit=unit):
            return f"{':'.join(map(_expression, parts))} {unit}".rstrip()


def _condition(condition: Answer | str) -> str:
    return condition if isinstance(condition, str) else _show(condition)


def _expression(expression: Expression) -> str:
    match expression:
        case Number(value=value):
            return _number(value)
        case Symbol(name=name):
            return name
        case Operation(name="neg", operands=(operand,)):
            return f"-{_operand(operand)}"
        case Operation(name=name, operands=operands) if name in _INFIX:
            return _INFIX[name].join(map(_operand, operands))
        case Operation(name=name, operands=()):
            return name
    return f"{expression.name}({', '.join(map(_expression, expression.operands))})"


def _operand(expression: Expression) -> str:
    shown = _expression(expression)
    is_compound = isinstance(expression, Operation) and expression.name in (*_INFIX, "neg")
    return f"({shown})" if is_compound else shown


def _number(value: Fraction) -> str:
    bits = max(value.numerator.bit_length(), value.denominator.bit_length())
    return str(value) if bits <= _MAX_BITS else f"<a number of {bits} bits>"
