"""Duplicates: what is one problem, what is two, and which one stays."""

import pytest

from reasonrl.curation.likeness.dedup import find_duplicates
from reasonrl.curation.likeness.fingerprints import fingerprint, joined, load
from reasonrl.curation.rows import Reason
from tests.unit.curation.support import AIME, STORY


def found(rows, *, near=0.75, renumbered=True):
    texts, answers = zip(*rows, strict=True)
    return find_duplicates(fingerprint(texts), answers, near=near, renumbered=renumbered)


REWORDED = STORY.replace("Natalia", "Maria").replace("altogether", "in total")
RENUMBERED = STORY.replace("48", "96")
TYPESET = AIME.replace("$", "\\(", 1).replace("$", "\\)", 1).replace("\\log(", "\\log\\left(")


def test_the_first_of_equal_problems_is_kept():
    matches = found([(STORY, "72"), (AIME, "501"), (TYPESET, "501"), (STORY + "\n", "72")])
    assert {row: (match.reason, match.other) for row, match in matches.items()} == {
        2: (Reason.DUPLICATE, 1),
        3: (Reason.DUPLICATE, 0),
    }


def test_other_numbers_in_a_long_problem_are_the_same_problem():
    assert found([(STORY, "72"), (RENUMBERED, "144")])[1].reason is Reason.RENUMBERED
    assert not found([(STORY, "72"), (RENUMBERED, "144")], renumbered=False)


def test_other_numbers_in_a_short_problem_are_another():
    assert not found([("What is 3 + 4?", "7"), ("What is 5 + 6?", "11")])


def test_another_exponent_is_another_problem():
    text = "Let x be a real number with x^2 - x = 1; find the value of the sum of all such numbers"
    assert not found([(text, "1"), (text.replace("^2", "^3"), "0")])


def test_reworded_problems_are_one_if_numbers_and_answer_agree():
    (match,) = found([(STORY, "72"), (REWORDED, "72.0")]).values()
    assert (match.reason, match.other) == (Reason.NEAR_DUPLICATE, 0)
    assert 0.75 <= match.similarity < 1
    assert not found([(STORY, "72"), (REWORDED, "73")])
    assert not found([(STORY, "72"), (REWORDED.replace("48", "49"), "72")])
    assert not found([(STORY, "72"), (REWORDED, "72")], near=1.1)


def test_a_problem_that_asks_the_opposite_stays():
    other = STORY.replace("half as many", "twice as many")
    assert not found([(STORY, "72"), (other, "144")])


def test_equal_problems_with_different_answers_all_go():
    matches = found([(STORY, "72"), (STORY, "70"), (STORY, "72"), (AIME, "501")])
    assert set(matches) == {0, 1, 2}
    assert {match.reason for match in matches.values()} == {Reason.ANSWERS_CONFLICT}


def test_equal_answers_written_differently_are_no_conflict():
    matches = found([(STORY, "0.5"), (STORY, r"\frac{1}{2}"), (STORY, '["1/2"]')])
    assert {match.reason for match in matches.values()} == {Reason.DUPLICATE}
    assert set(matches) == {1, 2}


def test_likeness_is_not_passed_on():
    """A row is dropped for a kept one that it is like itself, never for one that was dropped."""
    words = STORY.split()
    chain = [STORY]
    for place in (2, 8, 14, 18, 22, 25):
        words[place] = words[place] + "x"
        chain.append(" ".join(words))
    matches = found([(text, "72") for text in chain], near=0.9)
    assert matches
    assert all(match.other not in matches for match in matches.values())
    assert min(match.similarity for match in matches.values()) >= 0.9


def test_the_order_decides_and_a_large_bucket_loses_nothing():
    copies = [(f"{STORY} {'x' * (n % 3)}", "72") for n in range(300)]
    matches = found([*copies, (AIME, "501")])
    assert set(matches) == set(range(1, 300))
    assert {match.other for match in matches.values()} == {0}


@pytest.mark.parametrize("rows", [[("", "1")], [("?", "1"), ("!", "2")]])
def test_problems_without_words_are_no_error(rows):
    found(rows)


def test_fingerprints_survive_the_disk_and_joining(tmp_path):
    parts = [fingerprint([STORY]), fingerprint([AIME, "?"])]
    for number, part in enumerate(parts):
        part.save(tmp_path / f"{number}.npz")
    whole = joined([load(tmp_path / f"{number}.npz") for number in range(2)])
    expected = fingerprint([STORY, AIME, "?"])
    assert (whole.words_W == expected.words_W).all()
    assert (whole.starts == expected.starts).all()
    assert (whole.signatures_NP == expected.signatures_NP).all()
    assert len(whole) == 3
