"""Which problems are compared word by word, and how similar two lists of words are."""

import numpy as np
import pytest

from reasonrl.curation.likeness.fingerprints import fingerprint
from reasonrl.curation.likeness.pairs import (
    SHORT,
    ProblemWords,
    close_pairs,
    joined_pairs,
    joined_pairs_of_any_numbers,
    similarity,
)
from tests.unit.curation.support import AIME, STORY

REWORDED = STORY.replace("How many", "What number of")
RENUMBERED = STORY.replace("48", "52")


def close(*texts):
    problems = fingerprint(texts)
    return [tuple(pair) for pair in close_pairs(problems, np.arange(len(texts))).tolist()]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], 1.0),
        ([1, 2, 3, 4], [1, 3, 4, 5], 0.75),  # 1 3 4 is common: 2 * 3 / 8
        ([1, 2, 3], [3, 2, 1], 0.3333),  # one word is common in order: 2 * 1 / 6
        ([1, 2], [3], 0.0),
        ([1, 2, 3], [], 0.0),
    ],
)
def test_similarity_is_twice_the_common_subsequence_over_both_lengths(left, right, expected):
    assert similarity(left, right) == similarity(right, left) == expected


def test_numbers_are_blank_in_the_words_of_a_problem():
    words = ProblemWords(fingerprint([STORY, AIME, RENUMBERED]))
    assert words[0] == words[2] != words[1]


def test_a_pair_has_the_earlier_row_first_and_the_same_numbers():
    assert close(AIME, STORY, RENUMBERED, REWORDED) == [(1, 3)]


def test_rows_that_are_not_asked_for_are_in_no_pair():
    problems = fingerprint([STORY, REWORDED, STORY])
    assert close_pairs(problems, np.array([0, 2])).tolist() == [[0, 2]]
    assert close_pairs(problems, np.array([], dtype=np.int64)).tolist() == []


def test_a_problem_shorter_than_eight_words_is_in_no_pair():
    seven = "alpha beta gamma delta epsilon zeta eta"
    assert len(seven.split()) == SHORT - 1
    assert close(seven, seven) == []
    assert close(f"{seven} theta", f"{seven} theta") == [(0, 1)]


@pytest.mark.parametrize("n", [2, 5, 6, 60])
def test_pairs_in_a_bucket_are_linear_in_its_members(n):
    """Each member meets its four predecessors and the first member, and no other."""
    expected = {
        (earlier, later)
        for later in range(n)
        for earlier in range(later)
        if earlier == 0 or later - earlier <= 4
    }
    assert set(close(*[STORY] * n)) == expected


def test_two_sets_are_joined_by_row_of_each_with_the_same_numbers():
    left, right = fingerprint([AIME, REWORDED, RENUMBERED]), fingerprint([STORY, AIME])
    assert joined_pairs(left, right).tolist() == [[0, 1], [1, 0]]


def test_long_problems_are_joined_whatever_their_numbers():
    left, right = fingerprint([RENUMBERED, "A short story about 48 clips."]), fingerprint([STORY])
    pairs = joined_pairs_of_any_numbers(left, right, least=0.5, n_words=20)
    assert pairs.tolist() == [[0, 0]]


def test_sets_without_problems_have_no_pairs():
    none, some = fingerprint([]), fingerprint([STORY])
    assert joined_pairs(none, some).tolist() == joined_pairs(some, none).tolist() == []
