r"""Read clean LaTeX or plain text into a tree, by recursive descent; nothing is evaluated.

`parse` guesses nothing: it returns None for text that it does not know, and another route must
decide. The caller has bounded depth and length before (`bound.size_fault`).

    answer    := statement ((, | ; | or | and) statement)*
    statement := sets ((= | < | <= | in | ...) sets)*
    sets      := quantity ((cup | cap | setminus) quantity)*
    quantity  := matrix | bracketed answer | sum unit?
"""

from __future__ import annotations

import re
from functools import lru_cache

from reasonrl.verify.math.expressions import CONSTANTS, ENDS, RELATIONS, SETS, ExpressionReader
from reasonrl.verify.math.lexer import TokenKind, UnreadableError, tokens
from reasonrl.verify.math.number import read_unit
from reasonrl.verify.math.tree import (
    Answer,
    Choice,
    Expression,
    Items,
    Matrix,
    Numeral,
    Operation,
    Quantity,
    Ratio,
    Relation,
    SetOperation,
    Symbol,
)

_CLOSERS = {"(": ")", "[": "]", "\\{": "\\}", "\\langle": "\\rangle"}
_CURRENCIES = ("\\$", "€", "£", "¥", "₹")
_MATRICES = frozenset({"matrix", "pmatrix", "bmatrix", "Bmatrix", "array", "smallmatrix"})
_BASE_NAMES = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "sixteen": 16,
}  # fmt: skip
_NUMERAL = re.compile(
    r"(?P<sign>-?)(?:\\text\{)?\(?(?P<digits>[0-9A-Za-z]{1,400})\)?\}?\s?_\s?\{?\s?(?:\\text\s?\{)?"
    rf"(?:(?P<base>\d{{1,2}})|(?P<name>{'|'.join(_BASE_NAMES)}))\s?\}}?\}}?"
)


@lru_cache(maxsize=8_192)
def parse(text: str) -> Answer | None:
    """Return the tree of clean text, or None if it is no mathematics that this grammar knows."""
    if (numeral := _numeral(text)) is not None:
        return numeral
    try:
        return _AnswerReader(tokens(text)).answer()
    except UnreadableError:
        return None


def _numeral(text: str) -> Numeral | None:
    """Read digits with a base: `1011_2`, `(2A)_{16}`, `101_{\\text{two}}`."""
    match = _NUMERAL.fullmatch(text)
    if match is None:
        return None
    digits = match["digits"].upper()
    base = int(match["base"]) if match["base"] else _BASE_NAMES[match["name"]]
    if not 2 <= base <= 36 or any(int(digit, 36) >= base for digit in digits):
        return None
    if not digits[0].isdigit() and base <= 10:
        return None
    return Numeral(match["sign"] + (digits.lstrip("0") or "0"), base)


