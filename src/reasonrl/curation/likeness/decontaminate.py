"""Find candidates that are too similar to a protected problem, which a model will be tested on.

Four relations: the same words; the same words with other numbers; most of a protected problem's own
runs of eight words, at any position in the candidate; and nearly the same words, with the same
numbers and answer as among duplicates, or, in a longer problem, so similar that the answer does not
matter. A run is a problem's own if no other protected problem has it; "where m and n are relatively
prime positive integers" belongs to many problems, so it counts for none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reasonrl.curation.answers import is_same_answer
from reasonrl.curation.likeness.fingerprints import Fingerprints, ngrams
from reasonrl.curation.likeness.pairs import (
    ProblemWords,
    joined_pairs,
    joined_pairs_of_any_numbers,
    similarity,
)
from reasonrl.curation.recipe import DecontaminateConfig
from reasonrl.curation.rows import Candidate, Fault, Reason

GRAM = 8
_MIN_GRAMS = 8  # own runs; a protected problem with fewer cannot be found by its runs
_LONG = 20  # words
_ALMOST = 0.9  # similarity of long problems at which numbers and answers do not matter
_ALMOST_SIGNATURES = 0.5
"""Share of equal signature values. A tenth of the words changed leaves about 0.65 of words and
pairs."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A row that is too similar to a protected problem, both by index, and the relation `how`."""

    row: int
    protected: int
    how: str
    similarity: float


class ProtectedIndex:
    """The protected problems, indexed once for each process and then used for every chunk."""

    def __init__(
        self, protected: Fingerprints, answers: Sequence[str], config: DecontaminateConfig
    ) -> None:
        self._protected = protected
        self._answers = answers
        self._config = config
        self._words = ProblemWords(protected)
        self._exact = _first_indices(protected.exact_N)
        self._template = _first_indices(protected.template_N)
        self._grams, self._owners, self._n_grams = _own_grams(protected)

    def hits(self, rows: Fingerprints, answers: Sequence[str]) -> list[Hit]:
        """Return the strongest hit of each row that has any hit, in the order of rows."""
        hits: dict[int, Hit] = {}
        for hit in (*self._equal(rows), *self._near(rows, answers), *self._contained(rows)):
            hits.setdefault(hit.row, hit)
        return [hits[row] for row in sorted(hits)]

    def _equal(self, rows: Fingerprints) -> Iterator[Hit]:
        for how, keys, known in (
            ("same words", rows.exact_N, self._exact),
            ("other numbers", rows.template_N, self._template),
        ):
            for row, key in enumerate(keys.tolist()):
                if key and key in known:
                    yield Hit(row=row, protected=known[key], how=how, similarity=1.0)

    def _contained(self, rows: Fingerprints) -> Iterator[Hit]:
        grams, owners = _row_grams(rows)
        if not len(grams) or not len(self._grams):
            return
        known = np.minimum(np.searchsorted(self._grams, grams), len(self._grams) - 1)
        is_shared = self._grams[known] == grams
        shared = np.stack([owners[is_shared], known[is_shared]], axis=1)
        shared = np.unique(shared, axis=0)  # a run that a row repeats counts once
        of_runs = np.stack([shared[:, 0], self._owners[shared[:, 1]]], axis=1)
        pairs, counts = np.unique(of_runs, axis=0, return_counts=True)
        for (row, protected), count in zip(pairs.tolist(), counts.tolist(), strict=True):
            share = count / int(self._n_grams[protected])
            if share >= self._config.contained and self._n_grams[protected] >= _MIN_GRAMS:
                yield Hit(row=row, protected=protected, how="contained", similarity=round(share, 4))

    def _near(self, rows: Fingerprints, answers: Sequence[str]) -> Iterator[Hit]:
        if self._config.near > 1:
            return
        words = ProblemWords(rows)
        almost = max(_ALMOST, self._config.near)
        of_any_numbers = joined_pairs_of_any_numbers(
            rows, self._protected, least=_ALMOST_SIGNATURES, n_words=_LONG
        )
        for row, protected in of_any_numbers.tolist():
            if (share := similarity(words[row], self._words[protected])) >= almost:
                yield Hit(row=row, protected=protected, how="near", similarity=share)
        for row, protected in joined_pairs(rows, self._protected).tolist():
            share = similarity(words[row], self._words[protected])
            is_near = share >= self._config.near
            if is_near and is_same_answer(self._answers[protected], answers[row]):
                yield Hit(row=row, protected=protected, how="near", similarity=share)


def contamination(hit: Hit, protected: Sequence[Candidate]) -> Fault:
    """Return the fault of a row that has this hit."""
    return Fault(
        reason=Reason.CONTAMINATED,
        detail=hit.how,
        other=protected[hit.protected].uid,
        similarity=hit.similarity,
    )


def _first_indices(keys_N: npt.NDArray[np.uint64]) -> dict[int, int]:
    """Return for each key the index of the first problem that has it; key 0 means no key."""
    first: dict[int, int] = {}
    for index, key in enumerate(keys_N.tolist()):
        if key:
            first.setdefault(key, index)
    return first


def _own_grams(protected: Fingerprints) -> tuple[npt.NDArray[np.uint64], Ints, Ints]:
    """Return the runs that only one protected problem has, sorted; the problem of each run; the
    number of own runs of each problem."""
    grams, owners = _row_grams(protected)
    pairs = np.unique(np.stack([grams, owners.astype(np.uint64)], axis=1), axis=0)
    _, first, counts = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    own = pairs[first[counts == 1]]
    owner = own[:, 1].astype(np.int64)
    return own[:, 0], owner, np.bincount(owner, minlength=len(protected)).astype(np.int64)


def _row_grams(rows: Fingerprints) -> tuple[npt.NDArray[np.uint64], Ints]:
    """Return all runs of eight words that lie within a row, and the row of each run."""
    grams = ngrams(rows.words_W, GRAM)
    lengths = np.diff(rows.starts)
    owners = np.repeat(np.arange(len(rows)), lengths)[: len(grams)]
    is_inside = np.arange(len(grams)) + GRAM <= rows.starts[owners + 1]
    return grams[is_inside], owners[is_inside]
