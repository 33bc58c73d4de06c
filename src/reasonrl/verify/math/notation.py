r"""Normalize notation: `clean` gives spellings of equal meaning one form.

Works on text only, in linear time, and reads no mathematics. `characters` knows single characters;
this module knows LaTeX, plain text and the marks of Markdown.
"""

# ruff: noqa: E501 - a rewrite stays on one line, so that the table can be read down its columns

from __future__ import annotations

import html
import re
from collections.abc import Callable

from reasonrl.verify.math.characters import plain_characters

_FONT = r"\\(?:math(?:bf|rm|it|sf|normal)|boldsymbol|bm|bf|rm)(?![a-zA-Z])"
_FONT_OR_TEXT = r"\\(?:math(?:bf|rm|it|sf|normal)|boldsymbol|text(?:bf|rm|it|sf|normal)?|mbox|hbox)"
_TEXT = r"\\(?:text|textrm|mathrm|rm|mbox)\s?"
_LENGTH = r"-?[\d.]{1,9}\s?(?:pt|mm|cm|em|ex|in|pc|mu|\\[a-z]+)"
_LAYOUT = (
    "boldmath unboldmath nonumber notag noindent par hfill allowbreak nobreak relax strut smallskip"
    " medskip bigskip tiny small normalsize large Large LARGE huge Huge checkmark scriptstyle"
    " scriptscriptstyle normalfont bfseries itshape centering"
)
_BOLD = r"\\(?:mathbf|boldsymbol|bm|hat|vec|widehat|overrightarrow)\s?"
_IJK = r"\\?([ijk])(?:math)?"
_UNIT_VECTOR = (
    rf"{_BOLD}\{{\s?{_BOLD}\{{\s?{_IJK}\s?\}}\s?\}}|{_BOLD}\{{\s?(?:{_BOLD})?{_IJK}\s?\}}"
    rf"|\\(?:hat|vec|widehat)\s?{_IJK}(?![a-zA-Z])"
)
_REALS, _INTEGERS = r"\\mathbb\{R\}\s?", r"\\mathbb\{[ZN]\}\s?"
_MARKS = re.compile(r"(\*\*|\*|__|_|`{1,3})(?![\s*_])(.{1,3900}?)(?<!\s)\1", re.DOTALL)
_COMMENT = re.compile(r"(?<!\\)%[ \t]*[A-Za-z][^\n]*\n")
# The commands that JSON or Python have doubled the backslash of.
_DOUBLED = re.compile(
    r"\\\\(?=(?:[dtc]?frac|sqrt|pi|cdot|times|left|right|text|infty|cup|cap|le|ge|leq|geq|ne|neq|in"
    r"|alpha|beta|theta|sin|cos|tan|ln|log|pm|circ|mathbb|mathrm|binom)(?![a-zA-Z]))"
)
_DECIMAL_COMMA = re.compile(r"(?<![\d,}.])(\d+)((?:\{,\}\d+)+)(?![\d.]|\{,\})")
_GROUPED_DECIMALS = re.compile(
    r"\.\d{3}(?:(?:\\[,;:! ]|[ ~])\d{3})*(?:\\[,;:! ]|[ ~])\d{1,3}(?!\d)"
)
_LEADING = re.compile(
    r"(?:=(?!=)|\\(?:approx|simeq|doteq|cong|to|rightarrow|longrightarrow|therefore|implies|Rightarrow|colon)(?![a-zA-Z]))\s?"
)
_CURRENCY = re.compile(
    r"(?:\\(?:text|mathrm)\s?\{\s?)?(?:(?P<rupee>Rs\.?|INR)|(?P<dollar>USD|US\s?\\?\$)|(?P<euro>EUR)"
    r"|(?P<pound>GBP)|(?P<yuan>RMB|CNY))\s?\}?\s?(?=[-+]?[\d.])"
)
_CURRENCY_SIGNS = {"rupee": "₹", "dollar": "\\$", "euro": "€", "pound": "£", "yuan": "¥"}
_BRACKETS = re.compile(r"\[[^\[\]]*\]|([\[\]])([^\[\](),;]*[,;][^\[\]()]*)([\[\]])")
_ENTITY = re.compile(r"&[a-zA-Z]{2,8};")
_BREAK = re.compile(r"<br\s?/?>")
_TAGGED = re.compile(r"<(\w{1,12})>(.{1,3900})</\1>", re.DOTALL)
_ORDINAL = re.compile(
    r"(\d[\d,]{0,20})\s?\^?\s?\{?\s?(?:\\(?:text|mathrm|textsuperscript|rm)\s?\{)?\s?"
    r"(?:st|nd|rd|th)\s?\}{0,2}"
)
_FEET = re.compile(r"(\d+)\s?'\s?(\d+)\s?(?:''|\\?\"|)")