class _AnswerReader(ExpressionReader):
    """A reader of whole answers."""

    def answer(self) -> Answer:
        answer = self._statements()
        if self.token.kind is not TokenKind.END:
            raise UnreadableError
        return answer

    def _statements(self) -> Answer:
        parts, words = [self._statement()], set()
        while self.sees(",", ";", "or", "and", "cup"):
            words.add("or" if self.sees("cup") else self.token.text)
            self.take()
            if self.sees("or", "and"):  # `1, 2, or 3`
                words.add(self.take().text)
            if self.token.kind is TokenKind.END:
                break
            parts.append(self._statement())
        joins = words & {"or", "and"}
        if len(joins) > 1:
            raise UnreadableError
        if joins:
            return Choice("or" if "or" in joins else "and", tuple(parts))
        return Items("bare", tuple(parts)) if words else parts[0]

    def _statement(self) -> Answer:
        sides, signs = [self._sets()], []
        while self.token.kind is TokenKind.SIGN and self.token.text in RELATIONS:
            signs.append(self.take().text)
            sides.append(self._sets() if signs[-1] in ("in", "=") else self._quantity())
        if len(sides) == 1 and self._sees_colon():
            return self._ratio(sides[0])
        return Relation(tuple(sides), tuple(signs)) if signs else sides[0]

    def _sees_colon(self) -> bool:
        if self._has_bars_apart:
            # In a set, a colon starts the condition.
            return False
        return self.sees(":") or (self.token.kind is TokenKind.TEXT and self.token.text == "to")

    def _ratio(self, first: Answer) -> Ratio:
        parts = [_plain(first)]
        while self._sees_colon():
            self.take()
            parts.append(self.sum())
        return Ratio(tuple(parts), self._unit())

    def _sets(self) -> Answer:
        left = self._quantity()
        while self.sees(*SETS):
            name = self.take().text
            right = self._quantity()
            left = SetOperation(name, left, right)  # type: ignore[arg-type]
        return left

    def _quantity(self) -> Answer:
        """Read a bracketed answer, a sum, or a sum with a unit."""
        if self.skip("\\begin"):
            return self._environment()
        grouped = self._grouped()
        if grouped is not None:
            return grouped
        if self.sees("\\varnothing", "\\R"):
            return CONSTANTS[self.take().text]
        if self.token.kind is TokenKind.TEXT and self.after.text == "=":
            # The word names the other side.
            return Symbol(self.take().text)
        currency = self.take().text if self.sees(*_CURRENCIES) else ""
        value = self.sum()
        if currency:
            return Quantity(value, currency.lstrip("\\"))
        unit = self._unit()
        return self._compound(Quantity(value, unit)) if unit else value

    def _compound(self, first: Quantity) -> Answer:
        """Read further quantities: `3 ft 6 in` is a tuple, because units are not converted."""
        parts = [first]
        while self.token.kind is TokenKind.NUMBER:
            parts.append(Quantity(self.sum(), self._unit()))
        return Items("()", tuple(parts)) if len(parts) > 1 else first

    def _unit(self) -> str:
        """Read the tokens up to the next separator as a unit; empty if no unit starts here."""
        is_word = self.token.kind is TokenKind.TEXT and not self._sees_colon()
        if not (is_word or self.sees("%", "°", "\\$")):
            return ""
        parts = [self.take()]
        while self.token.kind is not TokenKind.END and self.token.text not in ENDS:
            if self.token.kind is TokenKind.NUMBER and parts[-1].text not in ("^", "{"):
                break
            parts.append(self.take())
        spelled = "".join(" " + t.text if t.kind is TokenKind.TEXT else t.text for t in parts)
        unit = read_unit(f"\\text{{{spelled.removesuffix(' and')}}}")
        if unit is None:
            raise UnreadableError
        return unit

    def _grouped(self) -> Answer | None:
        """Read a list, set, tuple, interval or vector; None, without a move, for a factor."""
        opener = self.token.text
        if not self.sees(*_CLOSERS):
            return None
        start = self.at
        self.take()
        if opener == "\\{":
            return self._set()
        if self.skip(_CLOSERS[opener]):
            raise UnreadableError
        inner = self._statements()
        closer = self.take().text
        brackets = opener + closer if opener != "\\langle" else "<>"
        if brackets not in ("()", "[]", "(]", "[)", "<>"):
            raise UnreadableError
        if isinstance(inner, Items) and inner.bracket == "bare":
            return Items(brackets, inner.items)  # type: ignore[arg-type]
        if isinstance(inner, Expression) or brackets not in ("()", "[]"):
            # `sum` will read this parenthesis as a factor.
            self.at = start
            return None
        # The brackets hold a statement, such as `(x < 1)`.
        return inner

    def _set(self) -> Answer:
        if self.skip("\\}"):
            return Operation("empty")
        outer, self._has_bars_apart = self._has_bars_apart, True
        inner = self._statements()
        self._has_bars_apart = outer
        if self.skip("|") or self.skip(":"):
            # The set is { x | condition }.
            inner = self._statements()
        elif isinstance(inner, Ratio):
            raise UnreadableError
        elif isinstance(inner, Items) and inner.bracket == "bare":
            inner = Items("set", inner.items)
        else:
            inner = Items("set", inner.items if isinstance(inner, Choice) else (inner,))
        self.expect("\\}")
        return inner

    def _environment(self) -> Answer:
        name = self.raw_argument()
        if name == "cases":
            return self._cases()
        if name == "vmatrix":
            return self.unevaluated("determinant")
        if name not in _MATRICES:
            raise UnreadableError
        if name == "array":
            # The first argument is the alignment of the columns.
            self.raw_argument()
        return self._matrix(name)

    def _cases(self) -> Answer:
        """Read equations that all hold, one in each line."""
        lines = []
        while not self.skip("\\end"):
            lines.append(self._statements())
            self.skip("\\\\")
        self.raw_argument()
        return Choice("and", tuple(lines)) if len(lines) > 1 else lines[0]

    def _matrix(self, name: str) -> Matrix:
        rows: list[tuple[Expression, ...]] = []
        while not self.skip("\\end"):
            row = [self.sum()]
            while self.skip("&"):
                row.append(self.sum())
            self.skip("\\\\")
            rows.append(tuple(row))
        if self.raw_argument() != name or len({len(row) for row in rows}) != 1:
            raise UnreadableError
        return Matrix(tuple(rows))


def _plain(answer: Answer) -> Expression:
    if not isinstance(answer, Expression):
        raise UnreadableError
    return answer
