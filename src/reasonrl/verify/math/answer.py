"""Judge an answer in the caller's process where that is possible.

Judges text, choices and plain numbers itself, and other mathematics with `compare`. `judge_fast`
returns None if it cannot decide; then `worker` must. Imports no sympy. The policy behind each rule
is in docs/verifiers.md.
"""

from __future__ import annotations

import re
from functools import lru_cache

from reasonrl.types import Status
from reasonrl.verify.finding import Finding
from reasonrl.verify.math.bound import size_fault
from reasonrl.verify.math.compare import compare
from reasonrl.verify.math.golds import CHOICE_LABEL, Gold, read_gold
from reasonrl.verify.math.number import PlainNumber, date_of, is_same, read_number
from reasonrl.verify.math.operators import read_operation
from reasonrl.verify.math.parse import parse
from reasonrl.verify.math.phrases import number_in_words, value_of
from reasonrl.verify.math.spelling import is_named, is_same_spelling, sides_of, value_named
from reasonrl.verify.math.tree import UNEVALUATED_COMMANDS, Numeral, Operation
from reasonrl.verify.math.words import (
    Words,
    behind_letter,
    is_no_solution,
    judge_words,
    unwrapped,
)

_COMMANDS = [command.removeprefix("\\") for command in UNEVALUATED_COMMANDS]
_WITHOUT_BACKSLASH = [name for name in _COMMANDS if name not in ("int", "sum", "prod")]
_UNEVALUATED = re.compile(
    rf"\\(?:i*int|oint|bmod|pmod|{'|'.join(_COMMANDS)})(?![a-zA-Z])"
    r"|\\frac\s?\{\s?d[^{}]*\}\{\s?d|\\begin\{vmatrix\}|\|\s?\\begin\{"
    rf"|(?<![a-zA-Z])(?:{'|'.join(_WITHOUT_BACKSLASH)})(?![a-zA-Z])"
)
_MANY = re.compile(
    r",|\\[pm][pm](?![a-zA-Z])|\\(?:cup|in|le|ge|leq|geq|infty)(?![a-zA-Z])|[<>;]|\\\{"
)
_NOT_PROSE = re.compile(
    r"\\(?:begin|end)\s?\{[a-zA-Z]*\}|\\(?!text|[mh]box)[a-zA-Z]+"
    r"|sqrt|arc(?:sin|cos|tan)h?|sinh|cosh|tanh|floor|ceil"
)
_PROSE = re.compile(r"\\(?:text|[mh]box)|[A-Za-z]{4,}")
# The time of sympy grows fast with the length of an answer.
_MAX_UNREAD_CHARS = 500
_LARGE_POWER = re.compile(r"\^\s?\{?\s?[+-]?\s?\d{3}")
_SCIENTIFIC = re.compile(r"(\d)e(?=[+-]?\d)")
# The name of a point before its coordinates: `A(1, 2)`.
_POINT_NAME = re.compile(
    r"(?<![A-Za-z\\])[A-Z](?:_\{?\w{1,2}\}?|')?\s?=?\s?(?=\([^()]{1,80},[^()]{1,80}\))"
)
_GOES_ON = re.compile(r"\.\.\.|\\[lcd]?dots")


@lru_cache(maxsize=8_192)
def judge_fast(gold: Gold, answer: str) -> Finding | None:
    """Judge a clean answer without algebra; None if that is not possible."""
    if gold.text == answer or _is_same_text(gold.text, answer):
        return _same(gold, answer)
    if gold.words is not None:
        return _judge_words(gold.words, answer)
    if gold.number is not None and (number := read_number(answer, bare_units=True)) is not None:
        return _compared(gold.number, number)
    date, given = date_of(gold.text), date_of(answer)
    if date or given:
        is_right = date == given
        return Finding(status=Status.CORRECT if is_right else Status.WRONG, reason="a date")
    if gold.fault or size_fault(answer):
        return None
    if is_no_solution(answer) and parse(gold.text) == Operation("empty"):
        return _same(gold, answer)
    return _judge_mathematics(gold, answer)


