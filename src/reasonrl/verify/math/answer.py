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
from reasonrl.verify.math.bound import MAX_ANSWER_CHARS, size_fault
from reasonrl.verify.math.compare import compare
from reasonrl.verify.math.notation import clean
from reasonrl.verify.math.number import PlainNumber, date_of, is_date, is_same, read_number
from reasonrl.verify.math.parse import parse
from reasonrl.verify.math.phrases import value_of
from reasonrl.verify.math.spelling import is_named, is_same_spelling, sides_of, value_named
from reasonrl.verify.math.tree import UNEVALUATED_COMMANDS, Operation
from reasonrl.verify.math.words import Words, is_no_solution, judge_words, read_words, unwrapped

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
_SHOWN_CHARS = 200
_LARGE_POWER = re.compile(r"\^\s?\{?\s?[+-]?\s?\d{3}")
_SCIENTIFIC = re.compile(r"(\d)e(?=[+-]?\d)")
# The name of a point before its coordinates: `A(1, 2)`.
_POINT_NAME = re.compile(
    r"(?<![A-Za-z\\])[A-Z](?:_\{?\w{1,2}\}?|')?\s?=?\s?(?=\([^()]{1,80},[^()]{1,80}\))"
)
_GOES_ON = re.compile(r"\.\.\.|\\[lcd]?dots")
# `(B) 12`: the letter of a choice before its value.
_CHOICE_LABEL = re.compile(
    r"(?:\\(?:text|textbf|mathrm|mathbf|bf|rm|boldsymbol)\s?\{)?\s?\((?P<letter>[A-Ha-h])\)\s?\}?[.:]?\s?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """One accepted answer: its clean text, and its value if it is a plain number.

    `words` is set for a text answer or a choice; `fault` says why a gold cannot be evaluated;
    `is_read` says that `parse` knows it, so that it is never blamed for an answer.
    """

    text: str
    number: PlainNumber | None
    words: Words | None = None
    fault: str = ""
    is_read: bool = True


@lru_cache(maxsize=8_192)
def read_golds(answer: str) -> tuple[Gold, ...]:
    """Return the golds of an answer key; empty if it holds none.

    A key is one gold, or a JSON list of golds. `[1, 2]` is an interval and no list of golds: a JSON
    list counts only if it holds strings or a single number. A choice with its value, `(B) 12`,
    accepts both.
    """
    texts = [last_box(text) or text for text in accepted_answers(answer)]
    return tuple(gold for text in texts for gold in _read_key(text))


def _read_key(written: str) -> list[Gold]:
    if len(written) > MAX_ANSWER_CHARS:
        return [Gold(text=written[:_SHOWN_CHARS], number=None, fault=size_fault(written))]
    if not (text := clean(written)):
        return []
    gold = _read_gold(text)
    is_several = gold.words is not None and len(gold.words.choices) > 1
    label = None if is_several or (gold.words and gold.words.phrase) else _CHOICE_LABEL.match(text)
    if label is None or not (value := text[label.end() :].strip()):
        return [gold]
    if value.count("}") > value.count("{"):
        value = value.removesuffix("}").rstrip()
    choice = Words(choices=frozenset(label["letter"].upper()), value=value)
    return [Gold(text=text, number=None, words=choice), _read_gold(value)]


def accepted_answers(answer: str) -> tuple[str, ...]:
    """Return the answers that a key accepts, as written: the items of a JSON list, or the key."""
    return _json_list(answer) or (answer,)


def _json_list(answer: str) -> tuple[str, ...]:
    if not answer.lstrip().startswith("["):
        return ()
    if "'" in answer and '"' not in answer:
        # A list as Python prints it: `['1/2', '0.5']`.
        answer = answer.replace("'", '"')
    try:
        values = json.loads(answer)
    except (ValueError, RecursionError):
        return ()
    if len(values) == 1 and isinstance(values[0], (int, float)):
        return (json.dumps(values[0]),)
    return tuple(values) if all(isinstance(value, str) for value in values) else ()


def _read_gold(text: str) -> Gold:
    number, fault = read_number(text), size_fault(text)
    is_math = number is not None or (not fault and parse(text) is not None)
    words = read_words(text, is_math=is_math) if number is None else None
    stated = text if number is not None else value_of(text)
    if stated != text and (words is None or words.phrase) and _is_mathematics(stated):
        return _read_gold(stated)
    is_read = is_math or words is not None
    return Gold(text=text, number=number, words=words, fault=fault, is_read=is_read)


def _is_mathematics(text: str) -> bool:
    """Return whether a text without its words is more than a letter."""
    if read_number(text) is not None:
        return True
    return len(text) > 1 and not size_fault(text) and parse(text) is not None


@lru_cache(maxsize=8_192)
def judge_fast(gold: Gold, answer: str) -> Finding | None:
    """Judge a clean answer without algebra; None if that is not possible."""
    if gold.text == answer or _is_same_text(gold.text, answer):
        return _same(gold, answer)
    if gold.words is not None:
        return judge_words(gold.words, answer)
    if gold.number is not None and (number := read_number(answer, bare_units=True)) is not None:
        return _compared(gold.number, number)
    if is_date(gold.text) or is_date(answer):
        is_right = date_of(gold.text) is not None and date_of(gold.text) == date_of(answer)
        return Finding(status=Status.CORRECT if is_right else Status.WRONG, reason="a date")
    if gold.fault or size_fault(answer):
        return None
    if is_no_solution(answer) and parse(gold.text) == Operation("empty"):
        return _same(gold, answer)
    return _judge_mathematics(gold, answer)


def _judge_mathematics(gold: Gold, answer: str) -> Finding | None:
    """Judge by structure and value; where that is not possible, without the words beside."""
    finding = compare(gold.text, answer)
    if finding is not None and finding.status is Status.CORRECT:
        return finding
    if (other := _read_otherwise(gold, answer)) is not None:
        return other
    label = _CHOICE_LABEL.match(answer)
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
    return finding or _judge_sides(gold, plain) or _unread(gold, plain)


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
    label = _CHOICE_LABEL.match(answer)
    if (
        label is None
        or gold.text[:1] == "("
        or (
            re.search(r"[a-zA-Z]", gold.text.replace("\\", ""))
            and (re.search(rf"(?<![a-zA-Z\\]){label['letter']}(?![a-zA-Z])", gold.text))
        )
    ):
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
    findings = [judge_fast(_read_gold(sides[-1]), side) for side in given]
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
