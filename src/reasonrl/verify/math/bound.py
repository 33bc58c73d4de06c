r"""Bound the size of an expression from its text alone, before anything is evaluated.

`9^{9^{9}}`, `100000!` and a thousand nested brackets must be refused by structure, not by a clock,
so that an answer gets the same reward on a busy and on an idle machine. The bound walks the tokens
once and adds logarithms. It is too high rather than too low (a quotient counts as a product), which
is safe. A symbol counts as 1, because a power of a symbol is never multiplied out.
"""

from __future__ import annotations

import math
import re

MAX_ANSWER_CHARS = 4_000
# The limit of one numeral; Python's int() raises for more than 4,300 digits.
MAX_DIGITS_WRITTEN = 1_000
MAX_DIGITS_VALUE = 20_000.0  # 2^{2024} and 2004! (5,748 digits) pass
# The parser of math-verify takes exponential time in nested parentheses.
MAX_BRACKETS = 12
MAX_DEPTH = 40

_TOKENS = re.compile(r"\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?|\.\d+|\*\*|!!|\S", re.DOTALL)
_NUMERAL = re.compile(r"\d+")
_OPEN, _CLOSE = frozenset("({["), frozenset(")}]")
_SEPARATORS = frozenset("+-,=<>&;") | {"\\pm", "\\mp", "\\\\", "\\le", "\\ge", "\\leq", "\\geq"}
_FACTORIALS = frozenset({"\\Gamma", "\\gamma"})
_MAX_EXPONENT_LOG = 7.0
# The depth of operations within operations, three calls each, so that the walk stays shallow.
_MAX_WALK = 60


class _TooLargeError(Exception):
    """The bound exceeds the limit."""


def size_fault(text: str) -> str:
    """Return the reason why a text is too large to evaluate; empty if it is not."""
    if len(text) > MAX_ANSWER_CHARS:
        return f"{len(text)} characters, limit {MAX_ANSWER_CHARS}"
    longest = max(map(len, _NUMERAL.findall(text)), default=0)
    if longest > MAX_DIGITS_WRITTEN:
        return f"a numeral of {longest} digits, limit {MAX_DIGITS_WRITTEN}"
    if (fault := _nesting_fault(text)) or not any(sign in text for sign in ("^", "!", "**", "\\")):
        return fault
    try:
        _Walk(_TOKENS.findall(text)).total()
    except _TooLargeError:
        return f"a value of more than {MAX_DIGITS_VALUE:.0f} digits"
    return ""


def _nesting_fault(text: str) -> str:
    """Limit all nesting, and more tightly brackets and `{{`, which cost the parser most time."""
    # For each open group, whether it is a costly one.
    opened: list[bool] = []
    deepest = costly = most_costly = 0
    previous = ""
    for character in text:
        if character in _OPEN:
            opened.append(character != "{" or previous == "{")
            costly += opened[-1]
            deepest, most_costly = max(deepest, len(opened)), max(most_costly, costly)
        elif character in _CLOSE and opened:
            costly -= opened.pop()
        previous = character
    if deepest > MAX_DEPTH or most_costly > MAX_BRACKETS:
        return f"brackets nested {deepest} deep, limit {MAX_BRACKETS} (braces {MAX_DEPTH})"
    return ""


class _Walk:
    """A recursive descent through the tokens; every method returns log10 of a bound, at least 0."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        # Whether a numeral is an exponent: then its size counts, and not the number of its digits.
        self._is_exponent = False

    def total(self) -> float:
        """Return the bound of all tokens, also behind a closing bracket that none has opened."""
        bound = 0.0
        while self._at < len(self._tokens):
            bound = _add(bound, self._sum())
            self._at += 1
        return bound

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _sum(self) -> float:
        bound, term, is_empty = 0.0, 0.0, True
        while (mark := self._peek()) and mark not in _CLOSE:
            if mark in _SEPARATORS:
                self._at += 1
                bound, term = (term if is_empty else _add(bound, term)), 0.0
                is_empty = False
            else:
                term = _checked(term + self._factor())
        return term if is_empty else _add(bound, term)

    def _factor(self) -> float:
        self._depth += 1
        if self._depth > _MAX_WALK:
            raise _TooLargeError
        bound = self._powers(self._atom())
        self._depth -= 1
        return bound

    def _powers(self, bound: float) -> float:
        while (mark := self._peek()) in ("^", "**", "!", "!!", "_"):
            self._at += 1
            if mark in ("!", "!!"):
                bound = _factorial(bound)
            elif mark == "_":
                self._atom()
            else:
                while self._peek() in ("-", "+", "^"):
                    self._at += 1
                outer, self._is_exponent = self._is_exponent, True
                exponent = self._factor()
                self._is_exponent = outer
                bound = _power(bound, exponent)
        return bound

    def _atom(self) -> float:
        self._depth += 1
        if self._depth > _MAX_WALK:
            raise _TooLargeError
        bound = self._bound_of(self._peek())
        self._depth -= 1
        return bound

    def _bound_of(self, mark: str) -> float:
        self._at += 1
        if mark in _OPEN:
            bound = self._sum()
            self._at += 1
            return bound
        if mark[:1].isdecimal() or (mark[:1] == "." and len(mark) > 1):
            if "." in mark and self._is_exponent:
                return math.log10(max(1.0, float(mark)))
            digits = mark.replace(".", "")
            return float(len(digits)) if "." in mark else math.log10(max(1, int(digits)))
        if mark in ("\\binom", "\\dbinom", "\\tbinom"):
            top, bottom = self._atom(), self._atom()
            return _checked(
                min(_power(math.log10(2), top, check=False), _power(top, bottom, check=False))
            )
        if mark == "\\exp":
            return _power(math.log10(math.e), self._factor())
        if mark in _FACTORIALS:
            return _factorial(self._factor())
        return math.log10(math.e) if mark == "e" else 0.0


def _checked(log10: float) -> float:
    if log10 > MAX_DIGITS_VALUE:
        raise _TooLargeError
    return log10


def _add(a: float, b: float) -> float:
    return max(a, b) + math.log10(1 + 10 ** -min(abs(a - b), 300.0))


def _power(base: float, exponent: float, *, check: bool = True) -> float:
    if base == 0.0:
        return 0.0
    log10 = base * 10**exponent if exponent < _MAX_EXPONENT_LOG else math.inf
    return _checked(log10) if check else log10


def _factorial(bound: float) -> float:
    return _checked(bound * 10**bound if bound < _MAX_EXPONENT_LOG else math.inf)
