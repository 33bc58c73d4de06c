"""Say how alike two problems are, from their words, and which are worth asking about.

Similarity is twice the longest common subsequence of words over both lengths, numbers left blank: 1
for the same words in the same order. Called by `dedup` and `decontaminate`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from reasonrl.curation.likeness.fingerprints import BAND, PERMUTATIONS, Array, Fingerprints, bands

Ints = npt.NDArray[np.int64]
Pairs = npt.NDArray[np.int64]  # [K, 2]

SHORT = 8
"""Words; shorter problems are never near, only equal: one word is the whole difference."""

_WINDOW = 4  # neighbours of a bucket that are compared with each of its members
_LIKELY = 0.3  # share of equal signature values below which nothing is looked at more closely
_SLICE = 65_536  # pairs whose signatures are compared at once


class Words:
    """Give the words of one problem of many, numbers left blank."""

    def __init__(self, of: Fingerprints) -> None:
        self._starts = of.starts
        self._masked_W = of.masked_W()

    def __getitem__(self, row: int) -> list[int]:
        found: list[int] = self._masked_W[self._starts[row] : self._starts[row + 1]].tolist()
        return found


def similarity(one: list[int], two: list[int]) -> float:
    """Return how alike two lists of words are, 0 to 1, to four digits."""
    from rapidfuzz.distance import Indel

    return round(float(Indel.normalized_similarity(one, two)), 4)


def close_pairs(of: Fingerprints, rows: Ints) -> Pairs:
    """Return pairs (earlier, later) of `rows` with the same numbers that share a band.

    Of a bucket with many members each meets its four predecessors and the first: linear in the
    number of problems, whatever is in them.
    """
    rows = rows[of.lengths()[rows] >= SHORT]
    found = [np.empty(0, dtype=np.int64)]
    for band in range(PERMUTATIONS // BAND):
        keys = _with_numbers(bands(of.signatures_NP[rows], band), of.numbers_N[rows])
        found += _bucket_pairs(keys)
    flat = np.unique(np.concatenate(found))
    pairs = rows[np.stack([flat // max(len(rows), 1), flat % max(len(rows), 1)], axis=1)]
    return likely_pairs(pairs, of, of, _LIKELY)


def joined_pairs(left: Fingerprints, right: Fingerprints) -> Pairs:
    """Return pairs (row of left, row of right) with the same numbers that share a band."""
    pairs = _joined(left, right, n_words=SHORT, with_numbers=True)
    return likely_pairs(pairs, left, right, _LIKELY)


def joined_pairs_of_any_numbers(
    left: Fingerprints, right: Fingerprints, *, least: float, n_words: int
) -> Pairs:
    """Return pairs that share a band, of problems with `n_words` or more, whatever their numbers.

    `least` is the share of signature values that agree.
    """
    return likely_pairs(
        _joined(left, right, n_words=n_words, with_numbers=False), left, right, least
    )


def likely_pairs(pairs: Pairs, left: Fingerprints, right: Fingerprints, least: float) -> Pairs:
    """Return the pairs of which at least a share of signature values agrees."""
    if not len(pairs):
        return pairs
    shares = [
        (left.signatures_NP[part[:, 0]] == right.signatures_NP[part[:, 1]]).mean(axis=1)
        for part in np.array_split(pairs, len(pairs) // _SLICE + 1)
    ]
    return pairs[np.concatenate(shares) >= least]


def _joined(left: Fingerprints, right: Fingerprints, *, n_words: int, with_numbers: bool) -> Pairs:
    """Return pairs that share a band, of problems with `n_words` or more."""
    ours, others = (np.flatnonzero(one.lengths() >= n_words) for one in (left, right))
    found = [np.empty((0, 2), dtype=np.int64)]
    for band in range(PERMUTATIONS // BAND):
        mine = bands(left.signatures_NP[ours], band)
        theirs = bands(right.signatures_NP[others], band)
        if with_numbers:
            mine = _with_numbers(mine, left.numbers_N[ours])
            theirs = _with_numbers(theirs, right.numbers_N[others])
        order = np.argsort(theirs, kind="stable")
        first = np.searchsorted(theirs[order], mine, side="left")
        counts = np.searchsorted(theirs[order], mine, side="right") - first
        rows = np.repeat(np.arange(len(mine)), counts)
        steps = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        found.append(np.stack([ours[rows], others[order[first[rows] + steps]]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _with_numbers(keys: Array, numbers: Array) -> Array:
    return keys ^ (numbers + np.uint64(1))


def _bucket_pairs(keys: Array) -> Iterator[Ints]:
    """Yield pairs of one band as earlier * N + later."""
    n = len(keys)
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    is_first = np.ones(n, dtype=np.bool_)
    is_first[1:] = ordered[1:] != ordered[:-1]
    first = np.maximum.accumulate(np.where(is_first, np.arange(n), 0))
    later = np.flatnonzero(~is_first)
    yield order[first[later]] * n + order[later]
    for back in range(2, _WINDOW + 1):
        far = later[later - back > first[later]]
        yield order[far - back] * n + order[far]
    yield order[later - 1] * n + order[later]
