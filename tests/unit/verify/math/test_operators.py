"""Sums, products and integrals are compared part by part."""

from __future__ import annotations

import pytest

from reasonrl.types import Kind, Status, Task
from reasonrl.verify import Verifier
from reasonrl.verify.math.operators import read_operation


def test_the_parts_of_a_sum_are_read() -> None:
    operation = read_operation(r"\sum_{k=1}^{n} k(k+1)")

    assert operation is not None
    assert (operation.low, operation.high, operation.index) == ("1", "n", "k")
    assert operation.body_with("i") == "i(i+1)"


@pytest.mark.parametrize("text", ["5", r"\sum_{k=1}^{n} \sum_{j=1}^{k} j", r"\lim_{n\to 0} n"])
def test_other_texts_are_no_operation_with_bounds(text: str) -> None:
    assert read_operation(text) is None


@pytest.mark.parametrize(
    ("gold", "answer", "status"),
    [
        (r"\sum_{k=1}^{n} k", r"\sum_{i=1}^{n-1} i", Status.WRONG),
        (r"\sum_{k=1}^{n} k(k+1)", r"\sum_{i=1}^{n} (i^2+i)", Status.CORRECT),
        (r"\int_0^1 2x\,dx", r"\int_0^1 (t+t)\,dt", Status.CORRECT),
        (r"\int_0^1 f(x) dx", r"\int_0^2 f(x) dx", Status.WRONG),
    ],
)
def test_one_part_that_differs_decides(
    verifier: Verifier, gold: str, answer: str, status: Status
) -> None:
    task = Task(kind=Kind.MATH, answer=gold)

    assert verifier.verify(task, rf"\boxed{{{answer}}}").status is status
