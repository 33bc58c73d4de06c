r"""Answers with a parameter or a domain: `x = k\pi, k \in \mathbb{Z}`.

The name of a parameter has no meaning, so both sides get the same name. Called by `compare`.
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
    """Drop the declarations of a parameter; rename the answer's parameter to the gold's."""
    gold, gold_name = _undeclared(gold)
    answer, answer_name = _undeclared(answer)
    if gold_name and answer_name and gold_name != answer_name:
        answer = _renamed(answer, answer_name, gold_name)
    return gold, answer


def _undeclared(answer: Answer) -> tuple[Answer, str]:
    r"""Return an answer without `k \in \mathbb{Z}`, and the parameter's name.

    The name is empty, and the answer whole, unless exactly one parameter is declared.
    """
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
            return rewritten(answer, partial(_renamed_symbol, old=old, new=new))
    return answer


def _renamed_symbol(expression: Expression, *, old: str, new: str) -> Expression:
    return Symbol(new) if expression == Symbol(old) else expression
