"""What the worker adds to math-verify: the sides of a chain, exact decimals, relative closeness."""

from __future__ import annotations

import pytest

from reasonrl.types import Status
from reasonrl.verify.math.worker import chain_sides, judge


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("x = 2 + 3 = 5", ("2 + 3", "5")), ("a_{10} = 5", ("5",)), ("f(2) = 5", ("5",)),
        ("x = 1, x = 2", ("1, 2",)), ("x < 5", ("x < 5",)),
        (r"\sqrt{2} \approx 1.41", (r"\sqrt{2}",)),
        (r"x \approx 1.41", ("1.41",)), ("x = y", ("y",)), ("(a = 1, b)", ("(a = 1, b)",)),
        ("7", ("7",)),
    ],
)  # fmt: skip
def test_names_and_roundings_are_no_sides_of_a_chain(text: str, sides: tuple[str, ...]) -> None:
    assert chain_sides(text) == sides


@pytest.mark.parametrize(
    ("golds", "answer", "status"),
    [
        ((r"\frac{1}{2004!}",), r"\frac{1}{2006!}", Status.WRONG),
        (("0.1",), r"\frac{1}{10}", Status.CORRECT),
        ((r"\frac{1}{3}",), "0.3333333333", Status.WRONG),
        (("3", "x + 1"), "1 + x", Status.CORRECT),
        (("i",), r"\sqrt{-1}", Status.CORRECT),
        (("5",), "x = 2 + 3 = 6", Status.WRONG),
    ],
)
def test_the_worker_judges_by_value(golds: tuple[str, ...], answer: str, status: Status) -> None:
    # The first call also loads a grammar, which takes most of the usual budget on a busy machine.
    assert judge(golds, answer, budget_s=10.0).status is status


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_answer_that_uses_its_processor_time_up_is_refused() -> None:
    heavy = r"\frac{1}{0}(x+y+z+w)^{99}"

    assert judge(("5",), heavy, budget_s=0.2).status is Status.TOO_LARGE
    assert judge(("5",), "2+3", budget_s=5.0).status is Status.CORRECT
