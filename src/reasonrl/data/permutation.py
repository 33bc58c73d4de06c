"""Permute by seed alone.

Does not use `numpy.random.Generator`: its shuffles may change between NumPy versions, which would
silently reorder a resumed run. The raw output of a bit generator is fixed by NumPy's policy (NEP
19). Called by `data.sampler` and `data.sources`.
"""

from __future__ import annotations

import numpy as np

from reasonrl.errors import DataError


def permutation(n: int, *, seed: int, stream: int) -> list[int]:
    """Return 0..n-1 in an order that depends on (n, seed, stream) only.

    Sorts n 64-bit draws of Philox, one for each place. Raise DataError for a negative seed.
    """
    check_seed(seed)
    # A spawn key, not a second entropy word: as words, seeds over 32 bits would run into streams.
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
