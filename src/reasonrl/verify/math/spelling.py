r"""Compare two texts as spellings: blanks, braces of one sign and synonymous commands mean nothing.

For mathematics that no reader knows, such as `\forall x \in \mathbb{R}, x^2 \ge 0`, the same text
is the only proof of the same answer. Linear in the text. Called by `answer`.
"""

from __future__ import annotations

import re

_TOKENS = re.compile(r"\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?|\S", re.DOTALL)
_SYNONYMS = {
    "\\leq": "\\le", "\\leqslant": "\\le", "\\geq": "\\ge", "\\geqslant": "\\ge", "\\neq": "\\ne",
    "\\dots": "\\ldots", "\\cdots": "\\ldots", "\\dotsc": "\\ldots", "\\mid": "|", "\\vert": "|",
    "\\lvert": "|", "\\rvert": "|", "\\varphi": "\\phi", "\\varepsilon": "\\epsilon",
    "\\lnot": "\\neg", "\\vee": "\\lor", "\\wedge": "\\land", "\\to": "\\rightarrow",
    "\\emptyset": "\\varnothing", "\\ast": "*", "\\lbrace": "\\{", "\\rbrace": "\\}",
    "\\gets": "\\leftarrow", "\\iff": "\\Leftrightarrow", "\\textrm": "\\text",
    "\\mathrm": "\\text", "\\operatorname": "\\text", "\\bmod": "\\mod", "\\pmod": "\\mod",
    "\\dfrac": "\\frac", "\\tfrac": "\\frac", "\\colon": ":",
}  # fmt: skip
_BIG = frozenset({"\\sum", "\\prod", "\\bigcup", "\\bigcap"})
_BOUND = "\\bound"
_RELATIONS = frozenset("<>") | {"\\le", "\\ge", "\\ne", "\\equiv", "\\in"}
_NAMED = re.compile(r"[A-Za-z\\(){}'|, ]{1,60}")
_CALL = re.compile(
    r"\\?[A-Za-z]{1,12}(?:_\{?\w{1,3}\}?)?(?:\^\{?\(?-?\d\)?\}?|'{1,3})?\([^()=<>]{1,60}\)"
    r"|\\(?:text|mathrm|operatorname)\s?\{[A-Za-z]{1,12}\}\s?\([^()=<>]{1,60}\)"
    r"|\\(?:sigma|chi)\^\{?2\}?|[sR]\^\{?2\}?|\|[^|=<>]{1,60}\||\\#\s?\\\{[^=]{1,60}\\\}"
)
_INDEX = re.compile(r"_(?:\{[\w, +-]{1,20}\}|\w)|\^\{?-1\}?|(?<=[A-Za-z}])\([\w, +-]{1,20}\)")
_NO_NAME = re.compile(r"\\(?:frac|sqrt|pi|binom|int|sum|lim|gcd|det|sin|cos|tan|ln|log|begin)")


def is_same_spelling(gold: str, answer: str) -> bool:
    """Return whether two clean texts are one text but for their spelling."""
    return spelled(gold) == spelled(answer)


def spelled(text: str) -> tuple[str, ...]:
    """Return the signs of a text in one spelling, with bound names renamed."""
    signs = [_SYNONYMS.get(sign, sign) for sign in _TOKENS.findall(text)]
    return tuple(_bound_renamed(_without_braces(signs)))


def _without_braces(signs: list[str]) -> list[str]:
    """Drop the braces around a single sign: `x^{2}` is `x^2`."""
    kept: list[str] = []
    for sign in signs:
        if sign == "}" and len(kept) >= 2 and kept[-2] == "{":
            kept[-2:] = kept[-1:]
        else:
            kept.append(sign)
    return kept


def _bound_renamed(signs: list[str]) -> list[str]:
    """Rename the index of a sum and the variable of an integral, which have no meaning."""
    name = ""
    for at, sign in enumerate(signs[:-3]):
        if (
            sign in _BIG
            and signs[at + 1] == "_"
            and signs[at + 2] == "{"
            and signs[at + 4 : at + 5] == ["="]
        ):
            name = signs[at + 3]
    if "\\int" in signs[:-1] and signs[-2] == "d":
        name = signs[-1]
    if len(name) != 1 or not name.isalpha() or name == "d":
        return signs
    return [_BOUND if sign == name else sign for sign in signs]


def sides_of(text: str) -> list[str]:
    """Return the sides of the equations of a text, split at each `=` outside all brackets.

    A text with a relation that is no equation has one side: itself.
    """
    if "=" not in text:
        return [text]
    sides, depth, start = [], 0, 0
    for at, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and character == "=" and text[at - 1 : at] not in ("<", ">", "!", ":"):
            sides.append(text[start:at].strip())
            start = at + 1
    sides.append(text[start:].strip())
    is_equation = not any(sign in _RELATIONS for side in sides for sign in spelled(side))
    return sides if is_equation and all(sides) else [text]


def value_named(text: str) -> str | None:
    """Return what the last `=` gives to a call or a cardinality, 5 of `f^{-1}(2) = 5`; else None.

    Such a left side is read as mathematics of its own, or not at all, and still only names.
    """
    head, equals, value = text.rpartition("=")
    is_name = bool(equals) and _CALL.fullmatch(head.strip()) is not None
    return value.strip() if is_name and value.strip() else None


def is_named(side: str) -> bool:
    """Return whether the side of an equation is only a name: `X`, `\\vec{r}(t)`, `A^{-1}`."""
    return bool(_NAMED.fullmatch(_INDEX.sub("", side))) and not _NO_NAME.search(side)
