"""The labelled corpus, judged as a user would have it judged."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reasonrl.types import Kind, Status, Task
from reasonrl.verify import Verifier
from tests.corpus import Case, math_cases

CASES = math_cases()
REASONS = sorted({case.reason for case in CASES})
MISSED = {
    r"\boxed{\pm(1, 2)}",  # a sign before a tuple
}


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(deadline_s=30) as verifier:
        yield verifier


def test_the_corpus_is_large_and_every_case_has_a_reason() -> None:
    assert len(CASES) >= 600
    assert len({(case.gold, case.response) for case in CASES}) == len(CASES)
    assert all(case.reason for case in CASES)


@pytest.mark.parametrize("reason", REASONS)
def test_every_case_gets_its_label(verifier: Verifier, reason: str) -> None:
    cases = [case for case in CASES if case.reason == reason]
    wrong = {f"{c.place} {c.gold} | {c.response}" for c in cases if not _as_labelled(verifier, c)}
    missed = {name for name in wrong if any(text in name for text in MISSED)}
    assert wrong == missed


def _as_labelled(verifier: Verifier, case: Case) -> bool:
    """Compare statuses; a plain WRONG stands for any verdict that says so with more detail."""
    verdict = verifier.verify(Task(kind=Kind.MATH, answer=case.gold), case.response)
    if case.label is Status.WRONG:
        return verdict.reward == 0.0
    return verdict.status is case.label
