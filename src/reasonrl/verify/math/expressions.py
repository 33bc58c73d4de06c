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
    | {"\\ln", "\\exp", "\\log", "\\cis"}
)
_SEVERAL = {"\\min": "min", "\\max": "max"}
CONSTANTS = {
    "\\pi": Operation("pi"), "\\infty": Operation("infinity"), "\\infinity": Operation("infinity"),
    "\\inf": Operation("infinity"), "\\oo": Operation("infinity"), "\\e": Operation("e"),
    "\\varnothing": Operation("empty"), "\\R": Operation("reals"), "\\imath": Operation("i"),
}  # fmt: skip
_GREEK_WORDS = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi
chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega ell N Z Q C Zpos triangle nabla
partial varnothing
"""
_GREEK = frozenset(_GREEK_WORDS.split())
_MARKS = {"\\overline", "\\bar", "\\vec", "\\hat", "\\overrightarrow", "\\widehat", "\\angle"}
# The depth of nested factors, six calls each; `bound` allows 40 nested brackets.
_MAX_DEPTH = 90
_MOST_POSTFIXES = 20
_SELECTIONS = {"C": "binomial", "A": "permutations", "P": "permutations"}
_NAMING = frozenset({"\\dim", "\\deg", "\\arg", "\\ker", "\\Re", "\\Im"})
"""Commands that name a value of their argument."""


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

    def state(self) -> tuple[int, int, int, bool, int]:
        """Return what `restore` needs to read again from here."""
        return self.at, self._depth, self._bars, self._has_bars_apart, self._in_function

    def restore(self, state: tuple[int, int, int, bool, int]) -> None:
        """Go back to a state, after a rule that does not hold."""
        self.at, self._depth, self._bars, self._has_bars_apart, self._in_function = state

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
        factors, divisors = [self._factor()], []
        while True:
            if self.skip("*"):
                factors.append(self._factor())
            elif self.skip("/"):
                # One quotient of two products: a chain of a thousand quotients stays flat.
                divisors.append(self._factor())
            elif self.sees("dots") and len(factors) > 1 and not divisors:
                return self._product_up_to(factors)
            elif self.sees("\\bmod", "\\pmod", "\\mod"):
                self.take()
                factors = [Operation("mod", (_quotient(factors, divisors), self._argument()))]
                divisors = []
            elif self._starts_factor():
                factors.append(self._beside(factors, is_first=not divisors))
            else:
                return _quotient(factors, divisors)

    def _product_up_to(self, factors: list[Expression]) -> Expression:
        """Read the last factor of `1 * 3 * 5 ... (2n - 1)`."""
        self.take()
        self.skip("*")
        last = self._factor()
        if self._starts_factor() or not all(isinstance(factor, Number) for factor in factors):
            raise UnreadableError
        return Operation("product up to", (factors[0], factors[1], last))

    def _beside(self, factors: list[Expression], *, is_first: bool) -> Expression:
        """Read a factor without a sign before it; `3 1/2` becomes one mixed number."""
        # Behind `!` a number is a factor: 3! 2! is a product.
        is_product = self.before in ("!", "!!") or (
            self.before == ")" and _is_negative(factors[-1])
        )
        is_number = self.token.kind is TokenKind.NUMBER and not is_product
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
        if len(factors) == 1 and is_first and is_whole and _is_proper(factor):
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
            or name in _NAMING
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
        for _ in range(_MOST_POSTFIXES):
            if self.skip("^"):
                base = self._power(base)
            elif self.skip("!!"):
                base = Operation("double factorial", (base,))
            elif self.skip("!"):
                base = Operation("factorial", (base,))
            elif self._in_function and self.skip("°"):
                base = Operation("degrees", (base,))
            else:
                return base
        raise UnreadableError

    def _power(self, base: Expression) -> Expression:
        if self.sees("\\prime", "'"):
            raise UnreadableError
        if isinstance(base, Symbol) and self._skips_star():
            return Symbol(base.name + "*")
        exponent = self._script()
        return Operation("pow", (base, exponent))

    def _skips_star(self) -> bool:
        """Move past the star of a name such as `x^*`; return whether there was one."""
        start = self.at
        has_brace = self.skip("{")
        if self.skip("*") and (self.skip("}") or not has_brace):
            return True
        self.at = start
        return False

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
        self._descend(1)
        atom = self._read_atom(self.take())
        self._descend(-1)
        return atom

    def _read_atom(self, token: Token) -> Expression:
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
                name = "\\" + token.text
                return self._command(name) if self._is_atom_command(name) else self._named(name)
            case TokenKind.COMMAND:
                return self._command(token.text)
            case TokenKind.SIGN if token.text in ("(", "[", "{"):
                return self._group(token.text)
            case TokenKind.SIGN if token.text == "|":
                return self._absolute("|")
            case TokenKind.SIGN if token.text == "\\#":
                return Symbol("#" + self.take().text)
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

    def _named(self, name: str) -> Symbol:
        r"""Read what an operator that has no value here names: `\operatorname{rank}(A)`."""
        if self.sees("("):
            self.take()
            return Symbol(f"{name}({self.raw_argument_behind('(', ')')})")
        if self.token.kind is TokenKind.LETTER:
            return Symbol(f"{name}({self.take().text})")
        raise UnreadableError

    def _letter(self, letter: str) -> Expression:
        if letter in _SELECTIONS and (selection := self._indexed_selection(letter)) is not None:
            return selection
        name = letter + self._index()
        if name == "e":
            return Operation("e")
        if name == "i":
            return Operation("i")
        if letter in "CP" and self.sees("("):
            return self._selection(letter, name)
        return Symbol(name + self._several_arguments())

    def _indexed_selection(self, letter: str) -> Expression | None:
        """Read `C_n^k` as a binomial and `A_n^k` as a number of arrangements, else None."""
        start, scripts = self.at, {}
        for sign in ("_", "^", "_"):
            if sign not in scripts and self.skip(sign):
                scripts[sign] = self._index_value(is_script=sign == "^")
        lower, upper = scripts.get("_"), scripts.get("^")
        is_chosen = lower is not None and upper is not None
        if is_chosen and isinstance(lower, Number):
            is_chosen = isinstance(upper, Number) and upper.value <= lower.value
        if is_chosen and isinstance(lower, Number | Symbol | Operation):
            return Operation(_SELECTIONS[letter], (lower, scripts["^"]))
        self.at = start
        return None

    def _index_value(self, *, is_script: bool) -> Expression:
        if (value := self.token.value) is not None:
            # A number before an index is no numeral in a base here.
            self.take()
            return value
        return self._script() if is_script else self._argument()

    def _several_arguments(self) -> str:
        """Return the arguments of a call such as `d(P, Q)`, which names a value; empty if none."""
        if not self.sees("("):
            return ""
        start, depth, has_comma = self.at, 0, False
        while self.token.kind is not TokenKind.END:
            mark = self.take().text
            depth += (mark == "(") - (mark == ")")
            has_comma = has_comma or (mark == "," and depth == 1)
            if depth == 0:
                break
        end, self.at = self.at, start
        if depth or not has_comma:
            return ""
        self.at = end
        return "".join(token.text for token in self._tokens[start:end])

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
        if name in ("\\gcd", "\\lcm") and (divisor := self._divisor(name[1:])) is not None:
            return divisor
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
        if name in _NAMING:
            return self._named(name)
        raise UnreadableError

    def _divisor(self, name: str) -> Expression | None:
        """Read `gcd(a, b)`; None, without a move, for other arguments."""
        state = self.state()
        try:
            return self._several(name)
        except UnreadableError:
            self.restore(state)
            return None

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
            self._descend(1)
            negative = Operation("neg", (self._operand(),))
            self._descend(-1)
            return negative
        factors, divisors = [self._factor()], []
        while self._starts_factor() and self.token.text.removeprefix("\\") not in _FUNCTION_NAMES:
            if self.token.kind is TokenKind.NUMBER:
                break
            factors.append(self._factor())
        while self.skip("/"):
            divisors.append(self._factor())
        return _quotient(factors, divisors)

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
        r"""Read a call such as `abs(x)` or `\abs{x}`."""
        if self.skip("{"):
            return self._enclosed(name, "}")
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


def _quotient(factors: list[Expression], divisors: list[Expression]) -> Expression:
    """Return the product of factors over the product of divisors, without needless operations."""
    product = _joined("mul", factors)
    return Operation("div", (product, _joined("mul", divisors))) if divisors else product


def _is_negative(expression: Expression) -> bool:
    return isinstance(expression, Operation) and expression.name == "neg"


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
