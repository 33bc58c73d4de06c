r"""Normalize golds and answers, and decide without a worker whatever can be decided exactly.

What needs algebra is left to `math.worker`; this module never imports sympy. `judge_fast` returns
None for "not decidable here". Called by `verifier` (before) and by the worker (for `clean` and
`chain_sides`). The policy behind each rule is in docs/verifiers.md.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache

from reasonrl.types import Status
from reasonrl.verify.bound import size_fault
from reasonrl.verify.extract import last_box
from reasonrl.verify.notation import chain_sides, clean
from reasonrl.verify.number import Number, is_same, read_number

_BASE = re.compile(r"([0-9A-F]+)_\{?(\d{1,2})\}?")
_OTHER_BASE = re.compile(r"\d\s?\)?_")
_UNEVALUATED = re.compile(
    r"\\(?:i*int|oint|sum|prod|lim|det|gcd|lcm|bmod|pmod|mod)(?![a-zA-Z])|\\frac\s?\{\s?d[^{}]*\}\{\s?d"
    r"|\\begin\{vmatrix\}|(?<![a-zA-Z])(?:gcd|lcm|det|lim|mod)(?![a-zA-Z])"
)
_MANY = re.compile(
    r",|\\[pm][pm](?![a-zA-Z])|\\(?:cup|in|le|ge|leq|geq|infty)(?![a-zA-Z])|[<>;]|\\\{"
)
_TEXT = re.compile(r"\\(?:text|textbf|textrm|textit|mathrm|mathbf|mbox)\s?\{([^{}]*)\}")
_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9' -]*")
_KNOWN = """
yes no true false none even odd undefined
monday tuesday wednesday thursday friday saturday sunday
"""
_KNOWN_WORDS = frozenset(_KNOWN.split())
_ANOTHER_CHOICE = re.compile(r"(?<![A-Za-z])[A-E](?![A-Za-z])")
_CHOICE = re.compile(r"\(?([A-Ea-e])(?:\)[.:]?|[.:]?$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Hold what judging one answer found. Crosses the process border, so it is plain data."""

    status: Status
    reason: str = ""
    canonical_gold: str = ""
    canonical_answer: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """Hold one accepted answer: its clean text, and its value if it is a plain number."""

    text: str
    number: Number | None
    words: str = ""  # casefolded, if the gold is a text answer
    fault: str = ""  # why it cannot be evaluated


@lru_cache(maxsize=8_192)
def read_golds(answer: str) -> tuple[Gold, ...]:
    """Read an answer key: one gold, or a JSON list of them in a string. Empty if there is none.

    `[1, 2]` is an interval, not a list of golds: JSON counts only if it holds strings or one item.
    """
    golds = (clean(last_box(text) or text) for text in _json_list(answer) or (answer,))
    return tuple(_read_gold(text) for text in golds if text)


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
    number, plain = read_number(text), _unwrap(text)
    is_choice = len(plain) == 1 and plain in "ABCDE"
    is_words = len(plain) > 1 and _WORDS.fullmatch(plain) is not None
    is_text = is_words and (plain != text or " " in plain or plain.casefold() in _KNOWN_WORDS)
    words = plain.casefold() if number is None and (is_choice or is_text) else ""
    return Gold(text=text, number=number, words=words, fault=size_fault(text))


def judge_fast(gold: Gold, answer: str) -> Finding | None:
    """Decide without algebra, or return None. `answer` must be clean."""
    if gold.text == answer:
        return Finding(status=Status.CORRECT, canonical_gold=answer, canonical_answer=answer)
    if gold.words:
        return _judge_words(gold, answer)
    if gold.number is not None:
        return _judge_number(gold.number, answer)
    if (base := _BASE.fullmatch(gold.text)) is not None:
        digits, written = base.groups()
        is_right = answer in (digits, f"{digits}_{written}", f"{digits}_{{{written}}}")
        return Finding(status=Status.CORRECT if is_right else Status.WRONG, reason="a numeral")
    return None if _UNEVALUATED.search(gold.text) else _unevaluated(answer)


def _judge_number(gold: Number, answer: str) -> Finding | None:
    numbers = [read_number(side) for side in chain_sides(answer)]
    known = [number for number in numbers if number is not None]
    if (wrong := next((number for number in known if not is_same(gold, number)), None)) is not None:
        return _compared(Status.WRONG, gold, wrong)
    if len(known) == len(numbers):
        return _compared(Status.CORRECT, gold, known[-1])
    if (finding := _unevaluated(answer)) is not None:
        return finding
    if _OTHER_BASE.search(answer):
        return Finding(status=Status.WRONG, reason="a numeral in another base")
    if _MANY.search(answer):
        return Finding(status=Status.AMBIGUOUS, reason="several values or a range for one number")
    return None


def _judge_words(gold: Gold, answer: str) -> Finding:
    plain = _unwrap(answer)
    if len(gold.words) == 1:
        choice = _CHOICE.match(plain)
        if choice is not None and _ANOTHER_CHOICE.search(plain, choice.end()):
            return Finding(status=Status.AMBIGUOUS, reason="several choices")
        is_right = choice is not None and choice[1].casefold() == gold.words
    else:
        is_right = plain.casefold() == gold.words
    status = Status.CORRECT if is_right else Status.WRONG
    return Finding(status=status, canonical_gold=gold.words, canonical_answer=plain[:200])


def _unevaluated(answer: str) -> Finding | None:
    if _UNEVALUATED.search(answer) is None:
        return None
    return Finding(status=Status.UNEVALUATED, reason="an operation was left to be done")


def _compared(status: Status, gold: Number, answer: Number) -> Finding:
    reason = "units differ" if status is Status.WRONG and gold.value == answer.value else ""
    shown, given = (f"{number.value} {number.unit}".strip() for number in (gold, answer))
    return Finding(status=status, reason=reason, canonical_gold=shown, canonical_answer=given)


def _unwrap(text: str) -> str:
    return _TEXT.sub(r"\1", text).strip(" .")
