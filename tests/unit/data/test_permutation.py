"""Permutations: recorded orders that must never change, and seeds that do not collide."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonrl.data.permutation import check_seed, permutation
from reasonrl.errors import DataError


@given(st.integers(0, 40), st.integers(0, 2**64), st.integers(0, 2**31))
def test_an_order_holds_every_number_once(n: int, seed: int, stream: int) -> None:
    assert sorted(permutation(n, seed=seed, stream=stream)) == list(range(n))


def test_permutations_never_change_between_versions() -> None:
    # Recorded with NumPy 2.4.6; a change would silently reorder every resumed run.
    assert permutation(8, seed=0, stream=0) == [1, 4, 5, 6, 2, 0, 3, 7]
    assert permutation(8, seed=0, stream=1) == [7, 6, 2, 3, 1, 0, 4, 5]


def test_a_seed_over_32_bits_is_not_the_stream_of_a_smaller_one() -> None:
    assert permutation(50, seed=2**32 + 5, stream=0) != permutation(50, seed=5, stream=1)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(DataError, match="seed is -1; expected a seed of at least 0"):
        check_seed(-1)
    with pytest.raises(DataError, match="seed is -3"):
        permutation(4, seed=-3, stream=0)