def _judge_words(words: Words, answer: str) -> Finding:
    """Judge words; behind the right letter may only stand the value that the key has there."""
    finding = judge_words(words, answer)
    if finding.status is not Status.CORRECT or not words.value:
        return finding
    rest = behind_letter(answer)
    if rest and not re.fullmatch(r"[A-Za-z ]*", rest):
        value = judge_fast(read_gold(words.value), rest)
        if value is not None and value.status is Status.CORRECT:
            return finding
        return Finding(status=Status.WRONG, reason="the letter and the value differ")
    if number_in_words(rest) is not None:
        return judge_fast(read_gold(words.value), rest) or finding
    return finding


def _judge_mathematics(gold: Gold, answer: str) -> Finding | None:
    """Judge by structure and value; where that is not possible, without the words beside."""
    finding = compare(gold.text, answer)
    if finding is not None and finding.status is Status.CORRECT:
        return finding
    if (other := _read_otherwise(gold, answer)) is not None:
        return other
    label = CHOICE_LABEL.match(answer)
    if label is not None and gold.text == label["letter"]:
        return _same(gold, answer)
    plain = value_of(_without_choice(gold, answer))
    if plain != answer and not size_fault(plain):
        if gold.number is not None and (number := read_number(plain, bare_units=True)) is not None:
            return _compared(gold.number, number)
        second = compare(gold.text, plain)
        is_right = second is not None and second.status is Status.CORRECT
        finding = second if finding is None or is_right else finding
    if finding is not None and finding.status is not Status.UNEVALUATED:
        return finding
    if is_same_spelling(gold.text, answer):
        return _same(gold, answer)
    if (undone := _judge_operations(gold.text, answer)) is not None:
        return undone
    if finding is None and isinstance(parse(gold.text), Numeral):
        return Finding(status=Status.WRONG, reason="no numeral in the base of the key")
    return finding or _judge_sides(gold, plain) or _unread(gold, plain)


def _judge_operations(gold: str, answer: str) -> Finding | None:
    """Compare two sums, products or integrals by their parts; None where that cannot decide.

    If two parts differ, a shifted index may make up for it.
    """
    wanted, given = read_operation(gold), read_operation(answer)
    if wanted is None or given is None or wanted.name != given.name:
        return None
    pairs = [(wanted.low, given.low), (wanted.high, given.high)]
    pairs.append((wanted.body, given.body_with(wanted.index)))
    findings = [compare(one, other) for one, other in pairs]
    decided = [finding for finding in findings if finding is not None]
    wrong = [finding for finding in decided if finding.status is not Status.CORRECT]
    if len(decided) < len(pairs) or len(wrong) > 1:
        return None
    return wrong[0] if wrong else decided[0]


def _read_otherwise(gold: Gold, answer: str) -> Finding | None:
    """Try the readings that only the key makes likely; None unless one of them is right."""
    readings = []
    if answer.startswith("\\sim") and gold.number is not None and gold.number.decimals is not None:
        readings.append((gold.text, answer.removeprefix("\\sim").strip()))
    if "e" in gold.text and gold.number is None and _SCIENTIFIC.search(answer):
        # `2e-1` is no power of ten where the key holds the number e.
        readings.append((gold.text, _SCIENTIFIC.sub(r"\1 e ", answer)))
    if (value := value_named(answer)) is not None and len(sides_of(gold.text)) < 2:
        readings.append((gold.text, value))
    if (gold.text[:1] == "(") != (answer[:1] == "("):
        readings.append((_POINT_NAME.sub("", gold.text), _POINT_NAME.sub("", answer)))
    for wanted, given in readings:
        finding = compare(wanted, given) if (wanted, given) != (gold.text, answer) else None
        if finding is not None and finding.status is Status.CORRECT:
            return finding
    return None