def _currency(match: re.Match[str]) -> str:
    return "£" if "pounds" in match[0] else "¥" if "yen" in match[0] else "€"


def _transposed(match: re.Match[str]) -> str:
    """Write a transposed row as a column; a tuple is both."""
    return match[1].replace("&", "\\\\") if match[1].startswith("\\begin") else match[1]


def _half_day(match: re.Match[str]) -> str:
    return f" \\text{{ {match[1].lower()}m}}"


def _primes(match: re.Match[str]) -> str:
    return "'" * match[1].count("\\prime")


def _turned(match: re.Match[str]) -> str:
    """Write `]0, 1[` as `(0, 1)`: a bracket that is turned away leaves its endpoint out."""
    if match[2] is None or not all(part.strip() for part in re.split("[,;]", match[2])):
        return match[0]
    opener = "(" if match[1] == "]" else "["
    return opener + match[2] + (")" if match[3] == "[" else "]")


def _joined_units(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2] or '*'}{match[3]}"


def _marked(match: re.Match[str]) -> str:
    mark = match[1] or ""
    return "\\$" if mark == "$" else mark


# (texts without which the pattern cannot match, the pattern, its replacement), in this order.
_REWRITES: tuple[tuple[tuple[str, ...], re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = tuple(
    (tuple(needles.split()) or (needles,), re.compile(pattern), replacement)
    for needles, pattern, replacement in (
        ("√", r"√\s?\(([^()]*)\)|√\s?(\w+)", r"\\sqrt{\1\2}"),
        (",", r",\s?\\!\s?(?=\d{3}(?!\d))", ","),
        ("\\!", r"(?<!\\)\\!", ""),
        ("script{", r"\\textsuperscript\s?\{([^{}]*)\}", r"^{\1}"),
        ("script{", r"\\textsubscript\s?\{([^{}]*)\}", r"_{\1}"),
        ("\\mapsto", r"(?:[a-zA-Z]\s?:\s?)?([a-z])\s?\\mapsto(?![a-zA-Z])", r"f(\1)="),
        ("+/- +-", r"\+/?-\s?(?=[\d\\(a-z])", r"\\pm "),
        ("box \\hl", r"\\(?:f?colorbox\s?\{\w*\}(?:\s?\{\w*\}(?=\s?\{))?|bbox\s?\[[^\]]*\]|hl)\s?(?=\{)", ""),
        ("\\black \\square \\Box \\dagger \\star", r"\\(?:blacksquare|square|Box|dagger|ddagger|star)(?![a-zA-Z])\s?$", ""),
        ("pounds \\yen euro", r"\\(?:(?:text)?pounds|yen|(?:text)?euro)(?![a-zA-Z])\s?", _currency),
        ("/-", r"(?<=\d)/-$", ""),
        (".m p a P A", r"(?<=\d)\s?([apAP])\.?\s?[mM]\.?$", _half_day),
        ("base", r"([0-9A-Fa-f]{1,64})\s?(?:_\s?\{\s?)?\\text\s?\{\s?\(?\s?(?:in )?base\s?(\d{1,2})?\s?\)?\s?\}\s?(\d{1,2})?\}?$", r"\1_{\2\3}"),
        ("T \\\\top", r"^(\\begin\{\w+\}[^\\]*\\end\{\w+\}|\([^()]*\)|\[[^\[\]]*\])\s?\^\s?\{?\s?(?:T|\\top|\\(?:mathrm|mathsf|text)\{T\})\s?\}?$", _transposed),
        ("\\surd", r"\\surd\s?", r"\\sqrt "),
        ("\\emph line\\ \\text tt \\und", r"\\(?:emph|uline|underline|text(?:tt|sc|sl|up|md)|mathtt)\s?(?=\{)", r"\\text"),
        ("box \\ens \\math \\smash", r"\\(?:ensuremath|fbox|framebox|math(?:op|rel|bin|ord|inner)|smash)\s?(?=\{)", ""),
        ("{\\", r"\{\s?\\(?:rm|bf|it|sf|tt|cal|sl)(?![a-zA-Z])\s?([^{}\\]*)\}", r"\\mathrm{\1}"),
        ("\\", rf"\\(?:{_LAYOUT.replace(' ', '|')})(?![a-zA-Z])\s?", ""),
        ("sp", r"\\(?:[hv]space\*?|mspace)\s?\{[^{}]*\}", " "),
        ("k", rf"\\(?:[hv]skip|m?kern)\s?{_LENGTH}", " "),
        ("\\tag", r"\\(?:tag\*?|label)\s?\{[^{}]*\}", ""),
        ("\\not", r"\\not\s?=", r"\\ne "),
        ("\\not", r"\\not\s?\\in(?![a-zA-Z])", r"\\notin "),
        ("\\not", r"\\not\s?\\mid(?![a-zA-Z])", r"\\nmid "),
        ("\\\\", rf"\\\\\s?\*?\s?\[\s?{_LENGTH}\s?\]", r"\\\\"),
        ("\\cr newline", r"\\(?:cr|newline|tabularnewline)(?![a-zA-Z])", r"\\\\"),
        ("*}", r"\\(begin|end)\{([a-zA-Z]+)\*\}(?:\s?\[[lcr]\])?", r"\\\1{\2}"),
        ("\\root", r"\\root\s?\{?([^{}\\]{1,20}?)\}?\s?\\of\s?(\{[^{}]*\}|\S)", r"\\sqrt[\1]{\2}"),
        ("color", r"\\(?:text)?color\s?\{\w*\}", ""),
        ("i j k", _UNIT_VECTOR, r"\\hat{\1\2\3}"),
        ("\\mathbf \\mathds \\Bbb", r"\\(?:mathbf|mathds|Bbb)\s?\{?\s?([RZQN])\s?\}?(?![a-zA-Z}])", r"\\mathbb{\1}"),
        ("\\Pr", r"\\Pr(?![a-zA-Z])", "P"),
        ("\\mathbb", r"\\mathbb\s?\{([PE])\}", r"\1"),
        (
            "\\frac",
            rf"\\frac\s?\{{\s?{_TEXT}\{{([^{{}}]*)\}}\s?\}}\s?\{{\s?{_TEXT}\{{([^{{}}]*)\}}\s?\}}",
            r"\\text{\1/\2}",
        ),
        ("\\math \\b \\rm", _FONT + r"\s?(?=\{\s?(?:\\|[-+]?\d))", ""),
        ("\\math \\text bold box", r"^" + _FONT_OR_TEXT + r"\s?\{([^{}\\]*\d[^{}\\]*)\}$", r"\1"),
        ("\\text", r"\\text\s?\{\s?([.,;:]|\\?\$|[€£¥₹])?\s?\}", _marked),
        (
            "\\text",
            r"(\\text\s?\{[^{}]*)\}\s?(?:\\cdot|\\times|\*|(/))\s?\\text\s?\{\s?([^{}]*\})",
            _joined_units,
        ),
        ("phantom", r"\\[hv]?phantom\s?(?:\{[^{}]*\}|\\[a-zA-Z]+|\S)", ""),
        ("left right style \\big limits", r"\\(?:left|right|displaystyle|bigl|bigr|limits)(?![a-zA-Z])\.?", ""),
        ("\\", r"(?<!\\)\\(?:[,;: ]|q?quad(?![a-zA-Z]))", " "),
        ("~", r"~", " "),
        ("$ \\( \\) \\[ \\]", r"(?<!\\)(?:\$|\\[()\[\]])", ""),
        ("{,}", r"\{,\}", ","),
        ("frac", r"\\(?:[dtcsx]|nice|flat)frac(?![a-zA-Z])", r"\\frac"),
        ("\\frac", r"\\frac\s?(\d)\s?(\d)(?!\d)", r"\\frac{\1}{\2}"),
        ("\\%", r"\\%", "%"),
        ("circ \\degree", r"\^\s?\{?\s?\\circ\s?\}?|\\degree(?![a-zA-Z])", "°"),
        ("^", r"(?<=\d)\s?\^\s?\{?\s?(?:\\(?:text|mathrm)\s?\{\s?o\s?\}|o(?![a-zA-Z]))\s?\}?", "°"),
        ("}", r"\\(?:mathrm|mathbf|mathit|text|operatorname)\s?\{\s?([CPA])\s?\}(?=\s?[_^])", r"\1"),
        (
            "choose",
            r"(\d+|[a-z])\s?\\text\s?\{\s?choose\s?\}\s?(\d+|[a-z])(?![\w])",
            r"\\binom{\1}{\2}",
        ),
        ("\\dot", r"\\dot\s?\{?(\d)\}?(\d*)\\dot\s?\{?(\d)\}?", r"\\overline{\1\2\3}"),
        (
            "C",
            r"(?<![\w)}])(?:\{\s?\})?[_^]\s?\{?(\d+|[a-z])\}?\s?C\s?_\s?\{?(\d+|[a-z])\}?(?![a-z])",
            r"\\binom{\1}{\2}",
        ),
        ("C", r"(?<![\w.}\\])(\d{1,4})\s?C\s?(\d{1,4})(?!\w)", r"\\binom{\1}{\2}"),
        (
            "P",
            r"(?<![\w)}])(?:\{\s?\})?[_^]\s?\{?(\d+)\}?\s?P\s?_\s?\{?(\d+)\}?",
            r"P(\1,\2)",
        ),
        ("P", r"(?<![\w.}\\])(\d{1,4})\s?P\s?(\d{1,4})(?!\w)", r"P(\1,\2)"),
        ("\\prime", r"\^\s?\{?\s?((?:\\prime(?![a-zA-Z])\s?)+)\}?", _primes),
        (
            "mod",
            r"\(\s?(?:\\bmod|\\mod|\\pmod|(?:\\(?:text|mathrm)\s?\{\s?)?mod)\s?\}?\s?\{?\s?([^(){}]{1,40}?)\s?\}?\s?\)",
            r"\\pmod{\1}",
        ),
        ("const", r"\+\s?(?:\\(?:text|mathrm)\s?\{\s?)?const(?:ant|\.)?\s?\}?(?![a-z])", "+C"),
        ("10", r"(?<=\d)\s?[xX]\s?(?=10\s?\^)", r"\\times "),
        ("!=", r"(?<=\d)!=(?=\s?\d)", "! ="),
        ("_", r"^\d{1,3}(?:_\d{3})+$", lambda match: match[0].replace("_", ",")),
        ("'", r"(?<=\d)'(?=\d{3}(?:\D|$))", ","),
        (" ", r"(?<=\d) (?=\d{3}(?:\D|$))", ","),
        ("\\mathbb{R}", _REALS + r"(?:_\s?0\s?\^\s?\{?\+\}?|_\s?\{\s?(?:\\ge(?:q|qslant)?|>=)\s?0\s?\})", r"[0,\\infty)"),
        ("\\mathbb{R}", _REALS + r"(?:_\s?\{\s?(?:\\le(?:q|qslant)?|<=)\s?0\s?\})", r"(-\\infty,0]"),
        ("\\mathbb{R}", _REALS + r"(?:[_^]\s?(?:\+|\{\s?\+\s?\})|_\s?\{\s?>\s?0\s?\})", r"(0,\\infty)"),
        ("\\mathbb{R}", _REALS + r"(?:[_^]\s?(?:-|\{\s?-\s?\})|_\s?\{\s?<\s?0\s?\})", r"(-\\infty,0)"),
        ("\\mathbb{R}", _REALS + r"\^\s?\{?\s?(?:\*|\\ast)\s?\}?", r"((-\\infty,0)\\cup(0,\\infty))"),
        ("\\mathbb{Z}", r"\\mathbb\{Z\}\s?_\s?\{\s?(?:\\ge(?:q|qslant)?|>=)\s?0\s?\}", r"\\mathbb{N}"),
        (
            "\\mathbb",
            _INTEGERS + r"(?:[_^]\s?(?:\+|\{\s?\+\s?\})|_\s?\{\s?(?:>\s?0|\\ge(?:q|qslant)?\s?1)\s?\})"
            r"|\\mathbb\{N\}\s?\^\s?\{?\s?(?:\*|\\ast)\s?\}?",
            r"\\Zpos ",
        ),
        ("-", r"(?<=\\mathbb\{[RZQNC]\})\s?-\s?(?=\\\{)", r" \\setminus "),
    )
)  # fmt: skip


def clean(text: str) -> str:
    """Return the text without notation that has no meaning: unicode forms, spacing, delimiters."""
    text = _COMMENT.sub("", text).strip() if "%" in text else text.strip()
    if text.isascii() and (text.isdigit() or text.isalpha()):
        return text
    text = " ".join(plain_characters(text).split())
    text = _without_marks(text)
    if "&" in text or "<" in text:
        text = _without_html(text)
    if "\\\\" in text:
        text = text.replace("\\\\", "\\") if "\\\\begin" in text else _DOUBLED.sub(r"\\", text)
    if "{,}" in text:
        text = _DECIMAL_COMMA.sub(_decimal_comma, text)
    if "." in text:
        text = _GROUPED_DECIMALS.sub(lambda match: re.sub(r"[^\d.]", "", match[0]), text)
    for needles, pattern, replacement in _REWRITES:
        for needle in needles:
            if needle in text:
                text = pattern.sub(replacement, text)
                break
    if "\\\\" in text and "\\begin" not in text:
        text = text.replace("\\\\", ", ")
    if "[" in text or "]" in text:
        text = _BRACKETS.sub(_turned, text)
    return _without_edges(text)


def _without_marks(text: str) -> str:
    """Drop the marks of Markdown around the whole text: `**73**`, `#### 73`."""
    if text.startswith("#"):
        text = text.lstrip("#").lstrip()
    if text[:1] in "*_`" and (match := _MARKS.fullmatch(text)) is not None:
        return match[2]
    return text


def _without_html(text: str) -> str:
    """Read entities such as `&lt;`; drop line breaks and a tag around the whole text."""
    if _ENTITY.search(text):
        text = plain_characters(html.unescape(text))
    text = _BREAK.sub(" ", text).strip()
    match = _TAGGED.fullmatch(text)
    return text if match is None else match[2].strip()


def _decimal_comma(match: re.Match[str]) -> str:
    """Read `0{,}5` as a decimal and `1{,}500` as thousands."""
    groups = match[2].split("{,}")[1:]
    is_decimal = len(groups) == 1 and (len(groups[0]) != 3 or match[1].startswith("0"))
    return match[1] + ("." if is_decimal else ",") + ",".join(groups)


def _without_edges(text: str) -> str:
    """Drop a leading sign of equality and closing marks; rewrite marks at the start of a number."""
    text = " ".join(text.split())
    if text.endswith("\\") and not text.endswith("\\\\"):
        text = text[:-1].rstrip()
    while (match := _LEADING.match(text)) is not None:
        text = text[match.end() :]
    if text[:1] in "RIUEGC\\" and (match := _CURRENCY.match(text)) is not None:
        text = _CURRENCY_SIGNS[str(match.lastgroup)] + text[match.end() :]
    if text[:1].isdigit():
        text = _number_spelled(text)
    return text if text.endswith("..") else text.removesuffix(".").rstrip()


def _number_spelled(text: str) -> str:
    if (match := _ORDINAL.fullmatch(text)) is not None:
        return match[1]
    if "'" in text and (match := _FEET.fullmatch(text)) is not None:
        return f"{match[1]} \\text{{ ft }} {match[2]} \\text{{ in}}"
    return text
