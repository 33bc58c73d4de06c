"""Generated programming problems: one function of two integers, described in one line.

An answer is a set of test calls for the code verifier, not a program. Reads no files.
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
"""The first part of a function, as described in the prompt and as a rule."""

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
"""The second part, applied to the result of the first: 14 * 8 = 112 problems."""

# The split has a random stream of its own, different from the streams of other draws.
_SPLIT_STREAM = 20_001
_CALLS = ((5, 3), (2, 9), (7, 7), (12, 5), (-3, 2), (4, -6))

# The example turns show the form of an answer. Neither example is one of the problems.
_EXAMPLES = ("a // b", "100 - a")


def function_problems(
    *, split: Literal["train", "heldout"] = "train", heldout: int = 24, split_seed: int = 0
) -> list[Problem]:
    """Return one side of a fixed split of the 112 problems.

    Combinations of parts are held out: with the default of 24, every first and every second part
    also occurs in a problem to train on. Raise DataError if `heldout` leaves one side empty.
    """
    pairs = [(first, then) for first in FIRST for then in THEN]
    if not 1 <= heldout < len(pairs):
        raise DataError(
            f"heldout = {heldout} of {len(pairs)} problems",
            expected=f"1 to {len(pairs) - 1}",
            remedy=f"set heldout to 1 to {len(pairs) - 1}",
        )
    order = permutation(len(pairs), seed=split_seed, stream=_SPLIT_STREAM)
    held = {pairs[index] for index in order[:heldout]}
    return [_problem(*pair) for pair in pairs if (pair in held) == (split == "heldout")]


def _question(expression: str) -> Message:
    text = f"Write a Python function f(a, b) that returns {expression}."
    return Message(role="user", content=text)


def _solution(expression: str) -> Message:
    code = f"```python\ndef f(a, b):\n    return {expression}\n```"
    return Message(role="assistant", content=code)


_SHOWN = tuple(turn for text in _EXAMPLES for turn in (_question(text), _solution(text)))


def _problem(first: str, then: str) -> Problem:
    results = [THEN[then](FIRST[first](a, b)) for a, b in _CALLS]
    tests = {
        "fn_name": "f",
        "inputs": [f"{a}\n{b}" for a, b in _CALLS],
        "outputs": [json.dumps(result) for result in results],
    }
    expression = then.format(first)
    return Problem(
        id=f"functions: {expression}",
        prompt=(*_SHOWN, _question(expression)),
        answer=json.dumps(tests),
        kind=Kind.CODE,
        source="functions",
    )
