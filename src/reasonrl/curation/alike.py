"""Say how alike two problems are, from their words.

Similarity is twice the longest common subsequence of words over both lengths: 1 for the same words
in the same order. Called by `dedup` and `decontaminate`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from reasonrl.curation.fingerprints import BAND, PERMUTATIONS, Fingerprints, bands

_WINDOW = 4  # neighbours of a bucket that are compared with each of its members
_LIKELY = 0.3  # share of equal signature values below which nothing is looked at more closely
_SHORT = 8  # words; shorter problems are never near, only equal: a word is the whole difference

Pairs = npt.NDArray[np.int64]


class Words:
    """Give the words of one problem of many, with numbers apart."""

    def __init__(self, of: Fingerprints) -> None:
        self._of = of
        self._masked_W = of.masked_W()

    def masked(self, row: int) -> list[int]:
        """Return the hashes of a problem's words, all numbers alike."""
        first, last = self._of.starts[row], self._of.starts[row + 1]
        found: list[int] = self._masked_W[first:last].tolist()
        return found

    def numbers(self, row: int) -> list[int]:
        """Return the hashes of a problem's numbers, sorted."""
        first, last = self._of.starts[row], self._of.starts[row + 1]
        words_W, is_number_W = self._of.words_W[first:last], self._of.is_number_W[first:last]
        found: list[int] = np.sort(words_W[is_number_W]).tolist()
        return found


def similarity(one: list[int], two: list[int]) -> float:
    """Return how alike two lists of words are, 0 to 1."""
    from rapidfuzz.distance import Indel

    return float(Indel.normalized_similarity(one, two))


def near_similarity(some: Words, one: int, others: Words, two: int, threshold: float) -> float:
    """Return how alike two problems with the same numbers are, 0 where that is not enough."""
    left, right = some.masked(one), others.masked(two)
    if min(len(left), len(right)) < _SHORT or some.numbers(one) != others.numbers(two):
        return 0.0
    found = similarity(left, right)
    return round(found, 4) if found >= threshold else 0.0


def close_pairs(one: Fingerprints, rows: Pairs) -> Pairs:
    """Return pairs (earlier, later) of `rows` that share a band of their signatures, [K, 2].

    Of a bucket with many members each meets its four predecessors and the first: linear in the
    number of problems, whatever is in them.
    """
    signatures_NP = one.signatures_NP[rows]
    found: list[npt.NDArray[np.int64]] = []
    for band in range(PERMUTATIONS // BAND):
        keys = bands(signatures_NP, band)
        found += _bucket_pairs(keys)
    if not found:
        return np.empty((0, 2), dtype=np.int64)
    flat = np.unique(np.concatenate(found))
    pairs = np.stack([flat // len(rows), flat % len(rows)], axis=1)
    likely = [
        (signatures_NP[part[:, 0]] == signatures_NP[part[:, 1]]).mean(axis=1) >= _LIKELY
        for part in _slices(pairs)
    ]
    kept: Pairs = rows[pairs[np.concatenate(likely)]] if likely else pairs
    return kept


def _bucket_pairs(keys: npt.NDArray[np.uint64]) -> Iterator[npt.NDArray[np.int64]]:
    """Yield pairs of one band as earlier * N + later."""
    n = len(keys)
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    is_first = np.ones(n, dtype=np.bool_)
    is_first[1:] = ordered[1:] != ordered[:-1]
    first = np.maximum.accumulate(np.where(is_first, np.arange(n), 0))
    later = np.flatnonzero(~is_first)
    yield order[first[later]] * n + order[later]
    for back in range(1, _WINDOW + 1):
        far = later[later - back > first[later]]
        yield order[far - back] * n + order[far]


def _slices(pairs: Pairs, size: int = 65_536) -> Iterator[Pairs]:
    for start in range(0, len(pairs), size):
        yield pairs[start : start + size]
