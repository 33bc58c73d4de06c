"""Pairs of problems that may be similar, and the similarity of a pair from its words.

Similarity is twice the length of the longest common subsequence of words over the sum of both
lengths, with numbers left blank: 1 for the same words in the same order. Decides nothing; `dedup`
and `decontaminate` have the thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from reasonrl.curation.likeness.fingerprints import BAND, PERMUTATIONS, Array, Fingerprints, bands

Ints = npt.NDArray[np.int64]
Pairs = npt.NDArray[np.int64]  # [K, 2]

SHORT = 8
"""Words. Shorter problems are never near, only equal, because one word can be all that differs."""

_WINDOW = 4  # predecessors in a bucket with which each member is compared
_LIKELY = 0.3  # share of equal signature values; a pair with less is not compared word by word
_SLICE = 65_536  # pairs whose signatures are compared at once


class ProblemWords:
    """The words of each problem as hashes, with numbers left blank, by row."""

    def __init__(self, problems: Fingerprints) -> None:
        self._starts = problems.starts
        self._masked_W = problems.masked_W()

    def __getitem__(self, row: int) -> list[int]:
        words: list[int] = self._masked_W[self._starts[row] : self._starts[row + 1]].tolist()
        return words


def similarity(left: list[int], right: list[int]) -> float:
    """Return the similarity of two lists of words, 0 to 1, to four digits."""
    from rapidfuzz.distance import Indel

    return round(float(Indel.normalized_similarity(left, right)), 4)


def close_pairs(problems: Fingerprints, rows: Ints) -> Pairs:
    """Return pairs (earlier, later) of `rows` with the same numbers that share a band.

    In a large bucket each member is paired with its four predecessors and the first member, so the
    number of pairs is linear in the number of problems for any data.
    """
    rows = rows[problems.lengths()[rows] >= SHORT]
    by_band = [np.empty(0, dtype=np.int64)]
    for band in range(PERMUTATIONS // BAND):
        keys = _with_numbers(bands(problems.signatures_NP[rows], band), problems.numbers_N[rows])
        by_band += _bucket_pairs(keys)
    flat = np.unique(np.concatenate(by_band))
    pairs = rows[np.stack([flat // max(len(rows), 1), flat % max(len(rows), 1)], axis=1)]
    return likely_pairs(pairs, problems, problems, _LIKELY)


def joined_pairs(left: Fingerprints, right: Fingerprints) -> Pairs:
    """Return pairs (row of left, row of right) with the same numbers that share a band."""
    pairs = _joined(left, right, n_words=SHORT, with_numbers=True)
    return likely_pairs(pairs, left, right, _LIKELY)


def joined_pairs_of_any_numbers(
    left: Fingerprints, right: Fingerprints, *, least: float, n_words: int
) -> Pairs:
    """Return pairs (row of left, row of right) that share a band, with the same numbers or not.

    Both problems have `n_words` words or more, and a share `least` of their signature values agree.
    """
    return likely_pairs(
        _joined(left, right, n_words=n_words, with_numbers=False), left, right, least
    )


def likely_pairs(pairs: Pairs, left: Fingerprints, right: Fingerprints, least: float) -> Pairs:
    """Return the pairs in which at least the share `least` of the signature values agree."""
    if not len(pairs):
        return pairs
    shares = [
        (left.signatures_NP[part[:, 0]] == right.signatures_NP[part[:, 1]]).mean(axis=1)
        for part in np.array_split(pairs, len(pairs) // _SLICE + 1)
    ]
    return pairs[np.concatenate(shares) >= least]


def _joined(left: Fingerprints, right: Fingerprints, *, n_words: int, with_numbers: bool) -> Pairs:
    """Return pairs (row of left, row of right) that share a band, of `n_words` words or more.

    `with_numbers` pairs only problems with the same numbers.
    """
    left_rows, right_rows = (np.flatnonzero(side.lengths() >= n_words) for side in (left, right))
    by_band = [np.empty((0, 2), dtype=np.int64)]
    for band in range(PERMUTATIONS // BAND):
        left_keys = bands(left.signatures_NP[left_rows], band)
        right_keys = bands(right.signatures_NP[right_rows], band)
        if with_numbers:
            left_keys = _with_numbers(left_keys, left.numbers_N[left_rows])
            right_keys = _with_numbers(right_keys, right.numbers_N[right_rows])
        order = np.argsort(right_keys, kind="stable")
        first = np.searchsorted(right_keys[order], left_keys, side="left")
        counts = np.searchsorted(right_keys[order], left_keys, side="right") - first
        rows = np.repeat(np.arange(len(left_keys)), counts)
        steps = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        by_band.append(np.stack([left_rows[rows], right_rows[order[first[rows] + steps]]], axis=1))
    return np.unique(np.concatenate(by_band), axis=0)


def _with_numbers(keys: Array, numbers: Array) -> Array:
    return keys ^ (numbers + np.uint64(1))


def _bucket_pairs(keys: Array) -> Iterator[Ints]:
    """Yield arrays of the pairs in a band, each pair as the number earlier * N + later."""
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
