"""Text answers and choices are compared as words."""

from __future__ import annotations

import pytest

from reasonrl.types import Status
from reasonrl.verify.math.words import Words, is_no_solution, judge_words, read_words, unwrapped


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (r"\text{Tuesday}", "Tuesday"), (r"\textbf{(B)} 12", "(B) 12"), (r"\mathrm{no}.", "no"),
        (r"\text{ a   b }", "a b"), ("plain", "plain"),
    ],
)  # fmt: skip
def test_the_marks_of_text_are_dropped(text: str, plain: str) -> None:
    assert unwrapped(text) == plain


@pytest.mark.parametrize(
    ("text", "is_math", "words"),
    [
        (r"\text{The Tuesday}", False, Words(phrase="tuesday")),
        ("B", False, Words(choices=frozenset("B"))),
        ("(B)", True, Words(choices=frozenset("B"))),
        ("A, C", False, Words(choices=frozenset("AC"))),
        ("yes", True, Words(phrase="yes")), ("abc", True, None), ("12", False, None),
        ("x", True, None),
    ],
)  # fmt: skip
def test_a_gold_is_words_only_where_it_cannot_be_meant_as_mathematics(
    text: str, is_math: bool, words: Words | None
) -> None:
    assert read_words(text, is_math=is_math) == words


@pytest.mark.parametrize(
    ("gold", "answer", "status"),
    [
        (Words(choices=frozenset("B")), "(B) 12", Status.CORRECT),
        (Words(choices=frozenset("B")), "the correct answer is b", Status.CORRECT),
        (Words(choices=frozenset("B")), "C", Status.WRONG),
        (Words(choices=frozenset("B")), "A, B", Status.AMBIGUOUS),
        (Words(choices=frozenset("B")), "(B) or (C)", Status.AMBIGUOUS),
        (Words(choices=frozenset("X")), "x", Status.WRONG),
        (Words(choices=frozenset("AC")), "C and A", Status.CORRECT),
        (Words(choices=frozenset("AC")), "A", Status.WRONG),
        (Words(phrase="tuesday"), r"\text{on Tuesday}", Status.WRONG),
        (Words(phrase="tuesday"), r"\text{TUESDAY}.", Status.CORRECT),
    ],
)
def test_one_choice_must_be_made_and_a_phrase_must_be_whole(
    gold: Words, answer: str, status: Status
) -> None:
    assert judge_words(gold, answer).status is status


@pytest.mark.parametrize("text", ["no solutions", r"\text{There are no solutions}", r"\emptyset"])
def test_every_phrase_for_no_solution_is_known(text: str) -> None:
    assert is_no_solution(text)
