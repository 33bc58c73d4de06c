"""Records: properties that follow from their fields."""

import numpy as np

from reasonrl.types import Completion, Prompt, StopReason


def completion(updates):
    return Completion(
        tokens=np.arange(6, dtype=np.int32),
        logprobs=np.zeros(6, np.float32),
        stop=StopReason.STOP,
        version=3,
        updates=updates,
    )


def test_every_token_has_the_version_that_sampled_it():
    assert completion(()).versions().tolist() == [3] * 6
    assert completion(((2, 4), (5, 7))).versions().tolist() == [3, 3, 4, 4, 4, 7]


def test_a_prompt_asks_for_all_members_of_a_group_or_for_the_missing_ones():
    tokens = np.array([1], np.int32)
    assert list(Prompt(tokens=tokens, seed=1).members(3)) == [0, 1, 2]
    assert list(Prompt(tokens=tokens, seed=1, indices=(2, 0)).members(3)) == [2, 0]
