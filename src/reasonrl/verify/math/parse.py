r"""Read clean LaTeX or plain text into a tree, by recursive descent; nothing is evaluated.

`parse` guesses nothing: it returns None for text that it does not know, and another route must
decide. The caller has bounded depth and length before (`bound.size_fault`).

    answer    := statement ((, | ; | or | and) statement)*
    statement := sets ((= | < | <= | in | ...) sets)*
    sets      := quantity ((cup | cap | setminus) quantity)*
    quantity  := matrix | bracketed answer | sum unit?
"""

from __future__ import annotations

from functools import lru_cache

from reasonrl.verify.math.expressions import CONSTANTS, RELATIONS, SETS
from reasonrl.verify.math.joining import congruence_of, joined_statements, plain
from reasonrl.verify.math.lexer import Token, TokenKind, UnreadableError, tokens
from reasonrl.verify.math.numeral import read_numeral
from reasonrl.verify.math.quantities import CLOCK_DIGITS, QuantityReader, is_sixtieth
from reasonrl.verify.math.tree import (
    DOTS,
    Answer,
    Choice,
    Expression,
    Items,
    Matrix,
    Number,
    Operation,
    Piecewise,
    Quantity,
    Ratio,
    Relation,
    SetOperation,
    Symbol,
    is_deeper,
)

_CLOSERS = {"(": ")", "[": "]", "\\{": "\\}", "\\langle": "\\rangle"}
_SPECIAL = frozenset({*_CLOSERS, "\\begin", "dots", "\\varnothing", "\\R", "\\pm", "\\mp"})
"""What may start an answer that is no sum."""
_CURRENCIES = ("\\$", "€", "£", "¥", "₹")
_MATRICES = frozenset({"matrix", "pmatrix", "bmatrix", "Bmatrix", "array", "smallmatrix"})
_SYSTEMS = frozenset(
    {"cases", "dcases", "rcases", "aligned", "align", "alignedat", "split", "gathered", "gather"}
)
"""Environments of statements that all hold, or of the pieces of a function."""
_CONDITION_WORDS = frozenset({"if", "for", "when", "where", "as"})


@lru_cache(maxsize=8_192)
def parse(text: str) -> Answer | None:
    """Return the tree of clean text, or None if it is no mathematics that this grammar knows."""
    if (numeral := read_numeral(text)) is not None:
        return numeral
    try:
        answer = _AnswerReader(tokens(text)).answer()
    except UnreadableError:
        return None
    return None if is_deeper(answer) else answer


