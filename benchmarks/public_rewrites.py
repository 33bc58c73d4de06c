"""Right and wrong pairs from public answer keys, by computer algebra.

Keys that a small reader understands (numbers, fractions, roots, pi, polynomials, tuples) get other
forms, and stand beside unequal ones. The reader shares no code with a grader and refuses what could
mean something else: `e`, `i`, units and functions. Used by `benchmarks.verify_public`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import sympy

from benchmarks.public_pairs import Key, Pair, in_box

_TOKEN = re.compile(
    r"\s*(\d{1,3}(?:,\d{3})+(?![\d,])|\d+\.\d+|\.\d+|\d+|\\[dt]?frac|\\sqrt|\\pi|\\cdot|\\times"
    r"|[-+*/^(){}\[\],a-dj-zA-Z])"
)
_SPACING = re.compile(r"\\(?:left|right|!|,|;|quad)|~")
# A choice, or a figure named by its corners.
_NAME = re.compile(r"[A-Z]+")
# `(100,101)`: its comma may separate thousands.
_LIST_OF_DIGITS = re.compile(r"\(.*\d,\d{3}(?!\d)")
# Keys with a decimal point that differ by less are not set side by side: a tolerance decides.
_NEAR = 2e-3
_POINTS = (sympy.Rational(13, 7), sympy.Rational(-29, 11), sympy.Rational(5, 3))


class Unread(Exception):
    """A key beyond the small reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A key as sympy sees it: one part, or the parts of a tuple."""

    key: Key
    parts: tuple[sympy.Expr, ...]
    is_tuple: bool

    @property
    def shape(self) -> tuple[object, ...]:
        """Return the type of answer: only keys of one shape are set side by side."""
        symbols = frozenset(str(name) for part in self.parts for name in part.free_symbols)
        kind = "integer" if all(part.is_Integer for part in self.parts) else "other"
        return self.key.family, self.is_tuple, len(self.parts), symbols, kind, "." in self.key.text

    @property
    def place(self) -> tuple[float, ...]:
        """Return numbers by which similar keys become neighbours."""
        return tuple(_number(part, _POINTS[0]) for part in self.parts)


def read(key: Key) -> Value | None:
    """Return the value of a key, or None if it is beyond the reader."""
    text = _SPACING.sub("", key.text.strip().strip("$"))
    if _NAME.fullmatch(text) or _LIST_OF_DIGITS.match(text):
        return None
    try:
        return _Reader(text).value(key)
    except (Unread, ZeroDivisionError):
        return None


class _Reader:
    """A reader of one key, by recursive descent."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                raise Unread
            self._tokens.append(match[1])
            at = match.end()
        self._at = 0

    def value(self, key: Key) -> Value:
        is_tuple = self._peek() == "(" and "," in self._tokens and self._tokens[-1] == ")"
        if is_tuple:
            self._take("(")
        parts = [self._sum()]
        while is_tuple and self._peek() == ",":
            self._take(",")
            parts.append(self._sum())
        if is_tuple:
            self._take(")")
        if self._at != len(self._tokens) or any(part.has(sympy.zoo, sympy.nan) for part in parts):
            raise Unread
        return Value(key=key, parts=tuple(parts), is_tuple=is_tuple)

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> str:
        token = self._peek()
        if not token or (wanted and token != wanted):
            raise Unread
        self._at += 1
        return token

    def _sum(self) -> sympy.Expr:
        total = self._product()
        while self._peek() in ("+", "-"):
            sign = 1 if self._take() == "+" else -1
            total += sign * self._product()
        return total

    def _product(self) -> sympy.Expr:
        if self._peek() in ("-", "+"):
            sign = -1 if self._take() == "-" else 1
            return sign * self._product()
        result = self._power()
        while self._peek() and self._peek() not in "+-,)}]":
            token = self._peek()
            if token in ("*", "/", "\\cdot", "\\times"):
                self._take()
            elif token[0].isdigit() or token[0] == ".":
                # A numeral behind a factor may be a mixed number or a misprint.
                raise Unread
            factor = self._power()
            if token != "/" and isinstance(result, sympy.Integer) and factor.is_Rational:
                # `1 \frac{1}{2}` is a mixed number, not a product.
                raise Unread
            result = result / factor if token == "/" else result * factor
        return result

    def _power(self) -> sympy.Expr:
        base = self._atom()
        if self._peek() != "^":
            return base
        self._take()
        exponent = self._braced() if self._peek() == "{" else self._atom()
        if not exponent.is_Rational or abs(exponent) > 30:
            raise Unread
        return base**exponent

    def _atom(self) -> sympy.Expr:
        token = self._take()
        if token[0].isdigit() or token[0] == ".":
            return sympy.Rational(token.replace(",", ""))
        if token in ("\\frac", "\\dfrac", "\\tfrac"):
            return self._argument() / self._argument()
        if token == "\\sqrt":
            return self._root()
        if token == "\\pi":
            return sympy.pi
        if token == "(":
            inner = self._sum()
            self._take(")")
            return inner
        if len(token) == 1 and token.isalpha():
            return sympy.Symbol(token)
        raise Unread

    def _argument(self) -> sympy.Expr:
        """Return an argument in braces, or its one digit."""
        if self._peek() == "{":
            return self._braced()
        if not self._peek().isdecimal():
            raise Unread
        # `\frac34` is three quarters.
        digits = self._take()
        self._at -= 1
        self._tokens[self._at : self._at + 1] = [*digits]
        return sympy.Integer(self._take())

    def _braced(self) -> sympy.Expr:
        self._take("{")
        inner = self._sum()
        self._take("}")
        return inner

    def _root(self) -> sympy.Expr:
        degree = sympy.Integer(2)
        if self._peek() == "[":
            self._take("[")
            degree = self._sum()
            self._take("]")
        inside = self._argument()
        if not (degree.is_Integer and inside.is_number and inside > 0):
            raise Unread
        return sympy.root(inside, degree)


