r"""The words of a problem, the same for all ways to typeset it.

`\dfrac12`, `\frac{1}{2}` and `\( \frac 1 2 \)` have the same words. So do texts that differ in
white space, punctuation, quotes, labels such as "Problem 12." or notes such as "(8 points)". The
words keep all that changes a problem: numbers, operators, brackets, letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_LABEL = re.compile(
    r"^\s*(?:\[b\]|\*\*|#+\s|\\text(?:bf|it)\s?\{)?\s*(?:"
    r"[(\[](?:aime|amc|hmmt|imo|\d{4})[^)\]]{0,40}[)\]]"
    r"|(?:problem|question|exercise|example|task|q|p|no|ex|prob)\s{0,2}\.?\s{0,2}#?\d+(?:[.-]\d+)*(?![\d,/+^=-]|\.\d|\*(?!\*))"
    r"|\d{1,3}(?:\.\d{1,2})?\s?[.)](?!\d)|\(\d{1,3}\)(?=\s)|\#\d{1,3}"
    r"|[(\[]\s?\d{1,3}\s?(?:points?|pts?|marks?)\.?\s?[)\]]"
    r")\s*(?:\*\*|\[/b\]|\})?\s*[:.)\u2014-]*\s*(?:\*\*|\[/b\]|\})?\s*",
)
_CONTESTS = "aime|amc|ahsme|hmmt|imo|usamo|usajmo|putnam|smt|bmt|cmimc|pumac|mathcounts"
_NOTE = re.compile(
    rf"(?<=[.?!$)])\s*[-\u2013\u2014]?\s*(?:\d{{4}}\s)?(?:{_CONTESTS})\b[^.?!$\\=]{{0,40}}$"
    r"|(?<=[.?!])\s*\[\d{1,3}\]\s*$"
    r"|\s*[(\[](?:\d{1,3}\s?(?:points?|pts?|marks?)"
    r"|(?=[^()\[\]]*\b(?:1[89]|20)\d\d\b)(?=[^()\[\]]*[a-z]{3})[^()\[\]=$\\]{4,60}"
    r"|(?:source|from|adapted)\b[^()\[\]]{0,60})\.?[)\]]\s*$"
)
_LABELS = 3  # labels in sequence that are removed

_COMMANDS = "|".join(
    (
        "text", "textbf", "textit", "textrm", "textsf", "textnormal", "mathrm", "mathbf", "mathit",
        "mathsf", "mbox", "hbox", "operatorname", "emph", "boldsymbol", "bm", "mathcal", "mathbb",
    )
)  # fmt: skip
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (r"\s+", " "),
        (r"\\\{", r" \\lbrace "),
        (r"\\\}", r" \\rbrace "),
        (r"\{,\}|,\\!", ","),
        (r"\\(?:[dtc]frac)(?![a-z])", r"\\frac"),
        (r"\\[dt]binom(?![a-z])", r"\\binom"),
        (r"\{\s*([^{}\\]+?)\s*\\choose\s*([^{}\\]+?)\s*\}", r"\\binom{\1}{\2}"),
        (r"\\begin\s?\{pmatrix\}", "("),
        (r"\\end\s?\{pmatrix\}", ")"),
        (r"\\begin\s?\{bmatrix\}", "["),
        (r"\\end\s?\{bmatrix\}", "]"),
        (r"\\(?:begin|end)\s?\{vmatrix\}", "|"),
        (r"\\(?:left|right|bigl?|bigr?|biggl?|biggr?|displaystyle|limits)(?![a-z])\.?", " "),
        (r"\\(?:[,;:!> ]|q?quad(?![a-z])|\\|thinspace(?![a-z])|newline(?![a-z]))|~|&nbsp;", " "),
        (rf"\\(?:{_COMMANDS})\s*\{{([^{{}}]*)\}}", r" \1 "),
        (r"\\\$|\\[()\[\]]|\$", " "),
        (r"[_^]\s?\{\s*\}", ""),
        # Separators of thousands go; (1,100) is a point or an interval and stays.
        (r"(?<![(\[]\d)(?<![(\[]\d\d)(?<![(\[]\d{3})(?<=\d),(?=\d{3}(?!\d))", ""),
        (r"\^\s?\{?\s?\\circ(?![a-z])\s?\}?|\\degree(?![a-z])|\u00ba", " \u00b0 "),
        (r"\\(frac|binom)\s?(\d)\s?(\d)", r"\\\1 {\2} {\3}"),
        (r"\\sqrt\s?(\d)", r"\\sqrt {\1}"),
        (r"\^\s?(\d)", r"^ \1 "),
        (r"_\s?(\d)", r"_ \1 "),
        (r"\.\s?\.\s?\.|\u2026|\\[lc]?dots[bcmio]?(?![a-z])", r" \\dots "),
        (r"[\u2010-\u2015\u2212]", "-"),
        (r"(?<=[a-z]{2})-(?=[a-z]{2})", " "),
        (r"(?<=[\d)}!])\s?!|(?<![a-z])([a-z])!", r" \1 \\factorial "),
        (r"(?<![\w)])\*\*|\*\*(?![\w(])|__|\[/?b\]|<br */?>", " "),
        (r"(?<=[a-z])['\u2019](?=[a-z])", ""),
        (r"\^\s?\{?\s?((?:\\prime\s?)+)\}?", r" \1 "),
        (r"(?<![a-z])([a-z])['\u2019\u2032]{3}", r" \1 \\prime \\prime \\prime "),
        (r"(?<![a-z])([a-z])['\u2019\u2032]{2}", r" \1 \\prime \\prime "),
        (r"(?<![a-z])([a-z])['\u2019\u2032]", r" \1 \\prime "),
        (r"\\begin\s?\{[a-z]+\*?\}|\\end\s?\{[a-z]+\*?\}", " "),
    )
)
_WORD = re.compile(
    r"\\[a-z]+|\d+(?:\.\d+)?|(?<![\w.])\.\d+|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\d_]+|[^\s\w]|_"
)
_SILENT = frozenset(",.;:?!\"'`$&\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb")
_SAME = {
    "\\le": "\\leq", "\u2264": "\\leq", "\\leqslant": "\\leq", "\\ge": "\\geq",
    "\u2265": "\\geq", "\\geqslant": "\\geq", "\\ne": "\\neq", "\u2260": "\\neq",
    "\u00d7": "\\times", "\u00b7": "\\cdot", "\u22c5": "\\cdot", "\\rightarrow": "\\to",
    "\u2192": "\\to", "\\colon": ":", "\\mid": "|", "\\vert": "|",
    "\\lvert": "|", "\\rvert": "|", "\\pi": "\u03c0", "\\theta": "\u03b8", "\\alpha": "\u03b1",
    "\\beta": "\u03b2", "\\infty": "\u221e", "\\lfloor": "\u230a", "\\rfloor": "\u230b",
    "\\varnothing": "\\emptyset", "\\longrightarrow": "\\to", "\\implies": "\u21d2",
    "\\percent": "%",
}  # fmt: skip
_CHARACTERS = str.maketrans(
    {
        high: f"^{digit} "
        for digit, high in enumerate("\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")
    }
    | {chr(0x2080 + digit): f"_{digit} " for digit in range(10)}
    | {"\u207f": "^n "}
    | dict.fromkeys("\ufeff\u200b\u200c\u200d\u2060\u00ad", "")  # invisible
)
_HEADER = re.compile(r"^#{1,6} ", re.MULTILINE)


def words(text: str) -> list[str]:
    """Return the words of a problem in order: letters, numbers, commands and symbols.

    Braces around several words are words too: 2^{x+1} is not 2^x+1.
    """
    plain = _HEADER.sub("", text.translate(_CHARACTERS))
    plain = _without_labels(unicodedata.normalize("NFKC", plain).casefold().strip())
    for pattern, new in _REWRITES:
        plain = pattern.sub(new, plain)
    plain = plain.replace("\\%", "%")
    unified = (_SAME.get(word, word) for word in _WORD.findall(plain))
    return _unwrapped(word for word in unified if word not in _SILENT and word != "\\")


def _unwrapped(with_braces: Iterable[str]) -> list[str]:
    """Return words without braces around a single word or none, and without unmatched braces."""
    out: list[str] = []
    opened: list[int] = []
    for word in with_braces:
        if word == "{":
            opened.append(len(out))
            out.append(word)
        elif word != "}":
            out.append(word)
        elif opened:
            start = opened.pop()
            if len(out) - start > 2:
                out.append(word)
            else:
                del out[start]
    for start in reversed(opened):
        del out[start]
    return out


def is_number(word: str) -> bool:
    """Return whether a word is a number."""
    return word[0].isdigit() or (word[0] == "." and len(word) > 1)


def is_letters(word: str) -> bool:
    """Return whether a word is a word of language, not the name of a variable."""
    return len(word) > 1 and word[0].isalpha()


def _without_labels(text: str) -> str:
    for _ in range(_LABELS):
        shorter = _NOTE.sub("", _LABEL.sub("", text, count=1))
        if shorter == text or len(shorter) < 8:
            break
        text = shorter
    return text
