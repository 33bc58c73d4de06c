r"""Read clean LaTeX or plain text into a tree, by recursive descent; nothing is evaluated.

What it does not know it does not guess: `parse` returns None, and another route must decide. Depth
and length are bounded before (`bound.size_fault`). Called by `compare`.

    answer    := statement ((, | ; | or | and) statement)*
    statement := sets ((= | < | <= | in | ...) sets)*
    sets      := sum ((cup | cap | setminus) sum)*
    sum       := term ((+ | - | pm) term)*
    term      := factor ((* | / | nothing) factor)*
    factor    := (+ | -) factor | atom (^ factor | ! | index)*
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from reasonrl.verify.math.lexer import Kind, Token, UnreadableError, tokens
from reasonrl.verify.math.tree import (
    Answer,
    Choice,
    Expression,
    Items,
    Matrix,
    Number,
    Numeral,
    Operation,
    Quantity,
    Ratio,
    Relation,
    SetOperation,
    Symbol,
)
from reasonrl.verify.number import read_unit

_RELATIONS = frozenset({"=", "<", ">", "<=", ">=", "!=", "in", "~", "=="})
_SETS = frozenset({"cup", "cap", "setminus"})
_UNIT_ENDS = _RELATIONS | _SETS | {",", ";", "or", "and", ")", "]", "\\}"}
_FUNCTIONS = frozenset(
    {
        f"\\{kind}{name}"
        for kind in ("", "arc")
        for name in ("sin", "cos", "tan", "cot", "sec", "csc")
    }
    | {"\\sinh", "\\cosh", "\\tanh", "\\ln", "\\exp", "\\log"}
)
_SEVERAL = {"\\min": "min", "\\max": "max"}
_UNEVALUATED = {
    "\\int": "integral", "\\sum": "sum", "\\prod": "product", "\\lim": "limit", "\\gcd": "gcd",
    "\\det": "determinant", "\\lcm": "lcm", "\\mod": "mod",
}  # fmt: skip
_CONSTANTS = {
    "\\pi": Operation("pi"), "\\infty": Operation("infinity"), "\\infinity": Operation("infinity"),
    "\\inf": Operation("infinity"), "\\oo": Operation("infinity"), "\\e": Operation("e"),
    "\\varnothing": Operation("empty"), "\\R": Operation("reals"), "\\imath": Operation("i"),
}  # fmt: skip
_GREEK_WORDS = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi
chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega ell N Z Q C triangle
"""
_GREEK = frozenset(_GREEK_WORDS.split())
_MARKS = {"\\overline", "\\bar", "\\vec", "\\hat", "\\overrightarrow", "\\widehat", "\\angle"}
_CLOSERS = {"(": ")", "[": "]", "\\{": "\\}", "\\langle": "\\rangle"}
_MATRICES = frozenset({"matrix", "pmatrix", "bmatrix", "Bmatrix", "array", "smallmatrix"})
_MAX_DEPTH = 60  # of the recursion, six calls each; `bound` allows 40 nested brackets
_BASE_NAMES = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "sixteen": 16,
}  # fmt: skip
_NUMERAL = re.compile(
    r"(?:\\text\{)?\(?(?P<digits>[0-9A-Za-z]{1,400})\)?\}?\s?_\s?\{?\s?(?:\\text\s?\{)?"
    rf"(?:(?P<base>\d{{1,2}})|(?P<name>{'|'.join(_BASE_NAMES)}))\s?\}}?\}}?"
)


@lru_cache(maxsize=8_192)
def parse(text: str) -> Answer | None:
    """Return the tree of clean text, or None if it is not mathematics that is known here."""
    if (numeral := _numeral(text)) is not None:
        return numeral
    try:
        return _Parser(tokens(text)).answer()
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
    return Numeral(digits, base) if digits[0].isdigit() or base > 10 else None


