r"""Answers with a parameter or a domain: `x = k\pi, k \in \mathbb{Z}`.

The parameter's name means nothing, so both sides get the same one. Called by `compare`.
"""

from __future__ import annotations

from functools import partial

from reasonrl.verify.math.tree import (
    Answer,
    Expression,
    Items,
    Operation,
    Relation,
    Symbol,
    rewritten,
)

_NUMBERS = (Symbol("\\Z"), Symbol("\\N"), Operation("reals"))


def without_parameters(gold: Answer, answer: Answer) -> tuple[Answer, Answer]:
    """Drop what declares a parameter, and call the answer's as the gold does."""
    gold, wanted = _undeclared(gold)
    answer, given = _undeclared(answer)
    if wanted and given and wanted != given:
        answer = _renamed(answer, given, wanted)
    return gold, answer


def _undeclared(answer: Answer) -> tuple[Answer, str]:
    r"""Return the answer without `k \in \mathbb{Z}`, and the name of the one parameter."""
    if not isinstance(answer, Items) or answer.bracket != "bare":
        return answer, ""
    kept = tuple(item for item in answer.items if _declared(item) is None)
    names = [name for item in answer.items if (name := _declared(item)) is not None]
    if len(names) != 1 or not kept:
        return answer, ""
    return (Items("bare", kept) if len(kept) > 1 else kept[0]), names[0]


def _declared(item: Answer) -> str | None:
    match item:
        case Relation(sides=(Symbol(name=name), numbers), signs=("in",)):
            return name if numbers in _NUMBERS else None
    return None


def _renamed(answer: Answer, old: str, new: str) -> Answer:
    match answer:
        case Items(bracket=bracket, items=items):
            return Items(bracket, tuple(_renamed(item, old, new) for item in items))
        case Relation(sides=sides, signs=signs):
            return Relation(tuple(_renamed(side, old, new) for side in sides), signs)
        case Symbol() | Operation():
            return rewritten(answer, partial(_one_renamed, old=old, new=new))
    return answer


def _one_renamed(expression: Expression, *, old: str, new: str) -> Expression:
    return Symbol(new) if expression == Symbol(old) else expression
