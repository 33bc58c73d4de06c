"""Contamination: a protected problem is found however it comes, boilerplate is not."""

import pytest

from reasonrl.curation.likeness.decontaminate import ProtectedIndex
from reasonrl.curation.likeness.fingerprints import fingerprint
from reasonrl.curation.recipe import DecontaminateConfig
from tests.unit.curation.support import AIME, STORY

TAIL = "where $m$ and $n$ are relatively prime positive integers. Find $m+n$."
PROTECTED = [
    (AIME, "501"),
    (STORY, "72"),
    (f"The probability that a random walk of 12 steps on a hexagon closes is $m/n$, {TAIL}", "683"),
    (f"The area of the smallest square around a circle of radius 7/3 is $m/n$, {TAIL}", "205"),
]


def hits(*rows, **config):
    texts, answers = zip(*PROTECTED, strict=True)
    index = ProtectedIndex(fingerprint(texts), answers, DecontaminateConfig(**config))
    asked, given = zip(*rows, strict=True)
    return {hit.row: (hit.how, hit.protected) for hit in index.hits(fingerprint(asked), given)}


@pytest.mark.parametrize(
    ("row", "how"),
    [
        ((AIME.replace("$", "\\(", 1), "501"), "same words"),
        ((AIME.replace("500", "600"), "601"), "other numbers"),
        (
            ("Consider this. " * 20 + AIME + " Explain your answer in detail." * 5, "501"),
            "contained",
        ),
        ((AIME.replace("Find the number", "Determine how many"), "501"), "near"),
        ((AIME.replace("exactly one", "at least one"), "3"), "near"),  # whatever its answer
    ],
)
def test_a_protected_problem_is_found(row, how):
    assert hits(row) == {0: (how, 0)}


@pytest.mark.parametrize(
    "row",
    [
        (f"The ratio of the sides of a triangle with area 40 is $m/n$, {TAIL}", "9"),
        ("What is 1 + 1?", "2"),
        ("Natalia sold 48 clips in April.", "72"),
        ("", "1"),
    ],
)
def test_what_only_sounds_like_one_is_not(row):
    assert not hits(row)


def test_near_can_be_switched_off():
    row = (AIME.replace("integer", "whole").replace("exactly", "just"), "501")
    assert hits(row) == {0: ("near", 0)}
    assert not hits(row, near=1.1)


def test_hits_name_their_rows_in_any_place():
    assert hits((STORY, "72"), ("What is 1 + 1?", "2"), (AIME, "501")) == {
        0: ("same words", 1),
        2: ("same words", 0),
    }
