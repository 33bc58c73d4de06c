"""Make problems from nothing: exact arithmetic, and the tasks of the reasoning-gym package.

Does not read files and downloads nothing. Called by `launch`.
"""

from __future__ import annotations

import difflib
import string
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np

from reasonrl.data.permutation import check_seed, permutation
from reasonrl.errors import DataError
from reasonrl.types import Message, Problem

Operator: TypeAlias = Literal["add", "sub", "mul"]
Split: TypeAlias = Literal["train", "heldout"]
Sum: TypeAlias = tuple[Operator, int, int]

ARITHMETIC_TEMPLATE = "What is {a} {op} {b}? Answer with just the number."

GYM_TASKS = (
    "aiw",
    "basic_arithmetic",
    "binary_alternation",
    "chain_sum",
    "circuit_logic",
    "count_bits",
    "count_primes",
    "decimal_chain_sum",
    "dice",
    "gcd",
    "gsm_symbolic",
    "largest_island",
    "lcm",
    "leg_counting",
    "letter_counting",
    "maze",
    "number_sequence",
    "products",
    "rectangle_count",
    "rotten_oranges",
    "self_reference",
    "simple_equations",
    "simple_geometry",
)
"""The tasks of reasoning-gym 0.1.25 whose answer is one exact number or fraction.

Left out: several right answers (countdown), answers judged by tolerance (coin_flip), a form asked
for that a math verifier does not tell from others (fraction_simplification), and all that is not
a number.
"""

_SYMBOLS: dict[Operator, str] = {"add": "+", "sub": "-", "mul": "*"}


def arithmetic_problems(
    *,
    operators: Sequence[Operator],
    max_operand: int = 9,
    split: Split = "train",
    heldout: int = 64,
    split_seed: int = 0,
    template: str = ARITHMETIC_TEMPLATE,
) -> list[Problem]:
    """Return one side of a fixed split of all `a op b` with operands 0 to `max_operand`.

    With m = max_operand + 1 there are m*m problems for add and for mul, and m*(m+1)/2 for sub,
    where a >= b so that no answer is negative. With m = 10 and all three operators: 255 problems,
    191 to train on and 64 held out.

    Exactly `heldout` problems are held out; a+b and b+a, and a*b and b*a, are two problems but
    always on one side. The split depends on `split_seed`, `max_operand`, `heldout` and the set of
    operators: pass the same four for both sides. Raise DataError for settings that cannot be met.
    """
    _check_choice("operator", operators, get_args(Operator))
    _check_choice("split", [split], get_args(Split))
    _check_template(template)
    classes = _commuting_classes(operators, max_operand)
    held = _draw_heldout(classes, heldout, split_seed)
    sums = sorted(one for members in classes for one in members)
    return [_as_problem(one, template) for one in sums if (one in held) == (split == "heldout")]


def _commuting_classes(operators: Sequence[Operator], max_operand: int) -> list[tuple[Sum, ...]]:
    """Return all sums, those that commute into each other as one class."""
    if max_operand < 1:
        raise DataError(
            f"max_operand is {max_operand}", expected="at least 1", remedy="raise max_operand"
        )
    return [
        ((op, a, b),) if a == b or op == "sub" else ((op, a, b), (op, b, a))
        for op in _SYMBOLS
        if op in operators
        for a in range(max_operand + 1)
        for b in range(a + 1)
    ]


def _draw_heldout(classes: list[tuple[Sum, ...]], heldout: int, split_seed: int) -> set[Sum]:
    """Return the members of whole classes, `heldout` in all.

    Takes shuffled classes that still fit. A class of one is kept for last: after all others at
    most 1 can be missing, so the number is always met exactly.
    """
    total = sum(len(members) for members in classes)
    if not 1 <= heldout < total:
        raise DataError(
            f"heldout is {heldout} of {total} problems",
            expected="at least 1 problem on each side",
            remedy="change heldout, raise max_operand or add operators",
        )
    order = permutation(len(classes), seed=split_seed, stream=0)
    spare = next(place for place in order if len(classes[place]) == 1)
    order.remove(spare)
    held: set[Sum] = set()
    for place in [*order, spare]:
        if len(held) + len(classes[place]) <= heldout:
            held.update(classes[place])
    return held


