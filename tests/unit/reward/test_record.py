"""What a reward function sees of a rollout."""

from __future__ import annotations

import json

import pytest

from reasonrl.reward.record import from_json, split_thought, to_json
from tests.unit.reward.support import record


@pytest.mark.parametrize(
    ("response", "opens", "thought", "answer"),
    [
        ("42", False, None, "42"),
        ("<think>a</think>42", False, "a", "42"),
        ("a</think>42", True, "a", "42"),
        ("a", True, "a", ""),
        ("<think>a", False, "a", ""),
        ("x<think>a</think>b</think>42", False, "a</think>b", "42"),
        ("<think>a</think>b<think>c", False, "a", ""),
        ("", False, None, ""),
    ],
)
def test_the_thought_and_the_answer_behind_it(
    response: str, opens: bool, thought: str | None, answer: str
) -> None:
    assert split_thought(response, opens_thought=opens) == (thought, answer)


@pytest.mark.parametrize("right", [None, True, False])
def test_a_record_survives_its_way_to_a_worker(right: bool | None) -> None:
    one = record("<think>\u00e4\U0001f600</think>x", right=right, level=3, tags=["a", None])
    assert from_json(json.loads(json.dumps(to_json(one)))) == one


def test_a_record_cannot_be_written_to() -> None:
    one = from_json(to_json(record("x", level=3)))
    with pytest.raises(AttributeError):
        one.tokens = 0  # type: ignore[misc]
    with pytest.raises(TypeError):
        one.problem.extra["level"] = 4  # type: ignore[index]
