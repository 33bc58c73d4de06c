"""Join the statements of an answer by the marks between them. Called by `parse`."""

from __future__ import annotations

from reasonrl.verify.math.lexer import UnreadableError
from reasonrl.verify.math.tree import (
    Answer,
    Choice,
    Congruence,
    Expression,
    Items,
    Operation,
    Relation,
    Symbol,
)


def joined_statements(parts: list[Answer], marks: list[str]) -> Answer:
    """Join statements by the marks between them; `x = 1, y = 2; x = 2, y = 1` are two groups."""
    joins = {mark for mark in marks if mark in ("or", "and")}
    if len(joins) > 1:
        raise UnreadableError
    for strong in (";", "or", "and"):
        if strong in marks and "," in marks and (groups := _groups(parts, marks, strong)):
            return Items("bare", tuple(groups))
    if joins:
        return Choice("or" if "or" in joins else "and", tuple(parts))
    return Items("bare", tuple(parts)) if marks else parts[0]


def _groups(parts: list[Answer], marks: list[str], strong: str) -> list[Answer]:
    """Return the groups between strong marks, if each assigns values to the same names."""
    groups: list[list[Answer]] = [[parts[0]]]
    for mark, part in zip(marks, parts[1:], strict=True):
        if mark == strong:
            groups.append([part])
        else:
            groups[-1].append(part)
    named = [_assigned(group) for group in groups]
    if named[0] is None or any(names != named[0] for names in named) or len(named[0]) < 2:
        return []
    return [Items("bare", tuple(group)) for group in groups]


def _assigned(group: list[Answer]) -> tuple[str, ...] | None:
    """Return the names that a group of equations gives values to; None for other statements."""
    names = []
    for part in group:
        match part:
            case Relation(sides=(Symbol(name=name), _), signs=("=",)):
                names.append(name)
            case _:
                return None
    return tuple(names)


def congruence_of(sides: list[Answer]) -> Congruence | None:
    """Return the congruence of two sides whose second has a modulus; else None."""
    match sides:
        case [left, Operation(name="mod", operands=(right, modulus))] if isinstance(
            left, Expression
        ):
            return Congruence(left, right, modulus)
    return None


def plain(answer: Answer) -> Expression:
    """Return an answer that is an expression. Raises UnreadableError for any other."""
    if not isinstance(answer, Expression):
        raise UnreadableError
    return answer
