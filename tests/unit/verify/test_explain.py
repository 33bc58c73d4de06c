"""The steps to one verdict, as `reasonrl verify --explain` prints it."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from reasonrl.cli.app import app
from reasonrl.types import Kind, Status, StopReason, Task
from reasonrl.verify import Explanation, Verifier, VerifyItem, explain


def explained(verifier: Verifier, gold: str, response: str, stop: StopReason) -> Explanation:
    task = Task(kind=Kind.MATH, answer=gold)
    return explain(verifier, VerifyItem(task=task, response=response, stop_reason=stop))


def texts_of(explanation: Explanation, name: str) -> list[str]:
    return [rung.text for rung in explanation.rungs if rung.name.strip() == name]


def test_every_rung_is_shown_for_every_gold(verifier: Verifier) -> None:
    ladder = explained(verifier, '["1/2", "x"]', r"a</think>\boxed{0.5}", StopReason.STOP)

    assert texts_of(ladder, "gold") == ["1/2", "x"]
    assert texts_of(ladder, "decided") == ["CORRECT", "WRONG"]
    assert texts_of(ladder, "read as") == ["decimal number: 1/2", "exact number: 1/2", "symbol: x"]
    assert texts_of(ladder, "second route") == ["math-verify agrees"]
    assert not ladder.is_disputed


def test_a_disagreement_of_the_second_route_is_said(verifier: Verifier) -> None:
    ladder = explained(verifier, "1011", r"\boxed{1011_2}", StopReason.STOP)

    assert ladder.verdict.status is Status.WRONG
    assert ladder.is_disputed
    assert "DISAGREES" in texts_of(ladder, "second route")[0]


@pytest.mark.parametrize(
    ("response", "stop", "said"),
    [
        (r"\boxed{5}", StopReason.LENGTH, "the token limit cut the response off"),
        (r"<think>\boxed{5}", StopReason.STOP, "a <think> is still open"),
        ("5", StopReason.STOP, "no box"),
    ],
)
def test_a_response_without_an_answer_says_why(
    verifier: Verifier, response: str, stop: StopReason, said: str
) -> None:
    ladder = explained(verifier, "5", response, stop)

    assert texts_of(ladder, "answer") == [said]
    assert ladder.second is None


def test_the_command_prints_the_ladder_and_asks_for_one_pair() -> None:
    runner = CliRunner()

    done = runner.invoke(app, ["verify", "--explain", "--gold", r"\frac12", "--answer", "0.5"])

    assert "CORRECT, reward 1.0" in done.stdout
    assert runner.invoke(app, ["verify", "--explain", "--gold", "5"]).exit_code != 0
