"""Read golds, and judge an answer in the caller's process where that is possible.

Judges text, choices and plain numbers itself, and other mathematics with `compare`. `judge_fast`
returns None if it cannot decide; then `worker` must. Imports no sympy. The policy behind each rule
is in docs/verifiers.md.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache

from reasonrl.types import Status
from reasonrl.verify.extract import last_box
from reasonrl.verify.finding import Finding
from reasonrl.verify.math.bound import size_fault
from reasonrl.verify.math.compare import compare
from reasonrl.verify.math.notation import clean
from reasonrl.verify.math.number import PlainNumber, is_same, read_number
from reasonrl.verify.math.parse import parse
from reasonrl.verify.math.tree import UNEVALUATED_COMMANDS, Operation
from reasonrl.verify.math.words import Words, is_no_solution, judge_words, read_words, unwrapped

_COMMANDS = [command.removeprefix("\\") for command in UNEVALUATED_COMMANDS]
_WITHOUT_BACKSLASH = [name for name in _COMMANDS if name not in ("int", "sum", "prod")]
_UNEVALUATED = re.compile(
    rf"\\(?:i*int|oint|bmod|pmod|{'|'.join(_COMMANDS)})(?![a-zA-Z])"
    r"|\\frac\s?\{\s?d[^{}]*\}\{\s?d|\\begin\{vmatrix\}"
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
_APPROXIMATELY = re.compile(r"^\\approx\s?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """One accepted answer: its clean text, and its value if it is a plain number.

    `words` is set for a text answer or a choice; `fault` says why a gold cannot be evaluated.
    """

    text: str
    number: PlainNumber | None
    words: Words | None = None
    fault: str = ""


@lru_cache(maxsize=8_192)
def read_golds(answer: str) -> tuple[Gold, ...]:
    """Return the golds of an answer key; empty if it holds none.

    A key is one gold, or a JSON list of golds. `[1, 2]` is an interval and no list of golds: a JSON
    list counts only if it holds strings or a single number.
    """
    golds = (clean(last_box(text) or text) for text in accepted_answers(answer))
    return tuple(_read_gold(text) for text in golds if text)


def accepted_answers(answer: str) -> tuple[str, ...]:
    """Return the answers that a key accepts, as written: the items of a JSON list, or the key."""
    return _json_list(answer) or (answer,)


def _json_list(answer: str) -> tuple[str, ...]:
    if not answer.lstrip().startswith("["):
        return ()
    try:
        values = json.loads(answer)
    except (ValueError, RecursionError):
        return ()
    if len(values) == 1 and isinstance(values[0], (int, float)):
        return (json.dumps(values[0]),)
    return tuple(values) if all(isinstance(value, str) for value in values) else ()


def _read_gold(text: str) -> Gold:
    text = _APPROXIMATELY.sub("", text)
    number, fault = read_number(text), size_fault(text)
    is_math = number is not None or (not fault and parse(text) is not None)
    words = read_words(text, is_math=is_math) if number is None else None
    return Gold(text=text, number=number, words=words, fault=fault)


@lru_cache(maxsize=8_192)
def judge_fast(gold: Gold, answer: str) -> Finding | None:
    """Judge a clean answer without algebra; None if that is not possible."""
    if gold.text == answer or _is_same_text(gold.text, answer):
        return Finding(status=Status.CORRECT, canonical_gold=gold.text, canonical_answer=answer)
    if gold.words is not None:
        return judge_words(gold.words, answer)
    number = read_number(answer) if gold.number is not None else None
    if gold.number is not None and number is not None:
        return _compared(gold.number, number)
    if gold.fault or size_fault(answer):
        return None
    if is_no_solution(answer) and parse(gold.text) == Operation("empty"):
        return Finding(status=Status.CORRECT, canonical_gold=gold.text, canonical_answer=answer)
    return compare(gold.text, answer) or _unread(gold, answer)


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
