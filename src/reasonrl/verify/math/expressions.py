r"""Read expressions by recursive descent: sums, products, powers, functions; nothing is evaluated.

`parse` extends this reader to the answers that are built from expressions.

    sum    := term ((+ | - | pm) term)*
    term   := factor ((* | / | nothing) factor)*
    factor := (+ | -) factor | atom (^ factor | ! | index)*
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from reasonrl.verify.math.cursor import Cursor
from reasonrl.verify.math.lexer import Token, TokenKind, UnreadableError
from reasonrl.verify.math.tree import (
    UNEVALUATED_COMMANDS,
    Expression,
    Number,
    Operation,
    Symbol,
)

RELATIONS = frozenset({"=", "<", ">", "<=", ">=", "!=", "in", "~", "=="})
SETS = frozenset({"cup", "cap", "setminus"})
ENDS = RELATIONS | SETS | {",", ";", "or", "and", ")", "]", "\\}"}
"""The tokens that end a unit or an operation left to be done, which else run to the end."""

_FUNCTIONS = frozenset(
    {
        f"\\{kind}{name}"
        for kind in ("", "arc")
        for name in ("sin", "cos", "tan", "cot", "sec", "csc")
    }
    | {f"\\{kind}{name}" for kind in ("", "arc") for name in ("sinh", "cosh", "tanh")}
    | {"\\ln", "\\exp", "\\log"}
)
_SEVERAL = {"\\min": "min", "\\max": "max"}
CONSTANTS = {
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
# The depth of nested factors, six calls each; `bound` allows 40 nested brackets.
_MAX_DEPTH = 60


class ExpressionReader(Cursor):
    """A reader of expressions. Every method reads one rule and moves past it."""

    def __init__(self, tokens: list[Token]) -> None:
        super().__init__(tokens)
        self._depth = 0  # factors within factors
        # The number of open absolute values: a bar closes them.
        self._bars = 0
        # Inside the braces of a set a bar starts the condition.
        self._has_bars_apart = False
        # The number of open operands of functions: a degree sign is a factor in them.
        self._in_function = 0

    def sum(self) -> Expression:
        is_signed = self.sees("\\pm", "\\mp")
        terms = [] if is_signed else [self._term()]
        while self.sees("+", "-", "\\pm", "\\mp"):
            sign = self.take().text
            term = self._term()
            if sign in ("+", "-"):
                terms.append(term if sign == "+" else Operation("neg", (term,)))
            else:
                terms = [Operation(sign[1:], (_joined("add", terms), term))]
        return _joined("add", terms)

    def _term(self) -> Expression:
        factors = [self._factor()]
        while True:
            if self.skip("*"):
                factors.append(self._factor())
            elif self.skip("/"):
                factors = [Operation("div", (_joined("mul", factors), self._factor()))]
            elif self.sees("\\bmod", "\\pmod", "\\mod"):
                self.take()
                factors = [Operation("mod", (_joined("mul", factors), self._argument()))]
            elif self._starts_factor():
                factors.append(self._beside(factors))
            else:
                return _joined("mul", factors)

    def _beside(self, factors: list[Expression]) -> Expression:
        """Read a factor without a sign before it; `3 1/2` becomes one mixed number."""
        # Behind `!` a number is a factor: 3! 2! is a product.
        is_number = self.token.kind is TokenKind.NUMBER and self.before != "!"
        factor = self._factor()
        if is_number:
            # Only a fraction may follow: `2 3` and `x 2` have no meaning.
            if not self.skip("/"):
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
        token = self.token
        if token.kind in (TokenKind.NUMBER, TokenKind.LETTER, TokenKind.WORD):
            return True
        if token.kind is TokenKind.SIGN:
            is_bar = token.text == "|" and not self._bars and not self._has_bars_apart
            return is_bar or token.text in ("(", "[", "{")
        return token.kind is TokenKind.COMMAND and self._is_atom_command(token.text)

    def _is_atom_command(self, name: str) -> bool:
        return (
            name in _FUNCTIONS or name in CONSTANTS or name in UNEVALUATED_COMMANDS
            or name in _MARKS or name in _SEVERAL or name[1:] in _GREEK or name in _ATOMS
        )  # fmt: skip

    def _factor(self) -> Expression:
        self._descend(1)
        if self.skip("-"):
            factor: Expression = Operation("neg", (self._factor(),))
        elif self.skip("+"):
            factor = self._factor()
        else:
            factor = self._postfix(self._atom())
        self._descend(-1)
        return factor

    def _descend(self, by: int) -> None:
        self._depth += by
        if self._depth > _MAX_DEPTH:
            raise UnreadableError

    def _postfix(self, base: Expression) -> Expression:
        while True:
            if self.skip("^"):
                base = self._power(base)
            elif self.skip("!"):
                base = Operation("factorial", (base,))
            elif self._in_function and self.skip("°"):
                base = Operation("degrees", (base,))
            else:
                return base

    def _power(self, base: Expression) -> Expression:
        if self.sees("\\prime", "'"):
            raise UnreadableError
        exponent = self._script()
        return Operation("pow", (base, exponent))

    def _script(self) -> Expression:
        """Read an exponent: a group, or an atom with signs, a power or a factorial."""
        self._descend(1)
        if self.skip("-"):
            script: Expression = Operation("neg", (self._script(),))
        elif self.skip("+"):
            script = self._script()
        else:
            script = self._atom()
            if self.skip("^"):  # 2^3^4 is read from the right
                script = self._power(script)
            elif self.skip("!"):
                script = Operation("factorial", (script,))
        self._descend(-1)
        return script

    # atoms

    def _atom(self) -> Expression:
        token = self.take()
        match token.kind:
            case TokenKind.NUMBER:
                assert token.value is not None  # every number has a value
                if self.sees("_"):
                    # `parse` reads digits with a base before.
                    raise UnreadableError
                return token.value
            case TokenKind.LETTER:
                return self._letter(token.text)
            case TokenKind.WORD:
                return self._command("\\" + token.text)
            case TokenKind.COMMAND:
                return self._command(token.text)
            case TokenKind.SIGN if token.text in ("(", "[", "{"):
                return self._group(token.text)
            case TokenKind.SIGN if token.text == "|":
                return self._absolute("|")
        raise UnreadableError

    def _group(self, opener: str) -> Expression:
        outer, self._bars = self._bars, 0
        inner = self.sum()
        if opener == "{" and self.skip("\\choose"):
            inner = Operation("binomial", (inner, self.sum()))
        self._bars = outer
        self.expect({"(": ")", "[": "]", "{": "}"}[opener])
        return inner

    def _absolute(self, closer: str) -> Expression:
        self._bars += 1
        inner = self.sum()
        self._bars -= 1
        self.expect(closer)
        return Operation("abs", (inner,))

    def _argument(self) -> Expression:
        r"""Read the argument of a command: a group or one atom."""
        if self.skip("{"):
            return self._group("{")
        return self._atom()

    def _digit(self) -> Expression:
        r"""Read the argument of a command that takes a single digit of a number: `\frac12`."""
        token = self.token
        if token.kind is TokenKind.NUMBER and len(token.text) > 1 and token.text.isdigit():
            rest = Token(TokenKind.NUMBER, token.text[1:], Number(Fraction(token.text[1:])))
            self.replace(rest)
            return Number(Fraction(token.text[0]))
        return self._argument()

    def _letter(self, letter: str) -> Expression:
        name = letter + self._index()
        if name == "e":
            return Operation("e")
        if name == "i":
            return Operation("i")
        if letter in "CP" and self.sees("("):
            return self._selection(letter, name)
        return Symbol(name)

    def _selection(self, letter: str, name: str) -> Expression:
        """Read C(n, k) and P(n, k). C(x) is a product with the name C, P(X = 3) a single name."""
        start = self.at
        self.take()
        first = self.sum()
        if self.skip(","):
            operands = (first, self.sum())
            self.expect(")")
            return Operation("binomial" if letter == "C" else "permutations", operands)
        is_event = letter == "P" and not self.sees(")")
        self.at = start
        return Symbol(name + self.raw_argument("(", ")") if is_event else name)

    def _index(self) -> str:
        """Read an index and primes as part of a name."""
        index = ""
        if self.skip("_"):
            index = "_" + self.raw_argument()
        while self.skip("'") or (self.sees("^") and self.after.text == "\\prime"):
            if self.skip("^"):
                self.take()
            index += "'"
        return index

    def _command(self, name: str) -> Expression:
        if name in CONSTANTS:
            return CONSTANTS[name]
        if name in _FUNCTIONS:
            return self._function(name[1:])
        if name in UNEVALUATED_COMMANDS:
            return self.unevaluated(UNEVALUATED_COMMANDS[name])
        if name in _SEVERAL:
            return self._several(_SEVERAL[name])
        if name in _MARKS:
            return Symbol(name + self.raw_argument() + self._index())
        if name[1:] in _GREEK:
            return Symbol(name + self._index())
        if (read := _ATOMS.get(name)) is not None:
            return read(self)
        raise UnreadableError

    def _function(self, name: str) -> Expression:
        base: tuple[Expression, ...] = ()
        power: Expression | None = None
        if name == "log" and self.skip("_"):
            base = (self._argument(),)
        if self.skip("^"):
            power = self._script()
        if name == "log" and not base and self.skip("_"):
            base = (self._argument(),)
        self._in_function += 1
        operand = self._operand()
        self._in_function -= 1
        if power == Operation("neg", (Number(Fraction(1)),)) or power == Number(Fraction(-1)):
            return Operation("arc" + name, (operand,))
        call = Operation(name, (operand, *base))
        return call if power is None else Operation("pow", (call, power))

    def _operand(self) -> Expression:
        """Read the operand of a function: a bracket, or the factors before the next function."""
        if self.sees("(", "[") or self.sees("{"):
            return self._degrees(self._group(self.take().text))
        if self.skip("-"):
            return Operation("neg", (self._operand(),))
        product = self._factor()
        while self._starts_factor() and self.token.text.removeprefix("\\") not in _FUNCTION_NAMES:
            if self.token.kind is TokenKind.NUMBER:
                break
            product = Operation("mul", (product, self._factor()))
        while self.skip("/"):
            product = Operation("div", (product, self._factor()))
        return product

    def _degrees(self, operand: Expression) -> Expression:
        return Operation("degrees", (operand,)) if self.skip("°") else operand

    def _several(self, name: str) -> Expression:
        opener = self.take().text
        if opener not in ("(", "\\{", "{"):
            raise UnreadableError
        operands = [self.sum()]
        while self.skip(","):
            operands.append(self.sum())
        self.expect({"(": ")", "\\{": "\\}", "{": "}"}[opener])
        return Operation(name, tuple(operands))

    def unevaluated(self, name: str) -> Expression:
        """Pass over an operation left to be done and its operands; nobody takes its value."""
        depth = 0
        while self.token.kind is not TokenKind.END:
            if depth == 0 and self.token.text in ENDS:
                break
            mark = self.take().text
            depth += (mark in "([{") - (mark in ")]}")
        return Operation(name)

    def _fraction(self) -> Expression:
        if self.token.text == "{" and self.after.text == "d":
            return self.unevaluated("derivative")
        top, bottom = self._digit(), self._digit()
        return Operation("div", (top, bottom))

    def _root(self) -> Expression:
        index: Expression = Number(Fraction(2))
        if self.skip("["):
            index = self.sum()
            self.expect("]")
        return Operation("root", (self._argument(), index))

    def _binomial(self) -> Expression:
        return Operation("binomial", (self._digit(), self._digit()))

    def _enclosed(self, name: str, closer: str) -> Expression:
        inner = self.sum()
        self.expect(closer)
        return Operation(name, (inner,))

    def _called(self, name: str) -> Expression:
        """Read a call such as `abs(x)`."""
        self.expect("(")
        return self._enclosed(name, ")")


_FUNCTION_NAMES = frozenset(name[1:] for name in _FUNCTIONS)
_ATOMS: dict[str, Callable[[ExpressionReader], Expression]] = {
    "\\frac": ExpressionReader._fraction,
    "\\sqrt": ExpressionReader._root,
    "\\binom": ExpressionReader._binomial,
    "\\lfloor": lambda parser: parser._enclosed("floor", "\\rfloor"),
    "\\lceil": lambda parser: parser._enclosed("ceil", "\\rceil"),
    "\\abs": lambda parser: parser._called("abs"),
    "\\floor": lambda parser: parser._called("floor"),
    "\\ceil": lambda parser: parser._called("ceil"),
}


def _joined(name: str, operands: list[Expression]) -> Expression:
    """Return one operation with all operands: a long sum stays flat, so recursion stays shallow."""
    if not operands:
        return Number(Fraction(0))
    return Operation(name, tuple(operands)) if len(operands) > 1 else operands[0]


def _is_proper(expression: Expression) -> bool:
    """Return whether an expression is a fraction of exact numerals between 0 and 1."""
    if not isinstance(expression, Operation) or expression.name != "div":
        return False
    top, bottom = expression.operands
    return (
        isinstance(top, Number) and isinstance(bottom, Number)
        and top.decimals is None and bottom.decimals is None
        and 0 < top.value < bottom.value
    )  # fmt: skip
