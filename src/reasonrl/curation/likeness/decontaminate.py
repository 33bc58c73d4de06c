"""Find candidates that are too much like a protected problem: one that a model will be tested on.

Four relations: the same words; the same but for numbers; most of a protected problem's own runs of
eight words, wherever they stand in the candidate; and nearly the same words, with the same numbers
and answer as among duplicates, or, in a longer problem, so nearly that the answer does not matter.
Runs that two protected problems share ("where m and n are relatively prime positive integers") are
nobody's own. Called by `steps`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reasonrl.curation.answers import is_same_answer
from reasonrl.curation.likeness.fingerprints import Fingerprints, ngrams
from reasonrl.curation.likeness.pairs import (
    Words,
    joined_pairs,
    joined_pairs_of_any_numbers,
    similarity,
)
from reasonrl.curation.recipe import DecontaminateConfig
from reasonrl.curation.rows import Candidate, Fault, Reason

GRAM = 8
_MIN_GRAMS = 8  # of its own that a protected problem needs to be found by them
_LONG = 20  # words
_ALMOST = 0.9  # similarity of long problems at which numbers and answers do not matter
_ALMOST_SIGNATURES = 0.5  # a tenth of the words changed leaves some 0.65 of words and pairs

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Say that a row is like a protected problem, both by number, and how."""

    row: int
    protected: int
    how: str
    similarity: float


class ProtectedIndex:
    """Hold what is looked for: built once in a process, asked for every chunk."""

    def __init__(
        self, of: Fingerprints, answers: Sequence[str], config: DecontaminateConfig
    ) -> None:
        self._of = of
        self._answers = answers
        self._config = config
        self._words = Words(of)
        self._exact = _first_places(of.exact_N)
        self._template = _first_places(of.template_N)
        self._grams, self._owners, self._n_grams = _own_grams(of)

    def hits(self, rows: Fingerprints, answers: Sequence[str]) -> list[Hit]:
        """Return the strongest hit of each row that has one, in the order of rows."""
        found: dict[int, Hit] = {}
        for hit in (*self._equal(rows), *self._near(rows, answers), *self._contained(rows)):
            found.setdefault(hit.row, hit)
        return [found[row] for row in sorted(found)]

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
        places = np.minimum(np.searchsorted(self._grams, grams), len(self._grams) - 1)
        is_found = self._grams[places] == grams
        shared = np.stack([owners[is_found], places[is_found]], axis=1)
        shared = np.unique(shared, axis=0)  # a run that a row repeats counts once
        pairs = np.stack([shared[:, 0], self._owners[shared[:, 1]]], axis=1)
        whole, counts = np.unique(pairs, axis=0, return_counts=True)
        for (row, protected), count in zip(whole.tolist(), counts.tolist(), strict=True):
            share = count / int(self._n_grams[protected])
            if share >= self._config.contained and self._n_grams[protected] >= _MIN_GRAMS:
                yield Hit(row=row, protected=protected, how="contained", similarity=round(share, 4))

    def _near(self, rows: Fingerprints, answers: Sequence[str]) -> Iterator[Hit]:
        if self._config.near > 1:
            return
        words = Words(rows)
        almost = max(_ALMOST, self._config.near)
        others = joined_pairs_of_any_numbers(
            rows, self._of, least=_ALMOST_SIGNATURES, n_words=_LONG
        )
        for row, protected in others.tolist():
            if (found := similarity(words[row], self._words[protected])) >= almost:
                yield Hit(row=row, protected=protected, how="near", similarity=found)
        for row, protected in joined_pairs(rows, self._of).tolist():
            found = similarity(words[row], self._words[protected])
            is_same = found >= self._config.near
            if is_same and is_same_answer(self._answers[protected], answers[row]):
                yield Hit(row=row, protected=protected, how="near", similarity=found)


def contamination(hit: Hit, protected: Sequence[Candidate]) -> Fault:
    """Return a hit as a fault."""
    return Fault(
        reason=Reason.CONTAMINATED,
        detail=hit.how,
        other=protected[hit.protected].uid,
        similarity=hit.similarity,
    )


def _first_places(keys: npt.NDArray[np.uint64]) -> dict[int, int]:
    known: dict[int, int] = {}
    for place, key in enumerate(keys.tolist()):
        if key:
            known.setdefault(key, place)
    return known


def _own_grams(of: Fingerprints) -> tuple[npt.NDArray[np.uint64], Ints, Ints]:
    """Return the runs that one protected problem has alone, sorted; their owners; counts."""
    grams, owners = _row_grams(of)
    pairs = np.unique(np.stack([grams, owners.astype(np.uint64)], axis=1), axis=0)
    _, first, counts = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    own = pairs[first[counts == 1]]
    owner = own[:, 1].astype(np.int64)
    return own[:, 0], owner, np.bincount(owner, minlength=len(of)).astype(np.int64)


def _row_grams(of: Fingerprints) -> tuple[npt.NDArray[np.uint64], Ints]:
    """Return all runs of eight words that lie within one row, and the row of each."""
    grams = ngrams(of.words_W, GRAM)
    lengths = np.diff(of.starts)
    owners = np.repeat(np.arange(len(of)), lengths)[: len(grams)]
    is_inside = np.arange(len(grams)) + GRAM <= of.starts[owners + 1]
    return grams[is_inside], owners[is_inside]
