"""Permutations that depend on a seed alone.

Does not use `numpy.random.Generator`: its shuffles may change between NumPy versions, which would
silently reorder a resumed run. NumPy's policy (NEP 19) fixes the raw output of a bit generator.
"""

from __future__ import annotations

import numpy as np

from reasonrl.errors import DataError


def permutation(n: int, *, seed: int, stream: int) -> list[int]:
    """Return 0..n-1 in an order that depends on (n, seed, stream) only.

    The order sorts n 64-bit draws of Philox. Raise DataError for a negative seed.
    """
    check_seed(seed)
    # The stream is a spawn key and not a second entropy word: a seed above 32 bits is two words, so
    # a second word could not be told from a stream.
    sequence = np.random.SeedSequence(seed, spawn_key=(stream,))
    keys = np.random.Philox(sequence).random_raw(n)
    order: list[int] = np.argsort(keys, kind="stable").tolist()
    return order


def check_seed(seed: int) -> None:
    """Raise DataError for a negative seed, which NumPy cannot use."""
    if seed < 0:
        raise DataError(
            f"seed is {seed}", expected="a seed of at least 0", remedy="use a seed >= 0"
        )
