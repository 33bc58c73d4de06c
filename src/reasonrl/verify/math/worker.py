r"""Judge one mathematical answer with sympy and math-verify, inside a worker process.

No other module imports the two libraries, and a caller's process never imports this one. The
timeouts of math-verify use SIGALRM and fail outside the main thread, so they are off: `budget`
limits an answer's processor time, and the pool kills a slow worker. Three habits of math-verify are
corrected: only boxes are parsed (no number from the prose), decimals are exact, and closed forms
are compared relative to their size (1/2004! is not 1/2006!).
"""

from __future__ import annotations

import logging
import re
import time
from contextlib import nullcontext
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

import sympy
from math_verify import LatexExtractionConfig
from math_verify import parse as parse_latex
from math_verify import verify as is_equivalent

from reasonrl.types import Status
from reasonrl.verify.finding import Finding
from reasonrl.verify.math.budget import OverBudgetError, processor_budget
from reasonrl.verify.math.number import is_close, read_number

SympyExpression: TypeAlias = sympy.Basic | sympy.MatrixBase

_BOX_ONLY = [LatexExtractionConfig(boxed_match_priority=0)]
_DIGITS = 50  # working precision
# Relative to the size of the value; equal closed forms differ by rounding only.
_AGREE = sympy.Rational(1, 10**40)
_SHOWN_CHARS = 200
_RELATION = re.compile(r"[<>]|\\(?:le|ge|leq|geq|ne|neq|lt|gt|equiv)(?![a-zA-Z])")
_VARIABLE = re.compile(r"[A-Za-z\\(){}' |,]{1,40}")
_INDEX = re.compile(r"_(?:\{[\w, +-]*\}|\w+)|(?<=[A-Za-z}])\([\w, +-]*\)")  # as in a_{10}, f(2)
_NOT_VARIABLE = re.compile(r"\\(?:frac|sqrt|pi|binom)|^\s?[(|{]")


# Without this, math-verify warns that its timeouts are off.
logging.getLogger("math_verify").setLevel(logging.ERROR)


