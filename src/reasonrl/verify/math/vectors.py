"""The entries of vectors and matrices, in each notation that they have. Called by `same`."""

from __future__ import annotations

from fractions import Fraction

from reasonrl.verify.math.equal import is_same_value, symbols
from reasonrl.verify.math.tree import (
    Answer,
    Bracket,
    Expression,
    Items,
    Matrix,
    Number,
    Operation,
    Symbol,
    rewritten,
)

ORDERED: frozenset[Bracket] = frozenset({"()", "[]", "<>"})
"""The brackets of lists whose order counts."""

UNIT_VECTORS = ("\\hati", "\\hatj", "\\hatk")
"""The names of the unit vectors."""


def rows_of(answer: Matrix | Items) -> tuple[tuple[Answer, ...], ...] | None:
    """Return the rows of a matrix, also of one written as a list of lists: `[[1, 2], [3, 4]]`."""
    if isinstance(answer, Matrix):
        return answer.rows if len(answer.rows) > 1 and len(answer.rows[0]) > 1 else None
    rows = tuple(item.items for item in answer.items if isinstance(item, Items))
    is_nested = answer.bracket in ORDERED and len(rows) == len(answer.items) > 0
    return rows if is_nested else None


def components(vector: Expression) -> tuple[Expression, ...] | None:
    """Return the components of `3 i - 2 j + k` with unit vectors, which carry a hat; else None."""
    vector = _with_hats(vector)
    found = symbols(vector) & set(UNIT_VECTORS)
    if not found or not is_same_value(_at_units(vector, ()), Number(Fraction(0))):
        return None
    size = 3 if UNIT_VECTORS[2] in found else 2
    return tuple(_at_units(vector, (name,)) for name in UNIT_VECTORS[:size])


def _with_hats(vector: Expression) -> Expression:
    """Read `3i - 2j + k` as unit vectors: an `i` beside `j` or `k` is no imaginary unit."""
    names = symbols(vector)
    if not names or not names <= {"j", "k"}:
        return vector
    hats = {
        Operation("i"): UNIT_VECTORS[0],
        Symbol("j"): UNIT_VECTORS[1],
        Symbol("k"): UNIT_VECTORS[2],
    }
    return rewritten(vector, lambda e: Symbol(hats[e]) if e in hats else e)


def _at_units(vector: Expression, ones: tuple[str, ...]) -> Expression:
    values = {name: Number(Fraction(int(name in ones))) for name in UNIT_VECTORS}
    return rewritten(vector, lambda e: values.get(e.name, e) if isinstance(e, Symbol) else e)


def entries(answer: Matrix | Items) -> tuple[Answer, ...] | None:
    """Return the entries of a vector, a row or a column; None for any other answer."""
    if isinstance(answer, Items):
        return answer.items if answer.bracket in ORDERED else None
    if len(answer.rows) == 1:
        return answer.rows[0]
    is_column = all(len(row) == 1 for row in answer.rows)
    return tuple(row[0] for row in answer.rows) if is_column else None
