"""Find problems that occur more than once, within and across sources, and keep one of each.

Four relations, strongest first: the same words; the same words but for numbers, in a problem long
enough to be known without them; nearly the same words with the same numbers and the same answer;
and, as an option, the same meaning (`semantic`). The one that comes first is kept, so a recipe
names the sources it trusts most first. A problem is only near a kept one that it is like itself:
likeness is not passed on. Where the same words have different answers all of them go, for
nobody knows which is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from reasonrl.curation.answers import is_same_answer
from reasonrl.curation.likeness.fingerprints import Fingerprints
from reasonrl.curation.likeness.pairs import Words, close_pairs, similarity
from reasonrl.curation.rows import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Say for which other row one is dropped; in a conflict that one is dropped too."""

    reason: Reason
    other: int
    similarity: float


def find_duplicates(
    of: Fingerprints,
    answers: Sequence[str],
    *,
    near: float,
    renumbered: bool,
) -> dict[int, Match]:
    """Return the rows that are dropped, each with the kept row that it is like."""
    dropped: dict[int, Match] = {}
    everyone = np.arange(len(of))
    _drop_equal(dropped, of.exact_N, everyone, Reason.DUPLICATE)
    _drop_conflicts(dropped, answers)
    if renumbered:
        _drop_equal(dropped, of.template_N, _left(everyone, dropped), Reason.RENUMBERED)
    if near <= 1:
        _drop_near(dropped, of, answers, near)
    return {row: replace(match, other=_head(dropped, match)) for row, match in dropped.items()}


def _head(dropped: Mapping[int, Match], match: Match) -> int:
    """Return the kept row that a dropped one stands behind."""
    while (next_one := dropped.get(match.other)) is not None:
        if next_one.reason is Reason.ANSWERS_CONFLICT:
            break
        match = next_one
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
    """Drop every row whose key an earlier one has; key 0 is none."""
    keys = keys_N[rows]
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    heads = first[inverse]
    for place in np.flatnonzero((heads != np.arange(len(rows))) & (keys != 0)).tolist():
        other = int(rows[heads[place]])
        dropped[int(rows[place])] = Match(reason=reason, other=other, similarity=1.0)


def _drop_conflicts(dropped: dict[int, Match], answers: Sequence[str]) -> None:
    """Drop whole clusters of equal problems whose answers differ."""
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
    of: Fingerprints,
    answers: Sequence[str],
    near: float,
) -> None:
    """Drop rows that are near a kept one, in order."""
    words = Words(of)
    pairs = close_pairs(of, _left(np.arange(len(of)), dropped))
    order = np.lexsort((pairs[:, 0], pairs[:, 1]))
    for first, later in pairs[order].tolist():
        if later in dropped:
            continue
        # a bucket's window may show only one that is gone: ask for what that one stands behind
        head = dropped[first].other if first in dropped else first
        found = similarity(words[head], words[later])
        if found >= near and is_same_answer(answers[head], answers[later]):
            dropped[later] = Match(reason=Reason.NEAR_DUPLICATE, other=head, similarity=found)
