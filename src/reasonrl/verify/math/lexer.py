r"""Cut clean text into tokens: numbers with their exact values, letters, commands, words, signs.

Expects clean text (`notation.clean`). Knows spelling only: which letters form a word, which comma
separates thousands. Linear in the text. Called by `parse`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from reasonrl.verify.math.tree import Number


class TokenKind(StrEnum):
    """The kind of a token."""

    NUMBER = "number"
    LETTER = "letter"
    COMMAND = "command"
    WORD = "word"
    TEXT = "text"
    SIGN = "sign"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """One token; only a number has a `value`."""

    kind: TokenKind
    text: str
    value: Number | None = None


class UnreadableError(Exception):
    """The text is no mathematics that `parse` knows."""


_PATTERN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<thousands>\d{1,3}(?:,\d{3})+(?![\d])(?:\.\d+)?)"
    r"|(?P<indian>\d{1,2}(?:,\d{2})+,\d{3}(?![\d,]))"
    r"|(?P<repeating>\d+\.\d*\(\d+\))(?![\d.])"
    r"|(?P<number>\d+(?:\.\d*)?|\.\d+)"
    r"(?:\\(?:overline|bar|dot)\s?\{?(?P<repeat>\d+)\}?"
    r"|(?P<dots>\.\.\.|\\l?dots|\\cdots|…)"
    r"|[eE](?P<exponent>[+-]?\d{1,4})(?![\w.]))?"
    r"|\\(?:text|textrm|textbf|textit|textnormal|textsf|mathrm|mathbf|mathit|mathsf|mbox|hbox|operatorname\*?"
    r"|boldsymbol|bm|rm|mathbb|mathcal)\s?\{(?P<text>[^{}]*)\}"
    r"|(?P<ellipsis>\.\.\.|\\(?:l|c|d)?dots[bcmio]?(?![a-zA-Z]))"
    r"|(?P<command>\\(?:[a-zA-Z]+|.))"
    r"|(?P<run>[A-Za-z]+)"
    r"|(?P<sign>\*\*|<=|>=|!=|!!|->|\S)",
    re.DOTALL,
)
_JOINS = frozenset({"or", "and"})
_NAME_WORDS = """
sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh log ln lg exp
sqrt abs floor ceil min max gcd lcm lim det mod binom infinity inf oo pi theta alpha beta gamma
lambda phi tg ctg cotg arctg arcctg asin acos atan sh ch th cosec cis lcm arsinh arcosh artanh
"""
_NAMES = frozenset(_NAME_WORDS.split())
_SIGN_NAMES = {
    "\\le": "<=", "\\leq": "<=", "\\leqslant": "<=", "\\ge": ">=", "\\geq": ">=",
    "\\geqslant": ">=", "\\geqq": ">=", "\\leqq": "<=",
    "\\lt": "<", "\\gt": ">", "\\ne": "!=", "\\neq": "!=", "\\in": "in",
    "\\equiv": "==", "\\approx": "~", "\\cdot": "*", "\\times": "*", "\\ast": "*", "**": "^",
    "\\div": "/", "\\lor": "or", "\\vee": "or", "\\land": "and", "\\wedge": "and",
    "\\mid": "|", "\\vert": "|", "\\lvert": "|", "\\rvert": "|", "\\colon": ":",
    "\\lbrace": "\\{", "\\rbrace": "\\}", "\\lbrack": "[", "\\rbrack": "]",
    "\\lparen": "(", "\\rparen": ")", "\\to": "->", "\\rightarrow": "->", "\\backslash": "setminus",
    "\\setminus": "setminus", "\\cup": "cup", "\\cap": "cap", "\\&": "&",
}  # fmt: skip
_COMMANDS = {
    "\\infin": "\\infty", "\\emptyset": "\\varnothing", "\\varphi": "\\phi", "\\lg": "\\log",
    "\\dbinom": "\\binom", "\\tbinom": "\\binom", "\\vartheta": "\\theta",
    "\\varepsilon": "\\epsilon", "\\reals": "\\R", "\\Reals": "\\R", "\\oint": "\\int",
    "\\iint": "\\int", "\\iiint": "\\int", "\\tg": "\\tan", "\\ctg": "\\cot",
    "\\cotg": "\\cot", "\\ctan": "\\cot", "\\arctg": "\\arctan", "\\arcctg": "\\arccot",
    "\\arccotg": "\\arccot", "\\cosec": "\\csc", "\\sh": "\\sinh", "\\ch": "\\cosh",
    "\\th": "\\tanh", "\\asin": "\\arcsin", "\\acos": "\\arccos", "\\atan": "\\arctan",
    "\\arsinh": "\\arcsinh", "\\arcosh": "\\arccosh", "\\artanh": "\\arctanh",
    "\\mathsf": "\\mathrm",
}  # fmt: skip
_SPACING_WORDS = """
middle big Big bigg Bigg Bigl Bigr nolimits textstyle mathstrut
"""
_SPACING = frozenset("\\" + word for word in _SPACING_WORDS.split())
_OPERATORS = frozenset("+-*/=^(")
_OPENING, _CLOSING = frozenset({"(", "[", "\\{"}), frozenset({")", "]", "\\}"})
# A longer run of letters is a word.
_LONGEST_PRODUCT = 3
_UNIT_RUN_WORDS = (
    "cm mm km ft mi hr hrs min sec kg mg lb lbs oz mph kph pm am in mW kW MW Hz kHz MHz nm mL ml dm"
    " kJ eV keV MeV kN kPa mol mV kV mA"
)
_UNIT_RUNS = frozenset(_UNIT_RUN_WORDS.split())
# More digits before the dots are not read: finding a block takes quadratic time.
_MOST_CONTINUED = 60
_SYMBOLS_ONLY = re.compile(r"[\d.,+\-*/^() ]+")
_REPEATED = re.compile(r"(\d*?)(?:(\d)\2\2+|(\d{2,}?)\3+)")


def tokens(text: str) -> list[Token]:
    """Return the tokens of clean text and an END. Raises UnreadableError."""
    result: list[Token] = []
    depth = at = 0
    while at < len(text):
        match = _PATTERN.match(text, at)
        assert match is not None  # the last alternative matches any character
        if (match["thousands"] or match["indian"]) and depth:
            # In brackets, `(1,200)` is a pair.
            match = _PATTERN.match(text, at, at + text[at:].index(","))
            assert match is not None
        at = match.end()
        if match["space"]:
            continue
        follows_sign = bool(result) and result[-1].text in _OPERATORS
        for token in _read(match, follows_sign=follows_sign):
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
            result.append(token)
    return [*result, Token(TokenKind.END, "")]


def _read(match: re.Match[str], *, follows_sign: bool) -> list[Token]:
    if match["repeating"]:
        return [_repeating(match["repeating"])]
    if match["ellipsis"]:
        return [Token(TokenKind.SIGN, "dots")]
    if match["dots"] and "." not in match["number"]:
        value = Number(Fraction(match["number"]))
        return [Token(TokenKind.NUMBER, match["number"], value), Token(TokenKind.SIGN, "dots")]
    if match["thousands"] or match["number"] or match["indian"]:
        return [_number(match)]
    if match["text"] is not None:
        return _text(match["text"], match[0], follows_sign=follows_sign)
    if match["command"]:
        return _command(match["command"])
    if match["run"]:
        return _run(match["run"])
    return [Token(TokenKind.SIGN, _SIGN_NAMES.get(match["sign"], match["sign"]))]


def _command(name: str) -> list[Token]:
    if name in _SIGN_NAMES:
        return [Token(TokenKind.SIGN, _SIGN_NAMES[name])]
    if not name[1].isalpha():
        return [Token(TokenKind.SIGN, name)]
    return [] if name in _SPACING else [Token(TokenKind.COMMAND, _COMMANDS.get(name, name))]


def _run(run: str) -> list[Token]:
    if run in _JOINS:
        return [Token(TokenKind.SIGN, run)]
    if run in _NAMES and run not in _UNIT_RUNS:
        return [Token(TokenKind.WORD, _named(run))]
    if run in _UNIT_RUNS or len(run) > _LONGEST_PRODUCT:
        return [Token(TokenKind.TEXT, run)]
    return [Token(TokenKind.LETTER, letter) for letter in run]


def _text(content: str, whole: str, *, follows_sign: bool) -> list[Token]:
    """Read text; a single letter behind an operator is a symbol, and no unit."""
    plain = content.strip()
    if follows_sign and len(plain) == 1 and plain.isalpha():
        return tokens(plain)[:-1]
    if whole.startswith(("\\mathbb", "\\mathcal")):
        return [Token(TokenKind.COMMAND, "\\" + plain)]
    if (join := plain.strip(", ")) in _JOINS:
        return [Token(TokenKind.SIGN, join)]
    if not plain:
        return []
    if whole.startswith("\\operatorname"):
        return [Token(TokenKind.WORD, _named(plain))]
    if _SYMBOLS_ONLY.fullmatch(plain) or (len(plain) == 1 and _is_letter(plain, whole)):
        return tokens(plain)[:-1]
    if plain in _NAMES and plain not in _UNIT_RUNS:
        return [Token(TokenKind.WORD, _named(plain))]
    return [Token(TokenKind.TEXT, plain)]


def _named(word: str) -> str:
    """Return the usual name of a function: `tan` for `tg`."""
    return _COMMANDS.get("\\" + word, word).removeprefix("\\")


def _is_letter(plain: str, whole: str) -> bool:
    """Distinguish the letters of `\\mathbf{x}` and `\\mathrm{e}` from the unit of `\\mathrm{m}`."""
    if whole.startswith(("\\mathrm", "\\rm", "\\operatorname")):
        return plain in "eid"
    if whole.startswith("\\text{") and plain in "xyzn":
        return True
    return whole.startswith(("\\mathbf", "\\mathit", "\\mathsf", "\\bold", "\\bm"))


def _number(match: re.Match[str]) -> Token:
    written = (match["thousands"] or match["indian"] or match["number"]).replace(",", "")
    digits = written.partition(".")[2]
    value, places = Fraction(written.rstrip(".")), len(digits)
    if match["repeat"] and "." in written:
        tail = Fraction(int(match["repeat"]), 10 ** len(match["repeat"]) - 1)
        return Token(TokenKind.NUMBER, written, Number(value + tail / 10**places))
    if match["repeat"]:
        raise UnreadableError
    if match["dots"]:
        return Token(TokenKind.NUMBER, written, _continued(value, digits))
    shift = int(match["exponent"] or 0)
    decimals = places - shift if places else None
    return Token(TokenKind.NUMBER, written, Number(value * Fraction(10) ** shift, decimals))


def _repeating(written: str) -> Token:
    """Read `0.1(6)`."""
    start, _, block = written.rstrip(")").partition("(")
    places = len(start.partition(".")[2])
    tail = Fraction(int(block), 10**places * (10 ** len(block) - 1))
    return Token(TokenKind.NUMBER, written, Number(Fraction(start.rstrip(".")) + tail))


def _continued(value: Fraction, digits: str) -> Number:
    """Read `0.1666...`: one digit must stand three times, a longer block twice."""
    match = _REPEATED.fullmatch(digits) if len(digits) <= _MOST_CONTINUED else None
    if match is None:
        raise UnreadableError
    block = match[2] or match[3]
    tail = Fraction(int(block), 10 ** len(block) - 1)
    return Number(value + tail / 10 ** len(digits))
