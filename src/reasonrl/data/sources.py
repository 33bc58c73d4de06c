"""Generated problems: exact arithmetic, and the tasks of the reasoning-gym package.

Reads no files and downloads nothing.
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

Not included are tasks with several right answers (countdown), with answers judged by tolerance
(coin_flip), with a required form that a math verifier cannot check (fraction_simplification), and
with answers that are not numbers.
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

    Exactly `heldout` problems are held out. a+b and b+a are two problems but always on the same
    side, like a*b and b*a. The split depends on `split_seed`, `max_operand`, `heldout` and the set
    of operators: pass the same four values for both sides. Raise DataError for invalid settings.
    """
    _check_choice("operator", operators, get_args(Operator))
    _check_choice("split", [split], get_args(Split))
    _check_template(template)
    classes = _commuting_classes(operators, max_operand)
    held = _draw_heldout(classes, heldout, split_seed)
    sums = sorted(term for members in classes for term in members)
    return [_as_problem(term, template) for term in sums if (term in held) == (split == "heldout")]


def _commuting_classes(operators: Sequence[Operator], max_operand: int) -> list[tuple[Sum, ...]]:
    """Return all sums, with sums that are equal by commutation in one class."""
    if max_operand < 1:
        raise DataError(
            f"max_operand is {max_operand}",
            expected="at least 1",
            remedy="set max_operand to 1 or more",
        )
    return [
        ((op, a, b),) if a == b or op == "sub" else ((op, a, b), (op, b, a))
        for op in _SYMBOLS
        if op in operators
        for a in range(max_operand + 1)
        for b in range(a + 1)
    ]


def _draw_heldout(classes: list[tuple[Sum, ...]], heldout: int, split_seed: int) -> set[Sum]:
    """Return the members of whole classes, `heldout` sums in total.

    Shuffled classes are taken as long as they fit, and a class of one sum comes last: after all
    other classes at most one sum is missing, so the total is always exact.
    """
    total = sum(len(members) for members in classes)
    if not 1 <= heldout < total:
        raise DataError(
            f"heldout is {heldout} of {total} problems",
            expected="at least 1 problem on each side",
            remedy="change heldout, raise max_operand or add operators",
        )
    order = permutation(len(classes), seed=split_seed, stream=0)
    last = next(index for index in order if len(classes[index]) == 1)
    order.remove(last)
    held: set[Sum] = set()
    for index in [*order, last]:
        if len(held) + len(classes[index]) <= heldout:
            held.update(classes[index])
    return held


def _as_problem(term: Sum, template: str) -> Problem:
    op, a, b = term
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
    # A single brace and an unknown name in braces raise one of these.
    except (ValueError, LookupError, AttributeError):
        names = set()
    if names != {"a", "op", "b"}:
        raise DataError(
            f'template "{template}"',
            expected="text with {a}, {op} and {b} and no other braces",
            remedy="double every other brace: {{ and }}",
        )


def gym_problems(task: str, *, size: int, seed: int, config: Mapping[str, object]) -> list[Problem]:
    """Return `size` problems of one of `GYM_TASKS`, with the package's question as prompt.

    `config` holds the settings of the task. The package seeds item i with seed + i, so that two
    neighbouring seeds would share all items except one. `seed` is therefore hashed first, and
    different seeds give different streams. If a task has few questions, a question can still occur
    twice, within a stream or in two streams.

    Raise DataError if the package is missing, the task is not in `GYM_TASKS` or the settings are
    invalid.
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
            remedy="set size to 1 or more, and move size and seed out of config",
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
    """Return (question, answer) pairs from the package."""
    # The package is optional and takes more than a second to import.
    try:
        import reasoning_gym
    except ModuleNotFoundError as error:
        raise DataError(
            "reasoning-gym is not installed",
            expected="the optional package",
            remedy='run pip install "reasonrl[gym]"',
        ) from error
    gym_seed = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> 2)
    try:
        dataset = reasoning_gym.create_dataset(task, **{**config, "size": size, "seed": gym_seed})
        return [(str(item["question"]), str(item["answer"])) for item in dataset]
    # The package refuses settings by one of these errors.
    except (TypeError, ValueError, AssertionError) as error:
        raise DataError(
            f"{task} refuses its settings: {error}",
            expected="settings of the task's config class in reasoning-gym",
            remedy="correct or remove the settings",
        ) from error


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word.lower(), known, n=3)
    return f"did you mean {' or '.join(near)}?" if near else "use one of these"
