"""Find problems that occur more than once, within and across sources, and keep the first copy.

Four relations, strongest first: the same words; the same words with other numbers, in a problem
that is long enough to be recognized without its numbers; nearly the same words with the same
numbers and the same answer; and, as an option, the same meaning (`semantic`). The first copy is
kept, so a recipe lists the sources that it trusts most first. A near duplicate is itself similar to
the kept problem; similarity is not passed on through a third problem. If copies with the same words
have different answers, all of them are dropped, because nobody knows which answer is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from reasonrl.curation.answers import is_same_answer
from reasonrl.curation.likeness.fingerprints import Fingerprints
from reasonrl.curation.likeness.pairs import ProblemWords, close_pairs, similarity
from reasonrl.curation.rows import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Why a row is dropped: `other` is the row that it is similar to.

    The other row is kept, except in a conflict of answers, which drops both.
    """

    reason: Reason
    other: int
    similarity: float


def find_duplicates(
    problems: Fingerprints,
    answers: Sequence[str],
    *,
    near: float,
    renumbered: bool,
) -> dict[int, Match]:
    """Return the dropped rows, each with the kept row that it is a copy of."""
    dropped: dict[int, Match] = {}
    rows = np.arange(len(problems))
    _drop_equal(dropped, problems.exact_N, rows, Reason.DUPLICATE)
    _drop_conflicts(dropped, answers)
    if renumbered:
        _drop_equal(dropped, problems.template_N, _left(rows, dropped), Reason.RENUMBERED)
    if near <= 1:
        _drop_near(dropped, problems, answers, near)
    return {row: replace(match, other=_head(dropped, match)) for row, match in dropped.items()}


def _head(dropped: Mapping[int, Match], match: Match) -> int:
    """Return the kept row at the end of a chain of dropped rows."""
    while (following := dropped.get(match.other)) is not None:
        if following.reason is Reason.ANSWERS_CONFLICT:
            break
        match = following
    return match.other


def _left(rows: npt.NDArray[np.int64], dropped: Mapping[int, Match]) -> npt.NDArray[np.int64]:
    is_left = np.ones(len(rows), dtype=np.bool_)
    is_left[list(dropped)] = False
    return rows[is_left]


def _drop_equal(
    dropped: dict[int, Match],
    keys_N: npt.NDArray[np.uint64],
    rows: npt.NDArray[np.int64],
    reason: Reason,
) -> None:
    """Drop every row whose key an earlier row has; key 0 means no key."""
    keys = keys_N[rows]
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    heads = first[inverse]
    for index in np.flatnonzero((heads != np.arange(len(rows))) & (keys != 0)).tolist():
        other = int(rows[heads[index]])
        dropped[int(rows[index])] = Match(reason=reason, other=other, similarity=1.0)


def _drop_conflicts(dropped: dict[int, Match], answers: Sequence[str]) -> None:
    """Drop whole clusters of equal problems whose answers contradict each other."""
    clusters: dict[int, list[int]] = {}
    for row, match in dropped.items():
        clusters.setdefault(match.other, []).append(row)
    for head, members in clusters.items():
        odd = [row for row in members if is_same_answer(answers[head], answers[row]) is False]
        for row in (head, *members) if odd else ():
            other = odd[0] if row == head else head
            dropped[row] = Match(reason=Reason.ANSWERS_CONFLICT, other=other, similarity=1.0)


def _drop_near(
    dropped: dict[int, Match],
    problems: Fingerprints,
    answers: Sequence[str],
    near: float,
) -> None:
    """Drop rows that are near duplicates of a kept row, in order of rows."""
    words = ProblemWords(problems)
    pairs = close_pairs(problems, _left(np.arange(len(problems)), dropped))
    order = np.lexsort((pairs[:, 0], pairs[:, 1]))
    for first, later in pairs[order].tolist():
        if later in dropped:
            continue
        # The window of a bucket may hold only a dropped row: compare with the row that it copies.
        head = dropped[first].other if first in dropped else first
        share = similarity(words[head], words[later])
        if share >= near and is_same_answer(answers[head], answers[later]):
            dropped[later] = Match(reason=Reason.NEAR_DUPLICATE, other=head, similarity=share)
