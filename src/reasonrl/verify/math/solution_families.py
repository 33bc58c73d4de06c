r"""Answers with a parameter, a domain or a constant: `x = k\pi, k \in \mathbb{Z}`, `x^2 + C`.

The name of a parameter, of a bound variable and of an arbitrary constant has no meaning, so both
sides get the same name. A condition that only one side states changes nothing. Called by `compare`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reasonrl.verify.math.equal import symbols
from reasonrl.verify.math.forms import NUMBER_SETS
from reasonrl.verify.math.same import is_same
from reasonrl.verify.math.tree import (
    PARAMETERS,
    Answer,
    Choice,
    Expression,
    Items,
    Number,
    Operation,
    Quantity,
    Relation,
    Symbol,
    rewritten,
)

_CONDITION_SIGNS = frozenset({"!=", "<", ">", "<=", ">=", "in"})
_CONSTANTS = frozenset({"C", "c", "K", "k", "C_1", "c_1", "C_0", "c_0", "const", "constant"})
_WHOLE_NAMES = frozenset({"n", "m", "k", "x", "N"})
"""Names whose values a family with a whole parameter gives."""
_COEFFICIENTS = frozenset({"a", "c", "k", "C", "A", "K", "\\lambda"})
_FREE = frozenset({"c", "k", "C", "K", "\\lambda"})
"""Coefficients of a key that nobody gives a value to."""
_VARIABLES = frozenset({"x", "t", "y", "u", "v", "s", "r", "\\theta"})
_FARTHEST = 10
_ARBITRARY = frozenset(
    {"A", "B", "C", "c", "K", "k"} | {f"{letter}_{n}" for letter in "CckK" for n in "0123456"}
)
"""Names of arbitrary constants in the solution of a differential equation."""
_CALLED = frozenset({"f", "g", "h", "P", "Q", "F"})
_BOUND = "bound"


def without_parameters(gold: Answer, answer: Answer) -> tuple[Answer, Answer] | None:
    """Drop conditions and rename parameters; None if both sides state different conditions."""
    if isinstance(gold, Number | Quantity) and not isinstance(answer, Items):
        return gold, answer
    gold, gold_conditions = _unconditioned(gold)
    answer, conditions = _unconditioned(answer)
    old, new = _declared_name(conditions), _declared_name(gold_conditions)
    if old and new and old != new:
        answer = _renamed(answer, old, new)
        conditions = tuple(_renamed(condition, old, new) for condition in conditions)
    if gold_conditions and conditions and not _is_same_conditions(gold_conditions, conditions):
        return None
    gold, answer = _with_bound_variable(gold), _with_bound_variable(answer)
    return gold, _with_names_of(gold, answer, declared=new)


def _is_same_conditions(gold: tuple[Answer, ...], answer: tuple[Answer, ...]) -> bool:
    """Compare conditions in any order; that a name is real or whole may be left out."""
    domains = [{_domain(c): c for c in each if _domain(c) is not None} for each in (gold, answer)]
    if any(domains[1].get(name, c) != c for name, c in domains[0].items()):
        return False
    gold, answer = (tuple(c for c in each if _domain(c) is None) for each in (gold, answer))
    if any(_names(c) & set(domains[0]) for c in answer):
        # The key's parameter takes every value of its domain.
        return False
    if not gold or not answer:
        return True
    return is_same(_together(gold), _together(answer))


def _together(conditions: tuple[Answer, ...]) -> Answer:
    return conditions[0] if len(conditions) == 1 else Choice("and", conditions)


def _unconditioned(answer: Answer) -> tuple[Answer, tuple[Answer, ...]]:
    r"""Return an answer without conditions such as `k \in \mathbb{Z}` or `x > 0`, and these.

    A condition stands behind a formula that has its name, and is no part of the answer then.
    """
    if not isinstance(answer, Items) or answer.bracket != "bare":
        return answer, ()
    kept = tuple(item for item in answer.items if not _is_condition(item))
    conditions = tuple(item for item in answer.items if _is_condition(item))
    if not kept or not conditions:
        return answer, ()
    is_domain = all(_domain(condition) is not None for condition in conditions)
    if not is_domain and not any(_may_have_condition(item) for item in kept):
        return answer, ()
    return (Items("bare", kept) if len(kept) > 1 else kept[0]), conditions


def _is_condition(item: Answer) -> bool:
    match item:
        case Relation(sides=(Symbol() | Operation(), bound), signs=(sign,)):
            is_far = isinstance(bound, Number) and abs(bound.value) > _FARTHEST
            return sign in _CONDITION_SIGNS and not is_far and not _is_small(bound)
        case Relation(sides=(_, Symbol(), _), signs=signs):
            return set(signs) <= _CONDITION_SIGNS
    return False


def _is_small(values: Answer) -> bool:
    """Return whether a set leaves a formula next to nothing to hold for."""
    is_finite = isinstance(values, Items) and values.bracket == "set"
    return is_finite or values == Operation("empty")


def _may_have_condition(item: Answer) -> bool:
    match item:
        case Relation(sides=sides, signs=signs):
            return set(signs) == {"="} and any(map(_may_have_condition, sides))
        case Symbol() | Operation():
            return bool(symbols(item))
    return False


def _domain(condition: Answer) -> str | None:
    """Return the name that a condition calls whole, natural or real; else None."""
    match condition:
        case Relation(sides=(Symbol(name=name), numbers), signs=("in",)):
            is_set = isinstance(numbers, Symbol) and numbers.name in NUMBER_SETS
            return name if is_set or numbers == Operation("reals") else None
    return None


def _declared_name(conditions: tuple[Answer, ...]) -> str:
    names = [name for condition in conditions if (name := _domain(condition)) is not None]
    return names[0] if len(names) == 1 else ""


# names without a meaning


def _with_bound_variable(answer: Answer) -> Answer:
    """Rename the variable of `f(n) = n + 1`, which is the same function as `f(x) = x + 1`."""
    match answer:
        case Relation(sides=(Operation(name="mul", operands=(Symbol(name=f), Symbol(name=x))), _)):
            if f in _CALLED and x != _BOUND:
                return _renamed(answer, x, _BOUND) if x != "x" else answer
    return answer


def _with_names_of(gold: Answer, answer: Answer, *, declared: str) -> Answer:
    """Rename one name of the answer to the gold's, where the name has no meaning.

    `declared` is the name that the gold calls whole.
    """
    mine, theirs = _names(gold), _names(answer)
    if {_BOUND, "x"} <= mine ^ theirs:
        old, new = ("x", _BOUND) if _BOUND in mine else (_BOUND, "x")
        answer = _renamed(answer, old, new)
        theirs = _names(answer)
    missing, other = mine - theirs, theirs - mine
    if not missing and not other:
        return answer
    parameters = sorted(other & PARAMETERS)
    if declared in missing and len(parameters) == 1:
        return _renamed(answer, parameters[0], declared)
    if _are_arbitrary(missing) and len(missing) == len(other) and other <= _ARBITRARY:
        return _renamed_in_order(gold, answer, missing, other)
    if len(missing) != 1 or len(other) != 1:
        return answer
    (new,), (old,) = missing, other
    is_integral = new.startswith(("C", "K")) or bool(mine & _VARIABLES)
    if {old, new} <= _CONSTANTS and is_integral and _ends_in(gold, new) and _ends_in(answer, old):
        return _renamed(answer, old, new)
    for allowed, is_kind in ((PARAMETERS, _is_family), (_COEFFICIENTS, _is_call)):
        is_same_kind = is_kind(gold) and is_kind(answer) and _first(gold) == _first(answer)
        is_free = allowed is not _COEFFICIENTS or new in _FREE
        if {old, new} <= allowed and is_same_kind and is_free:
            return _renamed(answer, old, new)
    return answer


def _are_arbitrary(names: frozenset[str]) -> bool:
    """Return whether names can only be constants of integration: `C`, or `c_1` and `c_2`."""
    return (
        bool(names)
        and names <= _ARBITRARY
        and any(name.startswith("C") or "_" in name for name in names)
    )


def _renamed_in_order(
    gold: Answer, answer: Answer, new: frozenset[str], old: frozenset[str]
) -> Answer:
    """Rename arbitrary constants by the order in which they appear."""
    wanted, given = (
        [name for name in dict.fromkeys(_in_order(side)) if name in names]
        for side, names in ((gold, new), (answer, old))
    )
    for number, name in enumerate(given):
        answer = _renamed(answer, name, f"arbitrary {number}")
    for number, name in enumerate(wanted):
        answer = _renamed(answer, f"arbitrary {number}", name)
    return answer


def _in_order(answer: Answer) -> Iterator[str]:
    match answer:
        case Symbol(name=name):
            yield name
        case (
            Operation(operands=parts)
            | Items(items=parts)
            | Choice(items=parts)
            | Relation(sides=parts)
        ):
            for part in parts:
                yield from _in_order(part)


def _names(answer: Answer) -> frozenset[str]:
    match answer:
        case Symbol() | Operation():
            return symbols(answer)
        case Items(items=parts) | Choice(items=parts) | Relation(sides=parts):
            return frozenset().union(*map(_names, parts))
    return frozenset()


def _ends_in(answer: Answer, name: str) -> bool:
    """Return whether a constant of integration is a term of the sum, `x^2 + C`."""
    match answer:
        case Relation(sides=(*_, last), signs=signs) if set(signs) == {"="}:
            return _ends_in(last, name)
        case Operation(name="add", operands=terms):
            return Symbol(name) in terms
    return False


def _is_family(answer: Answer) -> bool:
    """Return whether an answer is a formula in one parameter: `n = 3k`, `(k, k + 1)`."""
    match answer:
        case Items(bracket="()"):
            return len(_names(answer)) == 1
        case Items(bracket="bare", items=items):
            return len(_names(answer)) == 1 and all(map(_is_family, items))
        case Relation(sides=(Items(bracket="()"), Items(bracket="()") as values), signs=("=",)):
            return len(_names(values)) == 1
        case Relation(sides=(Symbol(name=name), value), signs=("=",)):
            names = _names(value)
            return len(names) == 1 and name in _WHOLE_NAMES - names and names <= PARAMETERS
    return False


def _first(answer: Answer) -> Answer | None:
    return answer.sides[0] if isinstance(answer, Relation) else None


def _is_call(answer: Answer) -> bool:
    """Return whether a function is given, so that a further letter is an arbitrary constant."""
    match answer:
        case Relation(sides=(Operation(name="mul", operands=(Symbol(name=f), Symbol())), _)):
            return f in _CALLED
    return False


def _renamed(answer: Answer, old: str, new: str) -> Answer:
    match answer:
        case Items(bracket=bracket, items=items):
            return Items(bracket, tuple(_renamed(item, old, new) for item in items))
        case Choice(word=word, items=items):
            return Choice(word, tuple(_renamed(item, old, new) for item in items))
        case Relation(sides=sides, signs=signs):
            return Relation(tuple(_renamed(side, old, new) for side in sides), signs)
        case Symbol() | Operation():
            return rewritten(answer, partial(_renamed_symbol, old=old, new=new))
    return answer


def _renamed_symbol(expression: Expression, *, old: str, new: str) -> Expression:
    return Symbol(new) if expression == Symbol(old) else expression
