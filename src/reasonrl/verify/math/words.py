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
_PHRASE = re.compile(r"[^\W\d_](?:[^\W_]|[' ,-])*")
_WORD = re.compile(r"[A-Za-z]{2}")
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
    "dne": "does not exist", "not possible": "impossible", "infinite": "infinitely many",
    "infinitely many solutions": "infinitely many", "infinite solutions": "infinitely many",
    "undetermined": "cannot be determined", "can not be determined": "cannot be determined",
    "can't be determined": "cannot be determined",
    "it cannot be determined": "cannot be determined",
    "doesn't exist": "does not exist", "divergent": "diverges", "convergent": "converges",
    "нет решений": "no solution", "решений нет": "no solution", "нет корней": "no solution",
    "无解": "no solution", "the empty set": "no solution", "there is none": "no solution",
}  # fmt: skip
_ARTICLE = re.compile(r"(?:an?|the) (?=\w\w)")
# Words before and behind a phrase that say no more than the phrase.
_OPENING = re.compile(
    r"^(?:(?:so )?it is|it's|this is|there are|they are|the answer is|player|all|every|any"
    r"|(?:the )?(?:series|sequence|limit|integral|function|statement|graph|curve|locus)(?: is)?)"
    r" (?=\w)"
)
_CLOSING = re.compile(
    r" (?:wins|will win|always wins|can win|has a winning strategy|has the winning strategy|only"
    r"|function)$"
)
_AGREEING = ("yes", "true", "no", "false")
_DENIAL = re.compile(r"(?<![a-z])(?:not|no|never|none|cannot|impossible|nope|without)(?![a-z])|n't")
_TAKEN_BACK = re.compile(r"(?<![a-z])(?:or|but|yes|maybe|perhaps|true|false)(?![a-z])|\?")
_JOINED = re.compile(r"\s*(?:,|;|&|(?<![a-z])and(?![a-z]))+\s*")
_BAG_WORDS = 4
_CALLED = re.compile(
    r"(?:the )?(?:correct )?(?:option|choice|answer)s?(?: is| are)?:? ", re.IGNORECASE
)
_CHOICE = re.compile(r"\(?(?P<letter>[A-Za-z])(?:\)[.:]?|[.:](?= )|[.:]?$)")
_LETTERS = re.compile(r"\(?[A-Z]\)?(?:(?: ?, ?| ?& ?| ?; ?| and |, and )\(?[A-Z]\)?)+")
# The letters of several choices in one word, in their order: `ACD`.
_LETTER_SET = re.compile(r"(?=[A-H]{2,8}$)A?B?C?D?E?F?G?H?")
_STATEMENTS = re.compile(r"(?:\((?:\d|[ivx]{1,4})\)\s?){2,9}")
_STATEMENT = re.compile(r"\(?(\d|[ivx]{1,4})\)?")
_ROMANS = re.compile(r"\([ivx]{1,4}\)(?:(?:, ?| ?& ?| and |, and )\([ivx]{1,4}\)){1,8}")
_ANOTHER = re.compile(
    r"(?<![A-Za-z])[A-E](?![A-Za-z])|(?<![A-Za-z])[a-e]\)"
    r"|(?:,|or|and|through|to)\s\(?[a-e]\)?(?![A-Za-z])"
)
_DENIED = re.compile(
    r"(?<![a-z])(?:not|wrong|false|incorrect|none|never|isn't|neither|nor|no)(?![a-z])",
    re.IGNORECASE,
)
_ANY_CASE = frozenset("ABCDE")
_SHOWN_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A gold of words: a normalized phrase, or the letters of one or several choices.

    `value` is what the choice holds, if the key says it: `12` in `(B) 12`.
    """

    phrase: str = ""
    choices: frozenset[str] = frozenset()
    value: str = ""


def unwrapped(text: str) -> str:
    r"""Return the text without `\text{...}` and similar commands, and without closing marks."""
    plain = re.sub(r"\s+", " ", _TEXT.sub(lambda match: match[1] or "", text)).strip()
    if plain.startswith("{") and plain.endswith("}") and plain.count("{") == 1:
        plain = plain[1:-1].strip()
    return plain.rstrip(" .,;")


def read_words(text: str, *, is_math: bool) -> Words | None:
    """Return a gold as words, or None if it is none.

    Where the text could be mathematics too (`is_math`), it counts as words only if it is marked as
    text, holds a space or is a well-known word; or if it is a list of choices or statements.
    """
    plain = unwrapped(text)
    is_roman = "(" in plain and _ROMANS.fullmatch(plain) is not None
    if _LETTER_SET.fullmatch(plain) or _STATEMENTS.fullmatch(plain) or is_roman:
        return Words(choices=_several_choices(plain))
    if _LETTERS.fullmatch(plain):
        return Words(choices=frozenset(re.findall("[A-Z]", plain))) if not is_math else None
    if (choice := _CHOICE.fullmatch(plain)) is not None:
        letter = choice["letter"]
        if letter.isupper() or (plain.startswith("(") and letter.upper() in _ANY_CASE):
            return Words(choices=frozenset(letter.upper() if plain.startswith("(") else letter))
    if _PHRASE.fullmatch(plain) is None or (plain.isascii() and not _WORD.search(plain)):
        return None
    is_marked = plain != text.strip().rstrip(" .,;") or " " in plain or plain.casefold() in _KNOWN
    return Words(phrase=_phrase(plain)) if is_marked or not is_math else None


def judge_words(gold: Words, answer: str) -> Finding:
    """Compare an answer with a gold of words."""
    plain = unwrapped(answer)
    if gold.phrase:
        status = Status.CORRECT if _is_same_phrase(gold.phrase, plain) else Status.WRONG
        return _finding(status, gold.phrase, plain)
    wanted = " ".join(sorted(gold.choices))
    plain = _CALLED.sub("", plain, count=1) if _CALLED.match(plain) else plain
    if letters := _several_choices(plain):
        if len(gold.choices) == 1:
            return Finding(status=Status.AMBIGUOUS, reason="several choices")
        status = Status.CORRECT if letters == gold.choices else Status.WRONG
        return _finding(status, wanted, plain)
    if (choice := _CHOICE.match(plain)) is None or len(gold.choices) > 1:
        return _finding(Status.WRONG, wanted, plain)
    if _ANOTHER.search(plain, choice.end()):
        return Finding(status=Status.AMBIGUOUS, reason="several choices")
    if _DENIED.search(plain, choice.end()):
        return _finding(Status.WRONG, wanted, plain)
    letter = choice["letter"]
    is_right = (letter.upper() if letter.upper() in _ANY_CASE else letter) in gold.choices
    return _finding(Status.CORRECT if is_right else Status.WRONG, wanted, plain)


def _several_choices(plain: str) -> frozenset[str]:
    """Return the letters of `A, C` or `CA`, or the numbers of `(1)(3)`; empty for other text."""
    is_set = _LETTER_SET.fullmatch("".join(sorted(plain))) is not None
    if _LETTERS.fullmatch(plain) or is_set:
        return frozenset(re.findall("[A-Z]", plain))
    parts = _JOINED.split(re.sub(r"\)\s?\(", "),(", plain))
    matches = [_STATEMENT.fullmatch(part) for part in parts]
    found = [match[1] for match in matches if match is not None]
    return frozenset(found) if len(found) == len(parts) > 1 else frozenset()


def behind_letter(answer: str) -> str:
    """Return what stands behind the letter of a choice: `12` in `(B) 12`."""
    plain = unwrapped(answer)
    choice = _CHOICE.match(plain)
    return "" if choice is None else plain[choice.end() :].strip()


def is_no_solution(text: str) -> bool:
    """Return whether the text states that there is no solution."""
    return _phrase(unwrapped(text)) == _SYNONYMS["none"]


def _is_same_phrase(gold: str, plain: str) -> bool:
    """Compare phrases: in other words for the same, in another order of a list, or agreeing."""
    phrase = _phrase(plain)
    if phrase == gold:
        return True
    if gold in _AGREEING and phrase.startswith(f"{gold},"):
        return _agrees(gold, phrase[len(gold) :])
    wanted, given = ([p for p in _JOINED.split(x) if p] for x in (gold, phrase))
    if len(wanted) > 1:
        return sorted(map(_phrase, wanted)) == sorted(map(_phrase, given))
    words, others = gold.split(), phrase.split()
    has_letter = sum(len(word) == 1 for word in words) == 1
    return has_letter and len(words) <= _BAG_WORDS and sorted(words) == sorted(others)


def _agrees(gold: str, rest: str) -> bool:
    """Return whether the words behind `yes` or `no` say the same.

    `Yes, it is possible.` agrees; `Yes, but not always` and `No, it is always possible` do not.
    """
    if _TAKEN_BACK.search(rest):
        return False
    if gold in ("no", "false") and "always" in rest:
        return False
    denials = len(_DENIAL.findall(rest))
    return denials == (1 if gold in ("no", "false") else 0)


def _phrase(plain: str) -> str:
    phrase = plain.casefold() if plain[:1].isalpha() else plain
    phrase = _OPENING.sub("", _CLOSING.sub("", phrase), count=1)
    phrase = _ARTICLE.sub("", phrase, count=1) if plain[:1].isalpha() else phrase
    return _SYNONYMS.get(phrase, phrase)


def _finding(status: Status, gold: str, answer: str) -> Finding:
    return Finding(status=status, canonical_gold=gold, canonical_answer=answer[:_SHOWN_CHARS])