class _Parser:
    """Hold the place in the tokens. Every method reads one rule and moves past it."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0
        self._depth = 0  # factors within factors
        self._bars = 0  # open absolute values, in which a bar closes
        self._no_bars = False  # inside a set's braces a bar separates
        self._in_function = 0  # open operands of functions, in which a degree sign is a factor

    # moving

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at += token.kind is not Kind.END
        return token

    def _is(self, *texts: str) -> bool:
        return self._next.text in texts and self._next.kind in (Kind.SIGN, Kind.COMMAND)

    def _skip(self, text: str) -> bool:
        found = self._is(text)
        self._at += found
        return found

    def _expect(self, text: str) -> None:
        if not self._skip(text):
            raise UnreadableError

    # answers

    def answer(self) -> Answer:
        found = self._statements()
        if self._next.kind is not Kind.END:
            raise UnreadableError
        return found

    def _statements(self) -> Answer:
        parts, words = [self._statement()], set()
        while self._is(",", ";", "or", "and"):
            words.add(self._take().text)
            if self._is("or", "and"):  # `1, 2, or 3`
                words.add(self._take().text)
            if self._next.kind is Kind.END:
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
        while self._next.kind is Kind.SIGN and self._next.text in _RELATIONS:
            signs.append(self._take().text)
            sides.append(self._sets())
        if len(sides) == 1 and self._is(":"):
            return self._ratio(sides[0])
        return Relation(tuple(sides), tuple(signs)) if signs else sides[0]

    def _ratio(self, first: Answer) -> Ratio:
        parts = [_plain(first)]
        while self._skip(":"):
            parts.append(self._sum())
        return Ratio(tuple(parts))

    def _sets(self) -> Answer:
        left = self._quantity()
        while self._is(*_SETS):
            name = self._take().text
            right = self._quantity()
            left = SetOperation(name, left, right)  # type: ignore[arg-type]
        return left

    def _quantity(self) -> Answer:
        """Read a bracketed answer, a sum, or a sum with a unit behind it."""
        if self._skip("\\begin"):
            return self._matrix()
        found = self._grouped()
        if found is not None:
            return found
        if self._is("\\varnothing", "\\R"):
            return _CONSTANTS[self._take().text]
        currency = self._skip("\\$")
        value = self._sum()
        if currency:
            return Quantity(value, "$")
        unit = self._unit()
        return Quantity(value, unit) if unit else value

    def _unit(self) -> str:
        """Read what is left up to the next separator as a unit; empty if nothing is."""
        if not (self._next.kind is Kind.TEXT or self._is("%", "°", "\\$")):
            return ""
        parts = []
        while self._next.kind is not Kind.END and self._next.text not in _UNIT_ENDS:
            parts.append(self._take())
        spelled = "".join(" " + t.text if t.kind is Kind.TEXT else t.text for t in parts)
        unit = read_unit(f"\\text{{{spelled}}}")
        if unit is None:
            raise UnreadableError
        return unit

    def _grouped(self) -> Answer | None:
        """Read a list, set, tuple, interval or vector; None (and no move) if it is a factor."""
        opener = self._next.text
        if not self._is(*_CLOSERS):
            return None
        start = self._at
        self._take()
        if opener == "\\{":
            return self._set()
        if self._skip(_CLOSERS[opener]):
            raise UnreadableError
        inner = self._statements()
        closer = self._take().text
        brackets = opener + closer if opener != "\\langle" else "<>"
        if brackets not in ("()", "[]", "(]", "[)", "<>"):
            raise UnreadableError
        if isinstance(inner, Items) and inner.bracket == "bare":
            return Items(brackets, inner.items)  # type: ignore[arg-type]
        if isinstance(inner, Expression) or brackets not in ("()", "[]"):
            self._at = start  # a parenthesis: the sum will read it as a factor
            return None
        return inner  # `(x < 1)`

    def _set(self) -> Answer:
        if self._skip("\\}"):
            return Operation("empty")
        outer, self._no_bars = self._no_bars, True
        inner = self._statements()
        self._no_bars = outer
        if self._skip("|") or self._skip(":"):  # { x | condition }
            inner = self._statements()
        elif isinstance(inner, Ratio):
            raise UnreadableError
        elif isinstance(inner, Items) and inner.bracket == "bare":
            inner = Items("set", inner.items)
        else:
            inner = Items("set", inner.items if isinstance(inner, Choice) else (inner,))
        self._expect("\\}")
        return inner

    def _matrix(self) -> Answer:
        name = self._raw_argument()
        if name == "vmatrix":
            return self._unevaluated("determinant")
        if name not in _MATRICES:
            raise UnreadableError
        if name == "array":
            self._raw_argument()  # the columns' alignment
        rows: list[tuple[Expression, ...]] = []
        while not self._skip("\\end"):
            row = [self._sum()]
            while self._skip("&"):
                row.append(self._sum())
            self._skip("\\\\")
            rows.append(tuple(row))
        if self._raw_argument() != name or len({len(row) for row in rows}) != 1:
            raise UnreadableError
        return Matrix(tuple(rows))

    # expressions

    def _sum(self) -> Expression:
        is_signed = self._is("\\pm", "\\mp")
        terms = [] if is_signed else [self._term()]
        while self._is("+", "-", "\\pm", "\\mp"):
            sign = self._take().text
            term = self._term()
            if sign in ("+", "-"):
                terms.append(term if sign == "+" else Operation("neg", (term,)))
            else:
                terms = [Operation(sign[1:], (_joined("add", terms), term))]
        return _joined("add", terms)

    def _term(self) -> Expression:
        factors = [self._factor()]
        while True:
            if self._skip("*"):
                factors.append(self._factor())
            elif self._skip("/"):
                factors = [Operation("div", (_joined("mul", factors), self._factor()))]
            elif self._is("\\bmod", "\\pmod", "\\mod"):
                self._take()
                factors = [Operation("mod", (_joined("mul", factors), self._argument()))]
            elif self._starts_factor():
                factors.append(self._beside(factors))
            else:
                return _joined("mul", factors)

    def _beside(self, factors: list[Expression]) -> Expression:
        """Read a factor beside others, in whose place a mixed number `3 1/2` may come."""
        is_number = self._next.kind is Kind.NUMBER
        factor = self._factor()
        if is_number:  # `2 3` and `x 2` mean nothing
            if not self._skip("/"):
                raise UnreadableError
            factor = Operation("div", (factor, self._factor()))
        first = factors[0]
        is_negative = isinstance(first, Operation) and first.name == "neg"
        whole = first.operands[0] if isinstance(first, Operation) and is_negative else first
        is_whole = isinstance(whole, Number) and whole.decimals is None
        if len(factors) == 1 and is_whole and _is_proper(factor):
            factors.clear()
            mixed = Operation("add", (whole, factor))
            return Operation("neg", (mixed,)) if is_negative else mixed
        if is_number:
            raise UnreadableError
        return factor

    def _starts_factor(self) -> bool:
        token = self._next
        if token.kind in (Kind.NUMBER, Kind.LETTER, Kind.WORD):
            return True
        if token.kind is Kind.SIGN:
            is_bar = token.text == "|" and not self._bars and not self._no_bars
            return is_bar or token.text in ("(", "[", "{")
        return token.kind is Kind.COMMAND and self._is_atom_command(token.text)

    def _is_atom_command(self, name: str) -> bool:
        return (
            name in _FUNCTIONS or name in _CONSTANTS or name in _UNEVALUATED or name in _MARKS
            or name in _SEVERAL or name[1:] in _GREEK or name in _ATOMS
        )  # fmt: skip

    def _factor(self) -> Expression:
        self._descend(1)
        if self._skip("-"):
            found: Expression = Operation("neg", (self._factor(),))
        elif self._skip("+"):
            found = self._factor()
        else:
            found = self._postfix(self._atom())
        self._descend(-1)
        return found

    def _descend(self, by: int) -> None:
        self._depth += by
        if self._depth > _MAX_DEPTH:
            raise UnreadableError

    def _postfix(self, base: Expression) -> Expression:
        while True:
            if self._skip("^"):
                base = self._power(base)
            elif self._skip("!"):
                base = Operation("factorial", (base,))
            elif self._in_function and self._skip("°"):
                base = Operation("degrees", (base,))
            else:
                return base

    def _power(self, base: Expression) -> Expression:
        if self._is("\\prime", "'"):
            raise UnreadableError
        exponent = self._script()
        return Operation("pow", (base, exponent))

    def _script(self) -> Expression:
        """Read what `^` or a function's base binds: a group, or a signed atom."""
        self._descend(1)
        if self._skip("-"):
            found: Expression = Operation("neg", (self._script(),))
        elif self._skip("+"):
            found = self._script()
        else:
            found = self._atom()
            if self._skip("^"):  # 2^3^4, from the right
                found = self._power(found)
            elif self._skip("!"):
                found = Operation("factorial", (found,))
        self._descend(-1)
        return found

    # atoms

    def _atom(self) -> Expression:
        token = self._take()
        match token.kind:
            case Kind.NUMBER:
                assert token.value is not None  # noqa: S101  (numbers carry one)
                if self._is("_"):
                    raise UnreadableError  # digits in a base, read before
                return token.value
            case Kind.LETTER:
                return self._letter(token.text)
            case Kind.WORD:
                return self._command("\\" + token.text)
            case Kind.COMMAND:
                return self._command(token.text)
            case Kind.SIGN if token.text in ("(", "[", "{"):
                return self._group(token.text)
            case Kind.SIGN if token.text == "|":
                return self._absolute("|")
        raise UnreadableError

    def _group(self, opener: str) -> Expression:
        outer, self._bars = self._bars, 0
        inner = self._sum()
        if opener == "{" and self._skip("\\choose"):
            inner = Operation("binomial", (inner, self._sum()))
        self._bars = outer
        self._expect({"(": ")", "[": "]", "{": "}"}[opener])
        return inner

    def _absolute(self, closer: str) -> Expression:
        self._bars += 1
        inner = self._sum()
        self._bars -= 1
        self._expect(closer)
        return Operation("abs", (inner,))

    def _argument(self) -> Expression:
        r"""Read what a command binds: a group or one token; of `\frac12` one digit."""
        if self._skip("{"):
            return self._group("{")
        return self._atom()

    def _digit(self) -> Expression:
        token = self._next
        if token.kind is Kind.NUMBER and len(token.text) > 1 and token.text.isdigit():
            rest = Token(Kind.NUMBER, token.text[1:], Number(Fraction(token.text[1:])))
            self._tokens[self._at] = rest
            return Number(Fraction(token.text[0]))
        return self._argument()

    def _letter(self, letter: str) -> Expression:
        name = letter + self._index()
        if name == "e":
            return Operation("e")
        if name == "i":
            return Operation("i")
        if letter in "CP" and self._is("("):
            return self._selection(letter, name)
        return Symbol(name)

    def _selection(self, letter: str, name: str) -> Expression:
        """Read C(n, k) and P(n, k); C(x) is a name beside a parenthesis."""
        start = self._at
        self._take()
        first = self._sum()
        if not self._skip(","):
            self._at = start
            return Symbol(name)
        second = self._sum()
        self._expect(")")
        return Operation("binomial" if letter == "C" else "permutations", (first, second))

    def _index(self) -> str:
        """Read an index and primes as part of a name."""
        found = ""
        if self._skip("_"):
            found = "_" + self._raw_argument()
        while self._skip("'") or (self._is("^") and self._tokens[self._at + 1].text == "\\prime"):
            if self._skip("^"):
                self._take()
            found += "'"
        return found

    def _raw_argument(self) -> str:
        """Return the spelling of a group or of one token."""
        if not self._skip("{"):
            return self._take().text
        parts, depth = [], 1
        while depth:
            token = self._take()
            if token.kind is Kind.END:
                raise UnreadableError
            depth += (token.text == "{") - (token.text == "}")
            parts.append(token.text)
        return "".join(parts[:-1])

    def _command(self, name: str) -> Expression:
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name in _FUNCTIONS:
            return self._function(name[1:])
        if name in _UNEVALUATED:
            return self._unevaluated(_UNEVALUATED[name])
        if name in _SEVERAL:
            return self._several(_SEVERAL[name])
        if name in _MARKS:
            return Symbol(name + self._raw_argument() + self._index())
        if name[1:] in _GREEK:
            return Symbol(name + self._index())
        if (read := _ATOMS.get(name)) is not None:
            return read(self)
        raise UnreadableError

    def _function(self, name: str) -> Expression:
        base: tuple[Expression, ...] = ()
        power: Expression | None = None
        if name == "log" and self._skip("_"):
            base = (self._argument(),)
        if self._skip("^"):
            power = self._script()
        if name == "log" and not base and self._skip("_"):
            base = (self._argument(),)
        self._in_function += 1
        operand = self._operand()
        self._in_function -= 1
        if power == Operation("neg", (Number(Fraction(1)),)) or power == Number(Fraction(-1)):
            return Operation("arc" + name, (operand,))
        call = Operation(name, (operand, *base))
        return call if power is None else Operation("pow", (call, power))

    def _operand(self) -> Expression:
        """Read a function's operand: a bracket, or the factors up to the next function."""
        if self._is("(", "[") or self._is("{"):
            return self._degrees(self._group(self._take().text))
        if self._skip("-"):
            return Operation("neg", (self._operand(),))
        product = self._factor()
        while self._starts_factor() and self._next.text.removeprefix("\\") not in _FUNCTION_NAMES:
            if self._next.kind is Kind.NUMBER:
                break
            product = Operation("mul", (product, self._factor()))
        while self._skip("/"):
            product = Operation("div", (product, self._factor()))
        return product

    def _degrees(self, operand: Expression) -> Expression:
        return Operation("degrees", (operand,)) if self._skip("°") else operand

    def _several(self, name: str) -> Expression:
        opener = self._take().text
        if opener not in ("(", "\\{", "{"):
            raise UnreadableError
        operands = [self._sum()]
        while self._skip(","):
            operands.append(self._sum())
        self._expect({"(": ")", "\\{": "\\}", "{": "}"}[opener])
        return Operation(name, tuple(operands))

    def _unevaluated(self, name: str) -> Expression:
        """Pass over an operation left to be done, whatever follows it: its value is not taken."""
        depth = 0
        while self._next.kind is not Kind.END:
            if depth == 0 and self._next.text in _UNIT_ENDS:
                break
            mark = self._take().text
            depth += (mark in "([{") - (mark in ")]}")
        return Operation(name)

    def _fraction(self) -> Expression:
        if self._tokens[self._at].text == "{" and self._tokens[self._at + 1].text == "d":
            return self._unevaluated("derivative")
        top, bottom = self._digit(), self._digit()
        return Operation("div", (top, bottom))

    def _root(self) -> Expression:
        index: Expression = Number(Fraction(2))
        if self._skip("["):
            index = self._sum()
            self._expect("]")
        return Operation("root", (self._argument(), index))

    def _binomial(self) -> Expression:
        return Operation("binomial", (self._digit(), self._digit()))

    def _enclosed(self, name: str, closer: str) -> Expression:
        inner = self._sum()
        self._expect(closer)
        return Operation(name, (inner,))

    def _called(self, name: str) -> Expression:
        """Read `abs(x)` and its like."""
        self._expect("(")
        return self._enclosed(name, ")")


