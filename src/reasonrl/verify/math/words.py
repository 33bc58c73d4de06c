r"""Text answers and choices, compared as words and never as mathematics.

`\text{Tuesday}` is `tuesday`, `\textbf{(B)} 12` is the choice B, "no solutions" is the empty set.
Expects clean text. Called by `answer`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reasonrl.types import Status
from reasonrl.verify.finding import Finding

_TEXT = re.compile(
    r"\\(?:text|textbf|textrm|textit|textnormal|textsf|mathrm|mathbf|mathit|mathsf|mbox|hbox|bf|rm"
    r"|boldsymbol|bm|operatorname)(?![a-zA-Z])\s?(?:\{([^{}]*)\})?"
)
_PHRASE = re.compile(r"[A-Za-z][A-Za-z0-9' ,-]*")
_KNOWN_WORDS = """
yes no true false none even odd undefined
monday tuesday wednesday thursday friday saturday sunday
"""
_KNOWN = frozenset(_KNOWN_WORDS.split())
_SYNONYMS = {
    "no solutions": "no solution", "no real solution": "no solution", "none": "no solution",
    "no real solutions": "no solution", "empty set": "no solution", "empty": "no solution",
    "there is no solution": "no solution", "there are no solutions": "no solution",
    "\\emptyset": "no solution", "\\varnothing": "no solution", "\\{\\}": "no solution",
    "dne": "does not exist",
}  # fmt: skip
_ARTICLE = re.compile(r"(?:an?|the) (?=\w\w)")
_CALLED = re.compile(r"(?:the )?(?:correct )?(?:option|choice|answer)(?: is)?:? ", re.IGNORECASE)
_CHOICE = re.compile(r"\(?(?P<letter>[A-Za-z])(?:\)[.:]?|[.:](?= )|[.:]?$)")
_LETTERS = re.compile(r"\(?[A-Z]\)?(?:(?: ?, ?| ?& ?| and |, and )\(?[A-Z]\)?)+")
_ANOTHER = re.compile(r"(?<![A-Za-z])[A-E](?![A-Za-z])")
_ANY_CASE = frozenset("ABCDE")
_SHOWN_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A gold of words: a normalized phrase, or the letters of one or several choices."""

    phrase: str = ""
    choices: frozenset[str] = frozenset()


def unwrapped(text: str) -> str:
    r"""Return the text without `\text{...}` and similar commands, and without closing marks."""
    plain = re.sub(r"\s+", " ", _TEXT.sub(lambda match: match[1] or "", text))
    return plain.strip().rstrip(" .,;")


def read_words(text: str, *, is_math: bool) -> Words | None:
    """Return a gold as words, or None if it is none.

    Where the text could be mathematics too (`is_math`), it counts as words only if it is marked as
    text, holds a space or is a well-known word.
    """
    plain = unwrapped(text)
    if _LETTERS.fullmatch(plain):
        return Words(choices=frozenset(re.findall("[A-Z]", plain))) if not is_math else None
    if (choice := _CHOICE.fullmatch(plain)) is not None and choice["letter"].isupper():
        return Words(choices=frozenset(choice["letter"]))
    if len(plain) == 1 or _PHRASE.fullmatch(plain) is None:
        return None
    is_marked = plain != text.strip().rstrip(" .,;") or " " in plain or plain.casefold() in _KNOWN
    return Words(phrase=_phrase(plain)) if is_marked or not is_math else None


def judge_words(gold: Words, answer: str) -> Finding:
    """Compare an answer with a gold of words."""
    plain = unwrapped(answer)
    if gold.phrase:
        status = Status.CORRECT if _phrase(plain) == gold.phrase else Status.WRONG
        return _finding(status, gold.phrase, plain)
    wanted = " ".join(sorted(gold.choices))
    plain = _CALLED.sub("", plain, count=1) if _CALLED.match(plain) else plain
    if _LETTERS.fullmatch(plain):
        letters = frozenset(re.findall("[A-Z]", plain))
        if len(gold.choices) == 1:
            return Finding(status=Status.AMBIGUOUS, reason="several choices")
        status = Status.CORRECT if letters == gold.choices else Status.WRONG
        return _finding(status, wanted, plain)
    if (choice := _CHOICE.match(plain)) is None or len(gold.choices) > 1:
        return _finding(Status.WRONG, wanted, plain)
    if _ANOTHER.search(plain, choice.end()):
        return Finding(status=Status.AMBIGUOUS, reason="several choices")
    letter = choice["letter"]
    is_right = (letter.upper() if letter.upper() in _ANY_CASE else letter) in gold.choices
    return _finding(Status.CORRECT if is_right else Status.WRONG, wanted, plain)


def is_no_solution(text: str) -> bool:
    """Return whether the text states that there is no solution."""
    return _phrase(unwrapped(text)) == _SYNONYMS["none"]


def _phrase(plain: str) -> str:
    phrase = _ARTICLE.sub("", plain.casefold(), count=1) if plain[:1].isalpha() else plain
    return _SYNONYMS.get(phrase, phrase)


def _finding(status: Status, gold: str, answer: str) -> Finding:
    return Finding(status=status, canonical_gold=gold, canonical_answer=answer[:_SHOWN_CHARS])