def judge(
    golds: tuple[str, ...], answer: str, *, is_gold_read: bool = False, budget_s: float = 0.6
) -> Finding:
    """Compare a clean answer with clean golds, any of which may match.

    An exception of the libraries is blamed on the answer if the first gold alone causes none, else
    on the checker: then it is raised, and the pool reports it as such. `is_gold_read` says that a
    gold is known to be mathematics, even if math-verify cannot read it. An answer that needs more
    than `budget_s` of processor time is TOO_LARGE, unless it is a plain number: then it is the gold
    that needs it, and the pool's deadline decides.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    is_plain = read_number(answer) is not None
    try:
        with nullcontext() if is_plain else processor_budget(budget_s):
            finding = _judge_any(golds, answer, is_gold_read=is_gold_read)
    except MemoryError:
        raise
    except OverBudgetError:
        finding = Finding(status=Status.TOO_LARGE, reason="too large for algebra")
    except Exception as error:  # noqa: BLE001 - recorded as data, never as a reward
        if not is_gold_read:
            _judge_any(golds, golds[0], is_gold_read=is_gold_read)
        reason = f"math-verify raised {type(error).__name__}"
        finding = Finding(status=Status.UNPARSABLE, reason=reason)
    return Finding(
        status=finding.status,
        reason=finding.reason,
        canonical_gold=finding.canonical_gold,
        canonical_answer=finding.canonical_answer,
        wall_s=time.perf_counter() - wall,
        cpu_s=time.process_time() - cpu,
    )


def _judge_any(golds: tuple[str, ...], answer: str, *, is_gold_read: bool) -> Finding:
    parsed = [(text, gold) for text in golds if (gold := _parse_gold(text)) is not None]
    if not parsed and is_gold_read:
        return Finding(status=Status.UNPARSABLE, reason="no reader knows both sides")
    if not parsed:
        return Finding(status=Status.GOLD_UNPARSABLE, reason=f"cannot parse {golds[0][:80]!r}")
    findings = [_judge_one(text, gold, answer) for text, gold in parsed]
    return next((f for f in findings if f.status is Status.CORRECT), findings[0])


def _judge_one(gold_text: str, gold: SympyExpression, answer: str) -> Finding:
    sides = chain_sides(answer)
    shown = str(gold)[:_SHOWN_CHARS]
    last = ""
    for side in sides:
        expression = _parse(side)
        if expression is None:
            return Finding(
                status=Status.UNPARSABLE, reason=f"cannot parse {side[:80]!r}", canonical_gold=shown
            )
        last = str(expression)[:_SHOWN_CHARS]
        if not _is_equal(gold_text, gold, expression):
            return Finding(status=Status.WRONG, canonical_gold=shown, canonical_answer=last)
    return Finding(status=Status.CORRECT, canonical_gold=shown, canonical_answer=last)


@lru_cache(maxsize=1_024)
def _parse_gold(text: str) -> SympyExpression | None:
    return _parse(text)


def _parse(text: str) -> SympyExpression | None:
    """Parse clean LaTeX with exact decimals and `i` as a number; None if it is no mathematics."""
    parts = parse_latex(
        f"\\boxed{{{text}}}",
        _BOX_ONLY,
        extraction_mode="first_match",
        parsing_timeout=None,
        raise_on_error=True,
    )
    expression = next((item for item in parts if not isinstance(item, str)), None)
    if expression is None or not hasattr(expression, "xreplace"):
        return expression
    exact = {number: sympy.Rational(str(number)) for number in expression.atoms(sympy.Float)}
    imaginary = {
        symbol: sympy.I for symbol in expression.free_symbols if symbol.name in ("i", "\\imath")
    }
    return expression.subs(imaginary).xreplace(exact) if exact or imaginary else expression


def _is_equal(gold_text: str, gold: SympyExpression, answer: SympyExpression) -> bool:
    decided = _compare_values(gold_text, gold, answer)
    if decided is not None:
        return decided
    return bool(
        is_equivalent(
            gold,
            answer,
            numeric_precision=_DIGITS,
            allow_set_relation_comp=True,
            timeout_seconds=None,
            raise_on_error=True,
        )
    )


def _compare_values(gold_text: str, gold: SympyExpression, answer: SympyExpression) -> bool | None:
    """Compare two constants by value; None unless both are constants with a value."""
    if not isinstance(gold, sympy.Expr) or not isinstance(answer, sympy.Expr):
        return None
    if gold.free_symbols or answer.free_symbols:
        return None
    gold, answer = gold.doit(), answer.doit()
    if gold.is_Rational and answer.is_Rational:
        number = read_number(gold_text)
        value = Fraction(int(answer.p), int(answer.q))
        return is_close(number, value) if number is not None else bool(gold == answer)
    x, y = gold.evalf(_DIGITS), answer.evalf(_DIGITS)
    if not (_is_finite_number(x) and _is_finite_number(y)):
        return None
    number = read_number(gold_text)
    if number is not None and number.decimals is not None and y.is_real:
        return is_close(number, Fraction(str(y)))
    if x == 0 or y == 0:
        return bool(sympy.simplify(gold - answer) == 0)
    if gold.is_rational is False and answer.is_Rational:
        return False
    return bool(abs(x - y) <= _AGREE * abs(x))


def _is_finite_number(value: sympy.Expr) -> bool:
    return bool(value.is_number and value.is_finite and not value.has(sympy.nan, sympy.zoo))


def chain_sides(text: str) -> tuple[str, ...]:
    r"""Return the sides of `x = 2 + 3 = 5` that must all equal the gold: `2 + 3` and `5`.

    Names such as `x`, `a_{10}` and `f(2)` are dropped, also a repeated name (`x = 1, x = 2`). An
    inequality is left whole. `\approx` and the text behind it are dropped: the exact side decides.
    """
    if _RELATION.search(text):
        return (text,)
    exact, _, rounded = text.partition("\\approx")
    text = (rounded if _is_variable(exact) else exact).strip()
    if "=" not in text:
        return (text,)
    parts = [_split(part, "=") for part in _split(text, ",")]
    if len(parts) > 1 and all(len(part) == 2 and part[0] == parts[0][0] for part in parts):
        return (", ".join(part[1] for part in parts),)
    sides = _split(text, "=")
    return tuple(side for side in sides if not _is_variable(side)) or (sides[-1],)


def _is_variable(side: str) -> bool:
    side = _INDEX.sub("", side.strip())
    return bool(_VARIABLE.fullmatch(side)) and not _NOT_VARIABLE.search(side)


def _split(text: str, separator: str) -> list[str]:
    """Split at a separator outside all brackets."""
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == separator and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    parts.append(text[start:].strip())
    return parts
