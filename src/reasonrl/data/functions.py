"""Make small programming problems from nothing: one function of two integers, told in a line.

Answers are test sets of calls, for the code verifier; no answer is a program. Reads no files.
Called by `pools`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Literal

from reasonrl.data.permutation import permutation
from reasonrl.errors import DataError
from reasonrl.types import Kind, Message, Problem

Binary = Callable[[int, int], int]

FIRST: Mapping[str, Binary] = {
    "a + b": lambda a, b: a + b,
    "a - b": lambda a, b: a - b,
    "b - a": lambda a, b: b - a,
    "a * b": lambda a, b: a * b,
    "max(a, b)": max,
    "min(a, b)": min,
    "a squared": lambda a, b: a * a,
    "b squared": lambda a, b: b * b,
    "twice a": lambda a, b: 2 * a,
    "twice b": lambda a, b: 2 * b,
    "a % b": lambda a, b: a % b,
    "abs(a)": lambda a, b: abs(a),
    "abs(a - b)": lambda a, b: abs(a - b),
    "a * a + b": lambda a, b: a * a + b,
}
"""What is computed first, as it is told and as a rule."""

THEN: Mapping[str, Callable[[int], int]] = {
    "{}": lambda x: x,
    "{} + 1": lambda x: x + 1,
    "{} + 7": lambda x: x + 7,
    "{} - 2": lambda x: x - 2,
    "{} - 5": lambda x: x - 5,
    "3 * ({})": lambda x: x * 3,
    "10 * ({})": lambda x: x * 10,
    "-({})": lambda x: -x,
}
"""What is done with it: 14 * 8 = 112 problems."""

_SPLIT_STREAM = 20_001  # apart from the streams of other draws
_CALLS = ((5, 3), (2, 9), (7, 7), (12, 5), (-3, 2), (4, -6))
_EXAMPLES = ("a // b", "100 - a")  # turns that show the form; neither is a problem


def function_problems(
    *, split: Literal["train", "heldout"] = "train", heldout: int = 24, split_seed: int = 0
) -> list[Problem]:
    """Return one side of a fixed split of the 112 problems.

    Held out are combinations: with the default 24, every first and every second part is trained on
    in others. Raise DataError if so many cannot be held out.
    """
    whole = [(first, then) for first in FIRST for then in THEN]
    if not 1 <= heldout < len(whole):
        raise DataError(
            f"heldout = {heldout} of {len(whole)} problems",
            expected=f"1 to {len(whole) - 1}",
            remedy="hold out fewer",
        )
    order = permutation(len(whole), seed=split_seed, stream=_SPLIT_STREAM)
    held = {whole[place] for place in order[:heldout]}
    return [_problem(*parts) for parts in whole if (parts in held) == (split == "heldout")]


def _question(what: str) -> Message:
    return Message(role="user", content=f"Write a Python function f(a, b) that returns {what}.")


def _solution(what: str) -> Message:
    code = f"```python\ndef f(a, b):\n    return {what}\n```"
    return Message(role="assistant", content=code)


_SHOWN = tuple(turn for what in _EXAMPLES for turn in (_question(what), _solution(what)))


def _problem(first: str, then: str) -> Problem:
    results = [THEN[then](FIRST[first](a, b)) for a, b in _CALLS]
    tests = {
        "fn_name": "f",
        "inputs": [f"{a}\n{b}" for a, b in _CALLS],
        "outputs": [json.dumps(result) for result in results],
    }
    what = then.format(first)
    return Problem(
        id=f"functions: {what}",
        prompt=(*_SHOWN, _question(what)),
        answer=json.dumps(tests),
        kind=Kind.CODE,
        source="functions",
    )
