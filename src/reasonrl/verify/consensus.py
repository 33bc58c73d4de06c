"""Number the answers of one problem, equal answers alike, for majority votes (cons@k).

Compares by text and by `math.answer`, in this process. Answers that only a worker could compare
count as different, so a vote never waits for a worker. Called by `evaluation.score`.
"""

from __future__ import annotations

from collections.abc import Sequence

from reasonrl.types import Status
from reasonrl.verify.math.answer import judge_fast
from reasonrl.verify.math.golds import Gold, read_golds
from reasonrl.verify.math.notation import clean

# A new answer of a problem is compared with at most this many different answers.
_MAX_COMPARED = 64


def number_answers(answers: Sequence[str]) -> list[int | None]:
    """Number the answers of one problem, equal answers alike; None where there is no answer.

    `\\frac12`, `0.5` and `1/2` are the same answer. An answer gets the number of the first equal
    answer, so the order matters only where equality is not transitive (rounded decimals).
    """
    by_text: dict[str, int] = {}
    compared: list[tuple[Gold, int]] = []
    numbers: list[int | None] = []
    for answer in answers:
        text = clean(answer)
        if not text:
            numbers.append(None)
            continue
        if text not in by_text:
            by_text[text] = _number_of(text, compared, new=len(set(by_text.values())))
        numbers.append(by_text[text])
    return numbers


def _number_of(text: str, compared: list[tuple[Gold, int]], *, new: int) -> int:
    """Return the number of an equal answer before this one, or else `new`."""
    for gold, number in compared:
        finding = judge_fast(gold, text)
        if finding is not None and finding.status is Status.CORRECT:
            return number
    golds = read_golds(text)
    if len(golds) == 1 and len(compared) < _MAX_COMPARED:
        compared.append((golds[0], new))
    return new
