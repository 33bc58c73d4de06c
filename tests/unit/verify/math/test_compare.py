"""What runs in the caller's process is bounded, and guesses nothing."""

from __future__ import annotations

import pytest

from reasonrl.types import Status
from reasonrl.verify.math.bound import size_fault
from reasonrl.verify.math.compare import compare
from reasonrl.verify.math.notation import clean
from reasonrl.verify.math.parse import parse

BOMBS = [
    r"\sin(10^{19999})", r"\binom{20000}{10000}", "x^{x^{x^{x^{x}}}}", "x^{9^{9}}",
    "e^{e^{e^{e^{e}}}}", r"\exp(\exp(\exp(x)))", "((3!)!)!", "5!!!!!!!!", "1+" * 1990 + "1",
    r"\sqrt{" * 35 + "2" + "}" * 35, r"\sin " * 900 + "x", "-" * 3900 + "1", "1," * 1900 + "1",
    r"(-\infty,1)\cup" * 200 + "(1,2)",
    "1<" * 1800 + "x", "|" * 400 + "x" + "|" * 400, "2^" * 900 + "2", r"(\pi^{9999})^{9999}",
    r"\sin " + "x!" * 1_000, r"\log_2 x" + "/x" * 1_900, "1" + r"\pm 1" * 700,
    "7" + r"\bmod 2" * 500, "A" + r"\cup A" * 600, "A" + r"\setminus A" * 350,
    r"\sinh(10^{100})", "i^{i^{i^{i}}}", "(1+i)^{50000}", "0^{-1}", r"\frac{1}{x-x}",
]  # fmt: skip


@pytest.mark.parametrize("gold", ["5", r"\sqrt{2} + x", "1, 2"])
@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb[:20])
def test_a_bomb_ends_by_itself(gold: str, bomb: str) -> None:
    answer = clean(bomb)
    finding = None if size_fault(answer) else compare(gold, answer)
    assert finding is None or finding.status is not Status.CORRECT


@pytest.mark.parametrize("text", ["2 3", "x 2", "1 +", r"\frac{1}{", "(1, 2", "", r"\foo", "5 & 6"])
def test_what_is_not_known_is_not_guessed(text: str) -> None:
    assert parse(text) is None
