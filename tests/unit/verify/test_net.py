"""The net around judging: an exception becomes a verdict, and no response masks itself."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from reasonrl.types import Kind, Status, Task
from reasonrl.verify import Verifier
from reasonrl.verify.finding import Finding
from reasonrl.verify.net import caught


def fails(*_: object) -> Finding:
    raise ZeroDivisionError


def works(*_: object) -> Finding:
    return Finding(status=Status.CORRECT)


@pytest.mark.parametrize(
    ("key_alone", "status"), [(works, Status.UNPARSABLE), (fails, Status.INFRA_ERROR)]
)
def test_a_response_is_blamed_only_where_the_key_alone_works(
    key_alone: Callable[[], Finding], status: Status
) -> None:
    found = caught(fails, key_alone=key_alone, blame=Status.UNPARSABLE)

    assert found.status is status
    assert "ZeroDivisionError" in found.reason


def test_exhausted_memory_is_the_machines_fault() -> None:
    def exhausts() -> Finding:
        raise MemoryError

    found = caught(exhausts, key_alone=works, blame=Status.UNPARSABLE)

    assert found.status is Status.INFRA_ERROR


def test_an_exception_that_does_not_come_back_leaves_no_trace() -> None:
    calls: list[int] = []

    def fails_once() -> Finding:
        calls.append(1)
        return works() if len(calls) > 1 else fails()

    assert caught(fails_once, key_alone=works, blame=Status.UNPARSABLE).status is Status.CORRECT


def at_depth(frames: int, work: Callable[[], object]) -> object:
    return work() if frames == 0 else at_depth(frames - 1, work)


@pytest.mark.parametrize(
    "answer",
    ["1/" * 244 + "1", r"\frac" * 195 + "1", "2^" * 300 + "1", r"\binom" * 300,
     r"\sqrt" * 400 + "2",
     "-" * 500 + "5", r"\begin{cases}" * 200, "x!" * 500, "|" * 300, r"\text{" * 300, "①",
     r"\begin{cases}\end{cases}", "\ud800", "\x00" * 10, "5" * 5_000, r"\sin " * 700],
)  # fmt: skip
def test_no_answer_raises_however_deep_the_callers_stack_is(
    verifier: Verifier, answer: str
) -> None:
    task = Task(kind=Kind.MATH, answer="5")
    depth = sys.getrecursionlimit() - 250

    verdicts = [
        verifier.verify(task, rf"\boxed{{{answer}}}"),
        at_depth(depth, lambda: verifier.verify(task, rf"\boxed{{{answer}}}")),
    ]

    assert [verdict.reward for verdict in verdicts] == [0.0, 0.0]


@pytest.mark.parametrize(
    "key", ["1/" * 244 + "1", r"\frac" * 195, "①", "\ud800", "", r"\begin{cases}\end{cases}"]
)
def test_no_key_raises_and_none_gives_a_reward(verifier: Verifier, key: str) -> None:
    verdict = verifier.verify(Task(kind=Kind.MATH, answer=key), r"\boxed{5}")

    assert verdict.reward in (None, 0.0)
