r"""Take the words away from a value: labels before it, conditions behind it, numbers in words.

`value_of` returns the mathematics that a phrase states: `5` for `\text{Total: } 5`, `\mathbb{R}`
for "all real numbers". A word that changes a value, such as "not", "less" or "half", stops it: then
the text stays as it is. Expects clean text; linear in the text. Called by `answer`.
"""

from __future__ import annotations

import re
from functools import lru_cache

from reasonrl.verify.math.words import unwrapped

_WRAP = r"\\(?:text|textrm|textbf|textit|textnormal|mathrm|mbox|hbox|rm|bf)\s?"
_CHANGING_WORDS = """
not no never none neither nor or and less more than greater fewer least most minus negative plus
times squared square cubed cube root sqrt half halves third thirds quarter quarters between except
without excluding under over below above wrong incorrect false either unless almost nearly percent
base mod modulo factorial hundred thousand million billion trillion dozen choose chosen if then is
isn't isnt cannot can't multiple multiples divided power inverse opposite complement double twice
triple log ln exp sin cos tan hundredth hundredths tenth tenths thousandth thousandths fifth fifths
fourth fourths sixth sixths eighth eighths question unknown neg about maybe perhaps possibly
probably roughly around guess but anything everything nothing apart excludes exclude unequal up
beyond larger smaller bigger one two three four five six seven eight nine ten twenty thirty forty
fifty sixty seventy eighty ninety hundreds thousands millions tens could might may would close near
infinitely many debt loss deficit reciprocal successor predecessor cosine sine tangent logarithm
ceiling floor even odd prime otherwise else different other others rejected excluded fails
alternatively vs also any number unlike outside rather instead before after upper lower bound
"""
_CHANGING = frozenset(_CHANGING_WORDS.split())
"""Words that change the value beside them, so that they are never dropped."""

