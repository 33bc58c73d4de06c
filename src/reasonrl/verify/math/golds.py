"""Read answer keys: which golds a key accepts, and what kind each is.

A key is one gold, a JSON list of golds, or a choice with its value. Imports no sympy. Called by
`answer`, `questions`, `keys` and others.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import lru_cache

from reasonrl.verify.extract import final_answer
from reasonrl.verify.math.bound import MAX_ANSWER_CHARS, size_fault
from reasonrl.verify.math.notation import clean
from reasonrl.verify.math.number import PlainNumber, read_number
from reasonrl.verify.math.parse import parse
from reasonrl.verify.math.phrases import value_of
from reasonrl.verify.math.words import Words, read_words

_SHOWN_CHARS = 200
# `(B) 12`: the letter of a choice before its value.
CHOICE_LABEL = re.compile(
    r"(?:\\(?:text|textbf|mathrm|mathbf|bf|rm|boldsymbol)\s?\{)?\s?\((?P<letter>[A-Ha-h])\)\s?\}?[.:]?\s?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """One accepted answer: its clean text, and its value if it is a plain number.

    `words` is set for a text answer or a choice; `fault` says why a gold cannot be evaluated;
    `is_read` says that `parse` knows it, so that it is never blamed for an answer; `letter` is the
    choice that has this value.
    """

    text: str
    number: PlainNumber | None
    words: Words | None = None
    fault: str = ""
    is_read: bool = True
    letter: str = ""


@lru_cache(maxsize=8_192)
def read_golds(answer: str) -> tuple[Gold, ...]:
    """Return the golds of an answer key; empty if it holds none.

    A key is one gold, or a JSON list of golds. `[1, 2]` is an interval and no list of golds: a JSON
    list counts only if it holds strings or a single number. A choice with its value, `(B) 12`,
    accepts both.
    """
    texts = [final_answer(text) or text for text in accepted_answers(answer)]
    return tuple(gold for text in texts for gold in _read_key(text))


def _read_key(written: str) -> list[Gold]:
    if len(written) > MAX_ANSWER_CHARS:
        return [Gold(text=written[:_SHOWN_CHARS], number=None, fault=size_fault(written))]
    if not (text := clean(written)):
        return []
    gold = read_gold(text)
    is_several = gold.words is not None and len(gold.words.choices) > 1
    label = None if is_several or (gold.words and gold.words.phrase) else CHOICE_LABEL.match(text)
    if label is None or not (value := text[label.end() :].strip()):
        return [gold]
    if CHOICE_LABEL.search(value):
        # `(a) 3; (b) 5` has parts, and no choice.
        return [gold]
    if value.count("}") > value.count("{"):
        value = value.removesuffix("}").rstrip()
    letter = label["letter"].upper()
    choice = Words(choices=frozenset(letter), value=value)
    return [Gold(text=text, number=None, words=choice), replace(read_gold(value), letter=letter)]


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


def read_gold(text: str) -> Gold:
    """Return the gold that one clean text states."""
    number, fault = read_number(text), size_fault(text)
    is_math = number is not None or (not fault and parse(text) is not None)
    words = read_words(text, is_math=is_math) if number is None else None
    stated = text if number is not None else value_of(text)
    if stated != text and (words is None or words.phrase) and _is_mathematics(stated):
        return read_gold(stated)
    is_read = is_math or words is not None
    return Gold(text=text, number=number, words=words, fault=fault, is_read=is_read)


def _is_mathematics(text: str) -> bool:
    """Return whether a text without its words is more than a letter."""
    if read_number(text) is not None:
        return True
    return len(text) > 1 and not size_fault(text) and parse(text) is not None
