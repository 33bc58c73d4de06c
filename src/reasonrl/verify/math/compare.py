"""Apply the grading policy for mathematics: which answers are refused, and which are equal.

`compare` takes the clean texts of both sides and returns a finding, or None if it cannot decide;
then the algebra in `worker` must. It runs in the caller's process: size bounds every step, never a
clock, so its verdict does not depend on the load of the machine. docs/verifiers.md explains the
rules.
"""

from __future__ import annotations

from reasonrl.types import Status
from reasonrl.verify.finding import Finding
from reasonrl.verify.math.equal import symbols
from reasonrl.verify.math.faults import NoValueError, TooLargeError
from reasonrl.verify.math.forms import NUMBER_SETS, is_undone, stated
from reasonrl.verify.math.naming import is_name
from reasonrl.verify.math.parse import parse
from reasonrl.verify.math.same import is_same, is_same_angle
from reasonrl.verify.math.sets import is_set
from reasonrl.verify.math.show import show
from reasonrl.verify.math.solution_families import without_parameters
from reasonrl.verify.math.tree import (
    Answer,
    Choice,
    Congruence,
    Expression,
    Items,
    Number,
    Numeral,
    Operation,
    Piecewise,
    Quantity,
    Relation,
    SetOperation,
    Symbol,
)
from reasonrl.verify.math.value import exact
from reasonrl.verify.math.vectors import UNIT_VECTORS


def compare(gold_text: str, answer_text: str) -> Finding | None:
    """Judge an answer by structure and value; None if that does not decide."""
    gold, answer = parse(gold_text), parse(answer_text)
    if gold is None or answer is None:
        return None
    if isinstance(gold, Relation) and (value := _without_undone_sides(gold)) != gold:
        if isinstance(answer, Relation) and answer.sides[0] != gold.sides[0]:
            # Two equations: `answer` compares their left sides as texts.
            return None
        if is_name(value):
            # Only the name is left of `F_n = \\sum ...`: it is no value.
            return None
        gold = value
    if _is_left_undone(gold):
        return None
    try:
        families = without_parameters(gold, answer)
        status, reason = Status.WRONG, "other conditions"
        if families is not None:
            gold, answer = families
            status, reason = _judge(stated(gold), answer)
    except TooLargeError:
        status, reason = _too_large(gold)
    except NoValueError:
        return None
    return Finding(
        status=status, reason=reason, canonical_gold=show(gold), canonical_answer=show(answer)
    )


def _judge(gold: Answer, answer: Answer) -> tuple[Status, str]:
    """Return a status and its reason."""
    answer = _without_undone_sides(answer)
    if _is_left_undone(answer) and not isinstance(gold, Congruence):
        return Status.UNEVALUATED, "an operation was left to be done"
    if _is_value(gold) and (hedge := _hedge(answer)):
        if _says_it_twice(gold, answer):
            return Status.CORRECT, ""
        return Status.AMBIGUOUS, hedge
    if isinstance(answer, Numeral) and answer.base != 10 and not isinstance(gold, Numeral):
        return Status.WRONG, "a numeral in another base"
    return (Status.CORRECT if is_same(gold, answer) else Status.WRONG), ""


def _too_large(gold: Answer) -> tuple[Status, str]:
    """Return the status and reason for the side that is too large to compute."""
    try:
        if isinstance(gold, Expression):
            exact(gold)
    except TooLargeError:
        return Status.GOLD_UNPARSABLE, "the gold is too large to compute"
    except NoValueError:
        pass
    return Status.TOO_LARGE, "a value too large to compute"


def _is_left_undone(answer: Answer) -> bool:
    match answer:
        case Number() | Symbol() | Operation():
            return is_undone(answer)
        case Quantity(value=value):
            return is_undone(value)
        case Items(items=items) | Choice(items=items):
            return any(map(_is_left_undone, items))
        case Relation(sides=sides):
            return any(map(_is_left_undone, sides))
    return False


def _without_undone_sides(answer: Answer) -> Answer:
    r"""Drop `\gcd(12, 18)` from `\gcd(12, 18) = 6`: the answer has done the operation."""
    if not isinstance(answer, Relation) or set(answer.signs) != {"="}:
        return answer
    sides = [side for side in answer.sides if not _is_left_undone(side)]
    if not sides:
        return answer
    return Relation(tuple(sides), ("=",) * (len(sides) - 1)) if len(sides) > 1 else sides[0]


def _is_value(gold: Answer) -> bool:
    """Return whether the gold is one value, so that several values in an answer are a hedge."""
    gold = gold.value if isinstance(gold, Quantity) else gold
    if isinstance(gold, Relation):
        return set(gold.signs) == {"="} and _is_value(gold.sides[-1])
    if isinstance(gold, Expression) and symbols(gold) & {*NUMBER_SETS, *UNIT_VECTORS}:
        return False
    is_expression = isinstance(gold, Expression)
    return is_expression and not is_set(gold) and gold != Operation("empty")


def _says_it_twice(gold: Answer, answer: Answer) -> bool:
    """Return whether all alternatives are the gold: `60° or pi/3`, `1/2 or 0.5`."""
    if not isinstance(answer, Choice) or answer.word != "or":
        return False
    first, *others = answer.items
    return is_same(gold, first) and all(
        is_same(gold, other) or is_same_angle(gold, other) or is_same_angle(first, other)
        for other in others
    )


def _hedge(answer: Answer) -> str:
    """Return how an answer offers more than one value; empty if it offers one."""
    answer = stated(answer)
    match answer:
        case Items(bracket="set" | "bare" | "[]", items=(_,)):
            return ""
        case Items() | Choice():
            return "several values for one"
        case Relation(signs=signs) if set(signs) != {"="}:
            return "a range for a value"
        case Piecewise():
            return "several pieces for one value"
        case SetOperation():
            return "a set for a value"
        case Relation(sides=sides):
            return next((hedge for side in sides if (hedge := _hedge(side))), "")
    return "a set for a value" if is_set(answer) else ""