def right_pairs(values: Iterable[Value]) -> Iterator[Pair]:
    """Yield each key with the other forms of its value that sympy writes."""
    for value in values:
        forms = [list(_forms(part, value)) for part in value.parts]
        for index in range(max(map(len, forms))):
            chosen = [options[index % len(options)] for options in forms]
            text = f"({', '.join(chosen)})" if value.is_tuple else chosen[0]
            if text.replace(" ", "") != value.key.text.replace(" ", ""):
                yield _pair(value, text, is_right=True)


def _pair(value: Value, text: str, *, is_right: bool) -> Pair:
    origin, gold = value.key.id, value.key.text
    return Pair(origin=origin, gold=gold, response=in_box(text), is_right=is_right)


def _forms(part: sympy.Expr, value: Value) -> Iterator[str]:
    """Yield texts of one part, each once; a tuple has no commas but its own."""
    for text in dict.fromkeys(_numerals(part) if part.is_Rational else _formulas(part)):
        if not (value.is_tuple and "," in text):
            yield text


def _numerals(number: sympy.Rational) -> Iterator[str]:
    top, bottom = number.p, number.q
    if bottom == 1:
        yield f"\\frac{{{6 * top}}}{{6}}"
        yield f"{top}.0"
        yield f"{top:,}"
        return
    yield f"{top}/{bottom}"
    yield f"\\frac{{{3 * top}}}{{{3 * bottom}}}"
    yield f"\\dfrac{{{top}}}{{{bottom}}}"
    if set(sympy.factorint(bottom)) <= {2, 5} and bottom <= 10**6:
        yield str(sympy.Float(number, 30)).rstrip("0")


def _formulas(part: sympy.Expr) -> Iterator[str]:
    yield sympy.latex(part)
    yield sympy.latex(part, root_notation=False)
    yield sympy.latex(part, order="rev-lex")
    yield f"\\frac{{{sympy.latex(sympy.expand(2 * part))}}}{{2}}"
    for form in (sympy.expand, sympy.factor, sympy.together, sympy.radsimp):
        yield sympy.latex(form(part))


def wrong_pairs(values: Sequence[Value], reach: int = 2) -> Iterator[Pair]:
    """Yield each key with its nearest neighbours among the unequal keys of the same shape."""
    groups: defaultdict[tuple[object, ...], list[Value]] = defaultdict(list)
    for value in values:
        groups[value.shape].append(value)
    for ordered in groups.values():
        ordered.sort(key=lambda value: (value.place, value.key.text))
        for index, value in enumerate(ordered):
            unequal = [
                other for other in ordered[index + 1 :][: 2 * reach] if _differ(value, other)
            ]
            for other in unequal[:reach]:
                yield Pair(
                    origin=f"{value.key.id} {other.key.id}",
                    gold=value.key.text,
                    response=in_box(other.key.text),
                    is_right=False,
                )


def near_misses(values: Iterable[Value]) -> Iterator[Pair]:
    """Yield each key with slips of its value: sign, inverse, conjugate, order, one term off."""
    for value in values:
        for parts in dict.fromkeys(_slips(value)):
            other = replace(value, parts=parts)
            if all(part.is_finite is not False for part in parts) and _differ(value, other):
                text = ", ".join(sympy.latex(part) for part in parts)
                yield _pair(value, f"({text})" if value.is_tuple else text, is_right=False)


def _slips(value: Value) -> Iterator[tuple[sympy.Expr, ...]]:
    first, *rest = value.parts
    yield (-first, *rest)
    yield (first + 1, *rest)
    if first != 0:
        yield (1 / first, *rest)
    for root in [power for power in first.atoms(sympy.Pow) if power.is_irrational][:1]:
        yield (first.subs(root, -root), *rest)
    for name in sorted(first.free_symbols, key=str)[:1]:
        yield (sympy.expand(first.subs(name, -name)), *rest)
    if rest:
        yield tuple(reversed(value.parts))


def _differ(one: Value, other: Value) -> bool:
    """Return whether some part differs: exactly, and at a point, by more than a tolerance."""
    margin = _NEAR if "." in one.key.text + other.key.text else 1e-12
    return any(
        sympy.simplify(a - b) != 0 and any(_distance(a, b, point) > margin for point in _POINTS)
        for a, b in zip(one.parts, other.parts, strict=True)
    )


def _distance(a: sympy.Expr, b: sympy.Expr, point: sympy.Rational) -> float:
    x, y = _number(a, point), _number(b, point)
    return abs(x - y) / max(1.0, abs(x), abs(y))


def _number(part: sympy.Expr, point: sympy.Rational) -> float:
    """Return the value where the symbols are `point`, 2 `point`, ... as one number."""
    names = enumerate(sorted(part.free_symbols, key=str), start=1)
    at = {name: point * rank for rank, name in names}
    value = complex(sympy.N(part.subs(at), 30))
    return value.real + value.imag