class _AnswerReader(QuantityReader):
    """A reader of whole answers."""

    def answer(self) -> Answer:
        answer = self._statements()
        if self.token.kind is not TokenKind.END:
            raise UnreadableError
        return answer

    def _statements(self) -> Answer:
        parts, marks = [self._statement()], []
        while self.sees(",", ";", "or", "and", "cup"):
            mark = "or" if self.sees("cup") else self.token.text
            self.take()
            if self.sees("or", "and"):  # `1, 2, or 3`
                mark = self.take().text
            if self.token.kind is TokenKind.END or self.sees("\\\\", "\\end", "&"):
                break
            marks.append(mark)
            parts.append(self._statement())
        return joined_statements(parts, marks)

    def _statement(self) -> Answer:
        sides, signs = [self._side()], []
        while self.token.kind is TokenKind.SIGN and self.token.text in RELATIONS:
            signs.append(self.take().text)
            sides.append(self._side() if signs[-1] in ("in", "=") else self._quantity())
        if signs == ["=="] and (congruence := congruence_of(sides)) is not None:
            return congruence
        # Without a modulus, `f(x) \\equiv 0` is an equation.
        signs = ["=" if sign == "==" else sign for sign in signs]
        return Relation(tuple(sides), tuple(signs)) if signs else sides[0]

    def _side(self) -> Answer:
        side = self._sets()
        return self._ratio(side) if self.sees_colon() else side

    def _ratio(self, first: Answer) -> Ratio:
        parts, is_time = [plain(first)], len(self.before) <= CLOCK_DIGITS
        while self.sees_colon():
            is_colon = self.take().text == ":"
            is_time = is_time and is_colon and is_sixtieth(self.token)
            parts.append(self.sum())
        return Ratio(tuple(parts), self.unit() or ("time" if is_time else ""))

    def _sets(self) -> Answer:
        left = self._quantity()
        while self.sees(*SETS):
            name = self.take().text
            right = self._quantity()
            left = SetOperation(name, left, right)  # type: ignore[arg-type]
        return left

    def _quantity(self) -> Answer:
        """Read a bracketed answer, a sum, or a sum with a unit."""
        self._descend(2)
        quantity = self._read_quantity(self.token)
        self._descend(-2)
        return quantity

    def _read_quantity(self, token: Token) -> Answer:
        if token.text in _SPECIAL and (special := self._special(token.text)) is not None:
            if isinstance(special, Items):
                self.unit()  # `(3, 4) cm`: units of tuples may be left out
            return special
        if token.kind is TokenKind.TEXT and self.after.text == "=":
            # The word names the other side.
            return Symbol(self.take().text)
        currency = self.take().text if token.text in _CURRENCIES else ""
        value = self.sum()
        if currency:
            return Quantity(value, currency.lstrip("\\"))
        if isinstance(value, Number) and self.sees("°") and self.after.kind is TokenKind.NUMBER:
            value = self.angle(value)
        unit = self.unit()
        return self.compound(Quantity(value, unit)) if unit else value

    def _special(self, start: str) -> Answer | None:
        """Read what is no sum: an environment, dots, a group, a set; None, without a move."""
        match start:
            case "\\begin":
                self.take()
                return self._environment()
            case "\\{" if self.after.text == "\\begin":
                # A brace before lines that all hold; nothing closes it.
                self.at += 2
                if self.raw_argument() == "array":
                    self.raw_argument()
                return self._system()
            case "dots":
                self.take()
                return DOTS
            case "\\varnothing" | "\\R":
                return CONSTANTS[self.take().text]
            case "\\pm" | "\\mp":
                return self._both_signs()
        return self._grouped()

    def _both_signs(self) -> Answer | None:
        """Read a plus-minus before a tuple as two tuples; None, without a move, for a number."""
        start = self.at
        self.take()
        grouped = self._grouped() if self.sees("(") else None
        match grouped:
            case Items(bracket="()", items=items) if all(isinstance(x, Expression) for x in items):
                negative = tuple(Operation("neg", (plain(item),)) for item in items)
                return Items("bare", (grouped, Items("()", negative)))
        self.at = start
        return None

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
        if name in _SYSTEMS:
            if name == "alignedat":
                self.raw_argument()
            return self._system()
        if name == "vmatrix":
            return self.unevaluated("determinant")
        if name not in _MATRICES:
            raise UnreadableError
        if name == "array":
            # The first argument is the alignment of the columns.
            self.raw_argument()
        return self._matrix(name)

    def _system(self) -> Answer:
        """Read equations that all hold, or values with their conditions, one in each line."""
        lines: list[Answer] = []
        pieces: list[tuple[Answer, Answer | str]] = []
        while not self.skip("\\end"):
            self._drop_alignment()
            line = self._statements()
            if self.skip("&"):
                pieces.append((line, self._condition()))
            else:
                lines.append(line)
            self.skip("\\\\")
        self.raw_argument()
        if pieces:
            if len(lines) == 1:  # the piece for all other values
                pieces.append((lines[0], ""))
            elif lines:
                raise UnreadableError
            return Piecewise(tuple(pieces))
        if not lines:
            raise UnreadableError
        return Choice("and", tuple(lines)) if len(lines) > 1 else lines[0]

    def _drop_alignment(self) -> None:
        """Remove the signs that align a relation, `x &= 1`, from the line that starts here."""
        at = self.at
        while self._tokens[at].kind is not TokenKind.END and self._tokens[at].text not in (
            "\\\\",
            "\\end",
        ):
            following = self._tokens[at + 1].text
            if self._tokens[at].text == "&" and (following in RELATIONS or at == self.at):
                del self._tokens[at]
            else:
                at += 1

    def _condition(self) -> Answer | str:
        """Read a condition up to the end of its line: a statement, or else its words."""
        while self.token.kind is TokenKind.TEXT or self.sees(",", ":"):
            word = self.token.text.casefold().strip(" ,:")
            if word and word not in _CONDITION_WORDS:
                break
            self.take()
        state = self.state()
        try:
            condition = self._statements()
            if self.sees("\\\\", "\\end"):
                return condition
        except UnreadableError:
            pass
        self.restore(state)
        words = []
        while self.token.kind is not TokenKind.END and not self.sees("\\\\", "\\end"):
            words.append(self.take().text.casefold())
        return " ".join(sorted(" ".join(words).split()))

    def _matrix(self, name: str) -> Matrix:
        rows: list[tuple[Expression, ...]] = []
        self.skip("\\\\")
        while not self.skip("\\end"):
            row = [self.sum()]
            while self.skip("&"):
                row.append(self.sum())
            self.skip("\\\\")
            rows.append(tuple(row))
        if self.raw_argument() != name or len({len(row) for row in rows}) != 1:
            raise UnreadableError
        return Matrix(tuple(rows))