_SAFE_WORDS = """
only just exactly remainder point points answer answers total value area volume perimeter length sum
product probability result minimum maximum vertex center centre radius slope so thus therefore hence
the is of final approximately distance speed price cost age time height width angle matrix vector
set interval function line equation tuple pair solution solutions roots
"""
_SAFE = frozenset(_SAFE_WORDS.split())
"""Words that may stand before a value without a colon or "is"."""
_FUNCTION_WORDS = """
sqrt arcsin arccos arctan sinh cosh tanh floor ceil infinity alpha beta gamma lambda theta frac
"""
_FUNCTIONS = frozenset(_FUNCTION_WORDS.split())
_LABEL = re.compile(
    rf"(?:{_WRAP}\{{\s?(?P<marked>[^{{}}\\$0-9=<>^_+*/|]{{1,200}}?)\s?\}}"
    r"|(?P<bare>(?:[^\W\d_]{3,}|[^\x00-\x7f]{2,})(?:[ '-][^\W\d_]+){0,12}?)"
    r"(?P<end>:| is:?| are:?| equals:?)?)"
    r"\s?:?\s?(?P<rest>[-+\d.(\[\\|$€£¥₹A-Za-z].*)",
    re.DOTALL,
)
# Several words before a colon or "is".
_ENDED_LABEL = re.compile(
    r"(?P<marked>)(?P<bare>[^\W\d_]+(?:[ '-][^\W\d_]+){1,12}?)(?P<end>:| is:?| are:?| equals:?)\s?"
    r"(?P<rest>[-+\d.(\[\\|$€£¥₹A-Za-z].*)",
    re.DOTALL,
)
_CONDITION = re.compile(
    rf",?\s?\(?(?:{_WRAP}\{{[,;(\s]{{0,3}}(?:for|where|with)(?![a-zA-Z])"
    r"|(?:,\s?|\s)(?:for all|for any|for every|for each|where)(?![a-zA-Z])"
    r"|\\forall(?![a-zA-Z]))",
)
# A condition that leaves a formula little to hold for, or takes it back.
_TAKES_BACK = re.compile(
    r"(?<![a-z])(?:otherwise|else|no|not|never|none|or|but|even|odd|prime|if|when|unless|only"
    r"|except|empty)(?![a-z])|\\(?:emptyset|varnothing|text\s?\{\s?or)|(?<![<>!])=\s?-?\d(?!,)"
)
# What a text without words beside its mathematics does not hold.
_WORDY = re.compile(
    r"\\(?:text|mathrm|mbox|rm|forall|[pb]?mod)|(?<![\\A-Za-z])[^\W\d_]{3}|[^\x00-\x7f]{2}"
    r"|[a-z]\s?=\s?\d,|\([^()]*(?:[<>]|\\(?:ne|le|ge|in))"
)
_IN_BRACKETS = re.compile(
    r"(?<=\S)\s?\((?P<condition>[^()]{0,60}(?:[<>]|\\(?:ne|neq|le|ge|leq|geq|lt|gt|in)(?![a-zA-Z]))"
    r"[^()]{0,60})\)$"
)
_REMARK = re.compile(
    rf"\s?{_WRAP}\{{\s?\(?(?:is the (?:only |final )?(?:solution|answer)|only|respectively|exactly"
    r"|in total|altogether|units?)\)?\s?\}$"
    r"|,?\s?\(?[a-z]\s?=\s?\d(?:,\s?\d){1,4},\s?(?:\\[lc]?dots|\.\.\.)\s?\)?$"
    rf"|\s?(?:{_WRAP}\{{\s?)?\(?\s?\\pmod\s?\{{?\s?\d{{1,12}}\s?\}}?\s?\)?\s?\}}?\)?$"
)
_PERMUTATIONS = re.compile(
    rf"(?P<item>\([^()]{{1,100}}\)),?\s?(?:{_WRAP}\{{)?\s?\(?"
    r"(?:(?:and|with) (?:all )?(?:of )?(?:its |their )?"
    r"permutations?|in any order|up to (?:permutation|order))\)?\s?\}?"
    rf"|(?:{_WRAP}\{{)?\s?(?:all )?(?:the )?permutations of\s?\}}?\s?(?P<other>\([^()]{{1,100}}\))"
)
_MOST_PERMUTED = 4
_SETS = {
    "real numbers": r"\mathbb{R}", "reals": r"\mathbb{R}", "real number": r"\mathbb{R}",
    "real x": r"\mathbb{R}", "real values": r"\mathbb{R}",
    "integers": r"\mathbb{Z}", "integer": r"\mathbb{Z}", "natural numbers": r"\mathbb{N}",
    "rational numbers": r"\mathbb{Q}", "complex numbers": r"\mathbb{C}",
    "positive integers": r"\Zpos", "positive integer": r"\Zpos",
    "positive real numbers": r"(0,\infty)", "positive reals": r"(0,\infty)",
    "positive numbers": r"(0,\infty)", "negative real numbers": r"(-\infty,0)",
    "negative reals": r"(-\infty,0)",
    "nonnegative real numbers": r"[0,\infty)", "non-negative real numbers": r"[0,\infty)",
    "nonnegative reals": r"[0,\infty)", "non-negative reals": r"[0,\infty)",
    "non-zero real numbers": r"(-\infty,0)\cup(0,\infty)",
    "nonzero real numbers": r"(-\infty,0)\cup(0,\infty)",
    "nonzero reals": r"(-\infty,0)\cup(0,\infty)", "infinity": r"\infty",
}  # fmt: skip
_SET_WORDS = re.compile(
    r"(?:the )?(?:set of )?(?:all |any |every |the )?(?:the )?"
    r"(?P<name>[a-z -]+?)(?: only)?(?: [a-z])?"
)
_EXCEPT = re.compile(
    rf"(?:{_WRAP}\{{\s?)?(?:the set of )?all (?:the )?(?:reals|real(?: numbers| values)?)"
    r"(?: [a-z])? ?(?:except|excluding|other than|but|apart from|besides)(?: for)?\s?\}?"
    r"(?P<rest>.+)"
)
_EXCEPT_SYMBOL = re.compile(
    rf"\\mathbb\{{R\}}\s?{_WRAP}\{{\s?(?:except|excluding|without|other than)(?: for)?\s?\}}"
    r"(?P<rest>.+)"
)
_AND = re.compile(rf"\s?(?:{_WRAP}\{{\s?and\s?\}}|(?<![a-zA-Z])and(?![a-zA-Z]))\s?")
_UNITS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen
"""
_SMALL = {word: number for number, word in enumerate(_UNITS.split())}
_TENS = {
    word: 10 * number
    for number, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2
    )
}
_PLACE_WORDS = """
first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth
"""
_PLACES = {word: number for number, word in enumerate(_PLACE_WORDS.split(), start=1)}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9}
_HYPHEN = re.compile(r"(?<=[a-z])-(?=[a-z])")
_NEGATIVE = re.compile(rf"(?:{_WRAP}\{{\s?)?(?:negative|minus)\s?\}}?\s?(?P<rest>\d[\d.,/]*)\}}?")
_RESIDUE = re.compile(r"\\pmod\s?\{?\s?(\d{1,12})")
_MOST_WORDS = 12


@lru_cache(maxsize=8_192)
def value_of(text: str) -> str:
    """Return the mathematics that a clean text states; the text itself if it has no such words."""
    if not _has_words(text):
        return text
    plain = unwrapped(text)
    if (number := number_in_words(plain)) is not None:
        return str(number)
    if (fraction := fraction_in_words(plain)) is not None:
        return fraction
    if (named := _named_set(text)) is not None:
        return named
    if (match := _PERMUTATIONS.fullmatch(text)) is not None:
        return _permuted(match["item"] or match["other"])
    text = _without_label(text)
    if (negative := _NEGATIVE.fullmatch(text)) is not None:
        return "-" + negative["rest"]
    if "\\equiv" not in text and _is_residue(text):
        text = _REMARK.sub("", text).strip()
    if _has_words(text):
        text = _without_condition(text)
    return _IN_BRACKETS.sub(r", \g<condition>", text)


def _has_words(text: str) -> bool:
    return _WORDY.search(text) is not None


def _is_residue(text: str) -> bool:
    """Return whether a number before a modulus is its least residue; true without a modulus."""
    match = _RESIDUE.search(text)
    if match is None:
        return True
    number = re.match(r"\s?(\d{1,12})(?!\d)", text)
    return number is not None and int(number[1]) < int(match[1])


def number_in_words(text: str) -> int | None:
    """Return the whole number of English words such as `twenty-one`, or None."""
    words = _HYPHEN.sub(" ", text.casefold()).split()
    if not 0 < len(words) <= _MOST_WORDS:
        return None
    total = group = 0
    last = ""
    for word in words:
        if word == "and" and last in ("hundred", "thousand"):
            continue
        if word in _SMALL and (
            not last or last in _SCALES or (last in _TENS and _SMALL[word] < 10)
        ):
            group += _SMALL[word]
        elif word in _TENS and (not last or last in _SCALES):
            group += _TENS[word]
        elif word == "hundred" and 0 < group < 10:
            group *= 100
        elif word in _SCALES and word != "hundred" and 0 < group < 1_000:
            total, group = total + group * _SCALES[word], 0
        else:
            return None
        last = word
    return total + group


def fraction_in_words(text: str) -> str | None:
    """Return `two-thirds` as a fraction in LaTeX, and `fifth` as its place; else None."""
    words = _HYPHEN.sub(" ", text.casefold()).split()
    if len(words) == 1:
        place = _PLACES.get(words[0])
        return None if place is None else str(place)
    if len(words) != 2 or words[0] not in _SMALL:
        return None
    part = "half" if words[1] == "halves" else words[1].removesuffix("s")
    bottom = {"half": 2, "quarter": 4}.get(part, _PLACES.get(part))
    return None if bottom is None or bottom < 2 else f"\\frac{{{_SMALL[words[0]]}}}{{{bottom}}}"


def _named_set(text: str) -> str | None:
    """Return the set that words name: "all reals except 1 and 2" is a difference."""
    if (match := _EXCEPT.fullmatch(text)) is not None or (
        match := _EXCEPT_SYMBOL.fullmatch(text)
    ) is not None:
        items = _AND.sub(", ", match["rest"]).strip(" }")
        items = items.removeprefix("\\{").removesuffix("\\}")
        return f"\\mathbb{{R}} \\setminus \\{{{items}\\}}"
    match = _SET_WORDS.fullmatch(unwrapped(text).casefold())
    return None if match is None else _SETS.get(match["name"].strip())


def _without_label(text: str) -> str:
    """Drop words before a value, unless one of them changes it."""
    for _ in range(3):
        match = _ENDED_LABEL.fullmatch(text) or _LABEL.fullmatch(text)
        if match is None:
            break
        words = (match["marked"] or match["bare"] or "").casefold()
        words = re.sub(r"\b(?:is|are|equals)\s?:?\s?$", "", words.strip()).strip(" :,.")
        if not words or not _may_go(words):
            break
        written = match["marked"] or match["bare"] + (match["end"] or "")
        is_ended = re.search(r"(?:[:=]|\b(?:is|are|equals):?)\s?$", written) is not None
        if not is_ended and not _may_go_alone(words, match["rest"]):
            break
        if match["bare"] and not match["end"]:
            is_apart = text[len(match["bare"])].isspace()
            if not is_apart or not _starts_value(match["rest"]):
                break
        text = match["rest"].strip()
    return text


def _starts_value(rest: str) -> bool:
    return rest[0] in "-+.(\\$" or rest[0].isdecimal()


def _may_go_alone(words: str, rest: str) -> bool:
    """Return whether words may go that no colon ends: known labels, or "all" before a relation."""
    each = re.findall(r"[^\W\d_]+", words)
    if each[0] in ("all", "every", "any"):
        return re.search(r"[<>]|\\(?:ge|le|ne|in|geq|leq|neq)(?![a-zA-Z])", rest) is not None
    return all(word in _SAFE for word in each)


def _may_go(words: str) -> bool:
    """Return whether words before or behind a value may be dropped."""
    each = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", words)
    return (
        bool(each) and not any(word in _CHANGING for word in each)
        and not (len(each) == 1 and (each[0] in _FUNCTIONS or len(each[0]) < 2))
    )  # fmt: skip


def _without_condition(text: str) -> str:
    """Drop a condition behind a formula: `2^n - 1` in `2^n - 1 \\text{ for all } n \\ge 1`."""
    matches = list(_CONDITION.finditer(text))
    if matches and _TAKES_BACK.search(text, matches[0].start()):
        return text
    if matches and re.search(
        r"[<>]|\\(?:ge|le|geq|leq|in)(?![a-zA-Z])", text[: matches[0].start()]
    ):
        return text
    if len(matches) != 1 or not (kept := text[: matches[0].start()].strip(" ,;")):
        return text
    return kept if "\\begin" not in text and kept.count("(") == kept.count(")") else text


def _permuted(item: str) -> str:
    """Return all orders of the entries of a tuple."""
    from itertools import permutations

    entries = [entry.strip() for entry in item[1:-1].split(",")]
    if len(entries) > _MOST_PERMUTED:
        return item
    return ", ".join(f"({', '.join(order)})" for order in sorted(set(permutations(entries))))