def _as_problem(one: Sum, template: str) -> Problem:
    op, a, b = one
    answer = a + b if op == "add" else a - b if op == "sub" else a * b
    text = template.format(a=a, op=_SYMBOLS[op], b=b)
    return Problem(
        id=f"{op}-{a}-{b}",
        prompt=(Message(role="user", content=text),),
        answer=str(answer),
        source=f"arithmetic/{op}",
    )


def _check_choice(what: str, chosen: Sequence[str], known: Sequence[str]) -> None:
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise DataError(
            f'unknown {what} "{unknown[0]}"' if unknown else f"no {what}",
            expected=f"one of {', '.join(known)}",
            remedy=_did_you_mean(unknown[0], known) if unknown else f"name at least one {what}",
        )


def _check_template(template: str) -> None:
    try:
        template.format(a=1, op="+", b=2)
        names = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
    except (ValueError, LookupError, AttributeError):  # a lone brace, or another name in braces
        names = set()
    if names != {"a", "op", "b"}:
        raise DataError(
            f'template "{template}"',
            expected="text with {a}, {op} and {b} and no other braces",
            remedy="write any other brace twice, as {{ and }}",
        )


def gym_problems(task: str, *, size: int, seed: int, config: Mapping[str, object]) -> list[Problem]:
    """Return `size` problems of one of `GYM_TASKS`, with the package's own question as prompt.

    `config` holds the task's own settings. The package seeds item i with seed + i, so two
    neighbouring seeds would share all items but one; `seed` is therefore hashed first, and
    different seeds give different streams. A question can still occur twice, within a stream or
    across two, when the task has few of them.

    Raise DataError when the package is missing, the task is not in `GYM_TASKS` or the settings do
    not fit.
    """
    check_seed(seed)
    if task not in GYM_TASKS:
        raise DataError(
            f'"{task}" is not a reasoning-gym task with plain numbers as answers',
            expected=f"one of {', '.join(GYM_TASKS)}",
            remedy=_did_you_mean(task, GYM_TASKS),
        )
    if size < 1 or config.keys() & {"size", "seed"}:
        raise DataError(
            f"size is {size} and config sets {', '.join(config) or 'nothing'}",
            expected="size of at least 1, and size and seed outside config",
            remedy="correct size, or move size and seed out of config",
        )
    return [
        Problem(
            id=f"gym-{task}-{seed}-{index}",
            prompt=(Message(role="user", content=question),),
            answer=answer,
            source=f"gym/{task}",
        )
        for index, (question, answer) in enumerate(_generate(task, size, seed, config))
    ]


def _generate(
    task: str, size: int, seed: int, config: Mapping[str, object]
) -> list[tuple[str, str]]:
    """Return (question, answer) pairs of the package."""
    try:
        import reasoning_gym  # optional, and takes more than a second
    except ModuleNotFoundError as error:
        raise DataError(
            "reasoning-gym is not installed",
            expected="the optional package",
            remedy='pip install "reasonrl[gym]"',
        ) from error
    gym_seed = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> 2)
    try:
        dataset = reasoning_gym.create_dataset(task, **{**config, "size": size, "seed": gym_seed})
        return [(str(item["question"]), str(item["answer"])) for item in dataset]
    except (TypeError, ValueError, AssertionError) as error:  # how the package refuses settings
        raise DataError(
            f"{task} refuses its settings: {error}",
            expected="settings as in the task's config class in reasoning-gym",
            remedy="correct or remove them",
        ) from error


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word.lower(), known, n=3)
    return f"did you mean {' or '.join(near)}?" if near else "use one of these"
