"""A minute of random text for the math verifier: it never raises, and it never rewards garbage.

The same examples come every time; FUZZ_SEED=N in the environment draws others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st

from reasonrl.types import Kind, Status, Task
from reasonrl.verify import Verifier
from tests.fuzzing import fuzz
from tests.unit.verify.test_properties import PIECES_SPACED

pytestmark = [pytest.mark.long, pytest.mark.timeout(600), pytest.mark.xdist_group("fuzz")]

SEED = seed(int(os.environ.get("FUZZ_SEED", "0")))
LONG = settings(
    database=None, deadline=None, max_examples=8_000, suppress_health_check=list(HealthCheck)
)

# No piece has a digit 7 or 9, so no answer made of pieces equals a gold that is made of them.
GOLDS = st.sampled_from([
    "979", r"\frac{977}{997}", r"\sqrt{997}", "0.9779", "(977, 997)", r"\{977, 997\}",
    r"[977, \infty)", "y = 977x + 997", "x^2 + 977", r"\begin{pmatrix} 977 \\ 997 \end{pmatrix}",
    "Tegucigalpa", r"x = 977k\pi, k \in \mathbb{Z}", "977:997", "977 ft 99 in",
])  # fmt: skip
PIECES = st.lists(st.sampled_from(PIECES_SPACED.split()), max_size=24).map(" ".join)
ANYTHING = st.text(max_size=200)
GARBAGE = st.one_of(PIECES, ANYTHING, st.tuples(PIECES, ANYTHING).map("".join))
OTHER_NUMBERS = st.integers(-999, 999).filter(lambda number: number != 979)


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(workers=1, unboxed=True) as verifier:
        yield verifier


def status(verifier: Verifier, gold: str, response: str) -> Status:
    return verifier.verify(Task(kind=Kind.MATH, answer=gold), response).status


def test_a_minute_of_damaged_notation_raises_nothing() -> None:
    report = fuzz(seconds=60, seed=int(os.environ.get("FUZZ_SEED", "0")))

    assert report.executions > 0
    assert report.exceptions == {}


@SEED
@LONG
@given(gold=GOLDS, garbage=GARBAGE)
@example(gold="979", garbage="")
def test_garbage_in_a_box_is_never_right(verifier: Verifier, gold: str, garbage: str) -> None:
    assert status(verifier, gold, rf"\boxed{{{garbage}}}") not in (
        Status.CORRECT,
        Status.INFRA_ERROR,
    )


@SEED
@LONG
@given(gold=GOLDS, garbage=GARBAGE)
def test_garbage_without_a_box_is_never_right(verifier: Verifier, gold: str, garbage: str) -> None:
    assert status(verifier, gold, garbage) not in (Status.CORRECT, Status.INFRA_ERROR)


@SEED
@LONG
@given(gold=GARBAGE, answer=GARBAGE)
def test_a_garbled_answer_key_is_a_verdict_too(verifier: Verifier, gold: str, answer: str) -> None:
    # The algebra of a worker may fail on such a key. The verdict then says so, without a reward.
    task = Task(kind=Kind.MATH, answer=gold)
    verdict = verifier.verify(task, rf"\boxed{{{answer}}}")
    assert verdict.reward in (None, 0.0, 1.0)
    assert verdict.status is not Status.INFRA_ERROR or verdict.reward is None


@SEED
@LONG
@given(
    other=OTHER_NUMBERS,
    joint=st.sampled_from([
        ",", ";", "or", "and", r"\text{ or }", r"\text{ and }", r"\pm", "=", r"\ne",
        "+", "-", r"\cdot", "/", "^", r"\cup", r"\le", "<", "...", "to", "|", "&", r"\\",
    ]),
    is_last=st.booleans(),
)  # fmt: skip
def test_the_answer_beside_another_number_is_never_right(
    verifier: Verifier, other: int, joint: str, is_last: bool
) -> None:
    first, second = (str(other), "979") if is_last else ("979", str(other))
    # A rounding may follow the answer, so `979 \approx 0` counts as 979 and is not tested here.
    neutral = {"+": 0, "-": 0, r"\pm": 0, r"\cdot": 1, "/": 1, "^": 1}
    if neutral.get(joint) == other:
        return
    assert status(verifier, "979", rf"\boxed{{{first} {joint} {second}}}") is not Status.CORRECT