_FUNCTION_NAMES = frozenset(name[1:] for name in _FUNCTIONS)
_ATOMS: dict[str, Callable[[_Parser], Expression]] = {
    "\\frac": _Parser._fraction,
    "\\sqrt": _Parser._root,
    "\\binom": _Parser._binomial,
    "\\lfloor": lambda parser: parser._enclosed("floor", "\\rfloor"),
    "\\lceil": lambda parser: parser._enclosed("ceil", "\\rceil"),
    "\\abs": lambda parser: parser._called("abs"),
    "\\floor": lambda parser: parser._called("floor"),
    "\\ceil": lambda parser: parser._called("ceil"),
}


def _plain(answer: Answer) -> Expression:
    if not isinstance(answer, Expression):
        raise UnreadableError
    return answer


def _joined(name: str, operands: list[Expression]) -> Expression:
    """Return one operation of many operands: long sums stay flat, so recursion stays shallow."""
    if not operands:
        return Number(Fraction(0))
    return Operation(name, tuple(operands)) if len(operands) > 1 else operands[0]


def _is_proper(expression: Expression) -> bool:
    """Say whether this is a fraction of numerals below one."""
    if not isinstance(expression, Operation) or expression.name != "div":
        return False
    top, bottom = expression.operands
    return (
        isinstance(top, Number) and isinstance(bottom, Number)
        and top.decimals is None and bottom.decimals is None
        and 0 < top.value < bottom.value
    )  # fmt: skip