def _without_choice(gold: Gold, answer: str) -> str:
    """Drop the letter of a choice before a value: the key `18` accepts `(C) 18`."""
    label = CHOICE_LABEL.match(answer)
    if label is None or gold.text[:1] == "(":
        return answer
    letter = label["letter"]
    is_other_choice = gold.letter and letter.upper() != gold.letter
    is_name_in_key = re.search(rf"(?<![a-zA-Z\\]){letter}(?![a-zA-Z])", gold.text)
    if is_other_choice or is_name_in_key:
        return answer
    return answer[label.end() :].strip() or answer


def _judge_sides(gold: Gold, answer: str) -> Finding | None:
    """Judge a key that is an equation by its value; None if only a worker can compare the values.

    An answer that is an equation must have the key's left side, or an operation left to be done for
    one. A worker would take any true equation for any other: `1 = 1` for an integral.
    """
    sides, given = sides_of(gold.text), sides_of(answer)
    if len(sides) < 2:
        return None
    is_undone = _is_undone_text(sides[0])
    if not (is_undone or is_named(sides[0])):
        return Finding(status=Status.UNPARSABLE, reason="another spelling of an equation")
    if len(given) > 1:
        is_known = is_same_spelling(given[0], sides[0]) or (is_undone and _is_undone_text(given[0]))
        if not (is_known or (is_undone and is_named(given[0]))):
            return Finding(status=Status.WRONG, reason="another equation")
        given = given[1:]
    findings = [judge_fast(read_gold(sides[-1]), side) for side in given]
    decided = [finding for finding in findings if finding is not None]
    wrong = [finding for finding in decided if finding.status is not Status.CORRECT]
    if wrong or None not in findings:
        return wrong[0] if wrong else decided[0]
    return None


def worker_texts(gold: Gold, answer: str) -> tuple[str, str]:
    """Return the two texts that a worker may compare: values, and never an equation for a key."""
    sides, given = sides_of(gold.text), sides_of(value_of(answer))
    if len(sides) < 2:
        return gold.text, value_of(answer)
    return sides[-1], given[-1]


def _is_undone_text(text: str) -> bool:
    return _UNEVALUATED.search(text) is not None


def _same(gold: Gold, answer: str) -> Finding:
    return Finding(status=Status.CORRECT, canonical_gold=gold.text, canonical_answer=answer)


def _is_same_text(gold: str, answer: str) -> bool:
    """Compare two texts without `\\text` and the like; digits are read as numbers instead."""
    plain = unwrapped(gold)
    return plain == unwrapped(answer) and not any(map(str.isdigit, plain))


def _unread(gold: Gold, answer: str) -> Finding | None:
    """Refuse answers that no algebra may turn into a right one, or return None.

    Such an answer leaves an operation to be done, offers several values, holds prose or is large.
    """
    if _UNEVALUATED.search(answer) and not _UNEVALUATED.search(gold.text):
        return Finding(status=Status.UNEVALUATED, reason="an operation was left to be done")
    if _GOES_ON.search(answer) and not _GOES_ON.search(gold.text):
        return Finding(status=Status.UNPARSABLE, reason="dots that are not explained")
    if gold.number is not None and _MANY.search(answer):
        return Finding(status=Status.AMBIGUOUS, reason="several values or a range for one number")
    if _PROSE.search(_NOT_PROSE.sub(" ", answer)):
        return Finding(status=Status.UNPARSABLE, reason="words beside the mathematics")
    if len(answer) > _MAX_UNREAD_CHARS or _LARGE_POWER.search(answer):
        return Finding(status=Status.TOO_LARGE, reason="too large for algebra")
    return None


def _compared(gold: PlainNumber, answer: PlainNumber) -> Finding:
    is_right = is_same(gold, answer)
    shown, given = (f"{number.value} {number.unit}".strip() for number in (gold, answer))
    return Finding(
        status=Status.CORRECT if is_right else Status.WRONG,
        reason="units differ" if not is_right and gold.value == answer.value else "",
        canonical_gold=shown,
        canonical_answer=given,
    )
