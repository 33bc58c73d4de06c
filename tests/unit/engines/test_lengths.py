"""What the router expects of a prompt's completions."""

import numpy as np

from reasonrl.engines.remote.lengths import Lengths

ONE, OTHER = np.array([1, 2, 3], dtype=np.int32), np.array([1, 2], dtype=np.int32)


def test_nothing_known_is_nothing_expected():
    assert Lengths().expected(ONE) == 0.0


def test_a_prompt_is_expected_to_do_as_it_did_and_an_unknown_one_as_all_do():
    lengths = Lengths()
    lengths.note(ONE, 100)
    lengths.note(OTHER, 1_000)
    assert lengths.expected(ONE) == 100
    assert lengths.expected(OTHER) == 1_000
    assert 100 < lengths.expected(np.array([9], dtype=np.int32)) < 1_000


def test_new_completions_move_the_mean():
    lengths = Lengths()
    for length in (100, 200, 200, 200, 200, 200, 200, 200):
        lengths.note(ONE, length)
    assert 180 < lengths.expected(ONE) < 200
