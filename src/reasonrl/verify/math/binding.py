"""Which value is whose: names before values, units behind them. Called by `same`."""

from __future__ import annotations

from collections.abc import Sequence

from reasonrl.verify.math.tree import Answer, Choice, Items, Quantity, Relation, Symbol


def unnumbered(gold: Items, answer: Items) -> tuple[Items, Items]:
    """Drop the names of `x_1 = 2, x_2 = 3`: indices number the values of one name."""
    names = [{label_of(item) for item in side.items} for side in (gold, answer)]
    # `x = -3, 1` names its first value only.
    if len(names[0]) != 1 or names[0] != names[1] - {""} or not all(names[0]):
        return gold, answer
    values = (tuple(map(_value_named, side.items)) for side in (gold, answer))
    first, second = (Items("bare", items) for items in values)
    return first, second


def _value_named(item: Answer) -> Answer:
    return item.sides[-1] if isinstance(item, Relation) else item


def binds(items: Sequence[Answer]) -> bool:
    """Return whether items say which value is whose: `x = 1, y = 2`, `12 chickens, 8 rabbits`.

    Indices number the values of one name, `x_1 = 2, x_2 = 3`, and bind nothing.
    """
    labels = [label_of(item) for item in items]
    return len(items) > 1 and all(labels) and len(set(labels)) == len(labels)


def assigned_alike(gold: Answer, answer: Answer) -> tuple[Answer, Answer]:
    """Write `(x, y) = (1, 2)` as `x = 1, y = 2` where the other side names values one by one."""
    first, second = _assignments(gold), _assignments(answer)
    if first is not None and second is not None:
        names = [[label_of(item) for item in side.items] for side in (first, second)]
        is_turned = names[0] != names[1] and sorted(names[0]) == sorted(names[1])
        return (first, second) if is_turned else (gold, answer)
    if first is not None and _is_binding_list(answer):
        return first, answer
    if second is not None and _is_binding_list(gold):
        return gold, second
    return gold, answer


def _is_binding_list(answer: Answer) -> bool:
    answer = Items("bare", answer.items) if isinstance(answer, Choice) else answer
    return isinstance(answer, Items) and answer.bracket == "bare" and binds(answer.items)


def _assignments(answer: Answer) -> Items | None:
    """Return the single equations of `(x, y) = (1, 2)`; None for any other answer."""
    match answer:
        case Relation(
            sides=(Items(bracket="()", items=names), Items(bracket="()", items=values)),
            signs=("=",),
        ) if len(names) == len(values) and all(isinstance(name, Symbol) for name in names):
            pairs = zip(names, values, strict=True)
            return Items("bare", tuple(Relation((name, value), ("=",)) for name, value in pairs))
    return None


def in_order_of_names(answer: Answer) -> Answer:
    """Sort the values of `y = 2, x = 1` by their names, where these are coordinates."""
    items = _assignments(answer) or answer
    if not isinstance(items, Items) or items.bracket != "bare" or not binds(items.items):
        return answer
    if not {label_of(item) for item in items.items} <= {"x", "y", "z"}:
        return answer
    return Items("bare", tuple(sorted(items.items, key=label_of)))


def label_of(item: Answer) -> str:
    """Return the name or the unit that says whose value an item is; empty if none."""
    match item:
        case Relation(sides=(Symbol(name=name), _), signs=("=",)):
            return name.partition("_")[0]
        case Quantity(unit=unit):
            return unit
    return ""
