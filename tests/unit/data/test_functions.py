"""The generated functions: a fixed split, and tests that their own rule passes."""

from __future__ import annotations

import json

import pytest

from reasonrl.data.functions import FIRST, THEN, function_problems
from reasonrl.errors import DataError
from reasonrl.types import Kind
from reasonrl.verify import Verifier, VerifyItem


def test_the_split_is_exact_and_covers_every_part() -> None:
    train, held = function_problems(), function_problems(split="heldout")
    names = {problem.id for problem in train}

    assert (len(train), len(held)) == (len(FIRST) * len(THEN) - 24, 24)
    assert names.isdisjoint(problem.id for problem in held)
    told = {(f, t): f"functions: {t.format(f)}" for f in FIRST for t in THEN}
    trained = [parts for parts, name in told.items() if name in names]
    assert {first for first, _ in trained} == set(FIRST)
    assert {then for _, then in trained} == set(THEN)
    assert {problem.kind for problem in train} == {Kind.CODE}


@pytest.mark.parametrize("heldout", [0, 112])
def test_an_impossible_split_is_refused(heldout: int) -> None:
    with pytest.raises(DataError, match="heldout"):
        function_problems(heldout=heldout)


def test_what_the_question_says_passes_its_tests() -> None:
    words = {"a squared": "a * a", "b squared": "b * b", "twice a": "2 * a", "twice b": "2 * b"}
    items = []
    for problem in function_problems():
        what = problem.id.removeprefix("functions: ")
        for told, meant in words.items():
            what = what.replace(told, meant)
        code = f"```python\ndef f(a, b):\n    return {what}\n```"
        items.append(VerifyItem(task=problem.task, response=code))
    with Verifier() as verifier:
        assert {verdict.reward for verdict in verifier.verify_batch(items)} == {1.0}
    assert len(json.loads(items[0].task.answer)["inputs"]) == 6
