"""Random answers, keys, responses and tests of programs, and a loop that judges them without a net.

The texts grow from a grammar of the notation and from the labelled corpus, and are then damaged:
spans are cut, doubled and mixed, characters of many kinds are put in, pieces are repeated until
they are deep or long. The loop calls the readers and the comparison in this process, as the
verifier does, but without the net of `verify.net`: every exception is a finding.
"""

# ruff: noqa: E501 - the tables of pieces are read as blocks

from __future__ import annotations

import json
import random
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from reasonrl.types import Kind, StopReason, Task, VerifyItem
from reasonrl.verify.questions import Asked, compare, judge_key, read_code, read_item
from tests.corpus import math_cases

ATOMS = [
    "1",
    "2",
    "7",
    "12",
    "0.5",
    "-3",
    "1,200",
    "3.2e5",
    "10^{-6}",
    "x",
    "y",
    "n",
    "k",
    "m",
    "a",
    "b",
    "C",
    "e",
    "i",
    "\\pi",
    "\\infty",
    "\\alpha",
    "\\theta",
    "\\mathbb{R}",
    "\\mathbb{Z}",
    "\\emptyset",
    "45^\\circ",
    "30'",
    "5'6\"",
    "3:00",
    "2024-03-15",
    "50\\%",
    "\\$5",
    "5!!",
    "6!",
    "0.\\overline{3}",
    "\\text{cm}",
    "\\text{all_reals}",
    "\\hat{i}",
    "\\mathbf{j}",
    "n!",
    "(B)",
    "\\textbf{(C)}",
    "\\ldots",
    "\\cdots",
    "Rs.",
    "five",
]
FRAMES = (
    r"\frac{@}{@}", r"\sqrt{@}", r"\sqrt[@]{@}", "(@, @)", "[@, @)", "]@, @[", r"\{@, @\}", "@^{@}",
    "@_{@}", "@ + @", "@ - @", r"@ \pm @", r"@ \cdot @", "@/@", "@ @", "@ = @", "@ < @", r"@ \le @",
    r"@ \ne @", r"@ \equiv @ \pmod{@}", r"@ \in @", r"@ \cup @", r"@ \setminus @", "@, @", "@; @",
    r"@ \text{ or } @", r"@ \text{ and } @", r"@ \text{ for } @", "@ (@)", "|@|", r"\lfloor @ \rfloor",
    r"\lceil @ \rceil", r"\sin @", r"\log_{@} @", r"\ln(@)", r"\binom{@}{@}", "C_{@}^{@}", "@!", "@!!",
    r"\begin{pmatrix} @ & @ \\ @ & @ \end{pmatrix}", r"\begin{cases} @ & @ \\ @ & @ \end{cases}",
    r"\begin{aligned} @ &= @ \\ @ &= @ \end{aligned}", r"\left\{\begin{array}{l}@\\@\end{array}\right.",
    r"\gcd(@, @)", r"\int_0^1 @ dx", r"\sum_{k=1}^{n} @", r"\lim_{n\to\infty} @", r"\text{@}", "@:@",
    r"\mathbf{@}", r"\{x \mid @\}", "@ @°", r"\boxed{@}", r"\operatorname{@} @", r"\text{Total: } @",
    r"@ \text{ million}", r"f(@) = @", "x_1 = @, x_2 = @", r"\not= @", "[[@, @], [@, @]]", "**@**",
)  # fmt: skip
ODD = [
    *"①②³½⁻٣５𝟓𝒙Ⅳ⑤❶", *"\u200b\u200e\u202e\ufeff\u00ad\u2028\x00\x07\x1b\t\n\r", "\ud800", "\udfff",
    "e\u0301", "ﬁ", "中", "ش", "😀", "ǆ", "İ", "ß", *"\\{}[]()$%&#_^~|'\"`<>=+-*/!?.,:;@",
    "\\frac", "\\sqrt", "\\begin{cases}", "\\end{cases}", "\\left(", "\\right.", "\\\\",
    "\\begin{cases}\\end{cases}", "<think>", "</think>", "\\boxed{", "\\boxed", "```", "```python\n", "9^{9^{9}}", "10000!", "1" * 60, "0" * 40,
]  # fmt: skip
REPEATED = (
    "1/", "\\frac", "\\sqrt", "{", "(", "-", "2^", "x!", "\\sin ", "\\exp", "\\binom", "|", "\\text{",
    "\\{", "1,", "=", "\\boxed{", "\\overline", "x_", "'", "\\pm", "\\begin{cases}", "a&", "<", " ",
    "\\hat{", "[", "]", "0.(", "**", "C_", "\\operatorname{", ":", "7", "\\cdots", "1*", "\\left(",
)  # fmt: skip
TESTS = (
    {"inputs": ["1 2", "3"], "outputs": ["3", "3"]},
    {"fn_name": "f", "inputs": ["1\n2"], "outputs": ["3"]},
    {"assert_case": ["assert f(1) == 1"]},
    {"test_code": "def check(c):\n    assert c(1) == 1\n", "entry_point": "f"},
)


@dataclass(slots=True)
class Report:
    """What a run of the fuzzer found: exceptions by place, and the slowest input."""

    executions: int = 0
    exceptions: dict[str, str] = field(default_factory=dict)
    slowest_s: float = 0.0
    slowest: str = ""


class Grammar:
    """A source of random texts. The same seed gives the same texts."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._seeds = [case.gold for case in math_cases() if len(case.gold) < 300]
        self._seeds += [case.response for case in math_cases() if len(case.response) < 300]

    def text(self) -> str:
        """Return a grown or known text, damaged in two of three cases."""
        chance = self._random
        text = (
            self._grown(chance.randint(0, 4))
            if chance.random() < 0.6
            else chance.choice(self._seeds)
        )
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            text = self._damaged(text)
        return text

    def _grown(self, depth: int) -> str:
        chance = self._random
        if depth == 0 or chance.random() < 0.2:
            return chance.choice(ATOMS).replace("_reals", " real numbers")
        frame = chance.choice(FRAMES)
        parts = frame.split("@")
        return parts[0] + "".join(self._grown(depth - 1) + part for part in parts[1:])

    def _damaged(self, text: str) -> str:
        chance = self._random
        at = chance.randint(0, len(text))
        to = min(len(text), at + chance.randint(0, 12))
        match chance.randrange(7):
            case 0:
                return text[:at] + chance.choice(ODD) + text[at:]
            case 1:
                return text[:at] + text[to:]
            case 2:
                return text[:to] + text[at:to] * chance.randint(1, 5) + text[to:]
            case 3:
                return text[:at] + chance.choice(self._seeds)[:60] + text[at:]
            case 4:
                times = int(2 ** (chance.random() * 9))
                return (text[:at] + chance.choice(REPEATED) * times + text[at:])[:6_000]
            case 5:
                letters = list(text[at:to])
                chance.shuffle(letters)
                return text[:at] + "".join(letters) + text[to:]
        return text[:at] + chr(chance.randrange(0x11_0000)) + text[at:]

    def response(self) -> str:
        """Return a whole response: a box in prose, a thought, or prose alone."""
        chance, answer = self._random, self.text()
        shape = chance.choice(
            ("\\boxed{@}", "So it is $\\boxed{@}$.", "<think>@</think> \\boxed{@}", "The answer is @.",
             "@", "\\boxed{@} or \\boxed{@}", "<think>@", "```python\n@\n```", "\\boxed@")
        )  # fmt: skip
        return shape.replace("@", answer)

    def tests(self) -> str:
        """Return the tests of a program as JSON, perhaps damaged."""
        chance = self._random
        tests = {
            key: value for key, value in chance.choice(TESTS).items() if chance.random() < 0.95
        }
        if chance.random() < 0.5 and tests:
            tests[chance.choice(list(tests))] = chance.choice(
                (None, 1, [], [[]], [None], "", {"a": 1}, [self.text()], [1e400], [[self.text()]])
            )
        text = json.dumps(tests)
        return self._damaged(text) if chance.random() < 0.4 else text


def one_item(grammar: Grammar, number: int) -> tuple[str, Callable[[], object]]:
    """Return a description and a call that judges one random item; each fourth kind in its turn."""
    if number % 8 == 7:
        tests, response = grammar.tests(), grammar.response()
        item = VerifyItem(task=Task(kind=Kind.CODE, answer=tests), response=response)
        return repr((tests, response)), lambda: read_code(item)
    key, response = grammar.text(), grammar.response()
    stop = StopReason.LENGTH if number % 97 == 0 else None
    item = VerifyItem(task=Task(kind=Kind.MATH, answer=key), response=response, stop_reason=stop)

    def judge() -> None:
        asked = read_item(item, unboxed=number % 3 == 0)
        if isinstance(asked, Asked):
            compare(asked.golds, asked.answer)
        if number % 5 == 0:
            judge_key(key)

    return repr((key, response)), judge


def fuzz(*, seconds: float, seed: int, most: int = 10**9) -> Report:
    """Judge random items until the time or the number of executions is used up."""
    grammar, report = Grammar(seed), Report()
    end = time.monotonic() + seconds
    while report.executions < most and time.monotonic() < end:
        shown, judge = one_item(grammar, report.executions)
        report.executions += 1
        start = time.process_time()
        try:
            judge()
        except Exception as error:  # noqa: BLE001 - the finding
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{type(error).__name__} in {frame.name}, {frame.filename.rpartition('/')[2]}:{frame.lineno}"
            report.exceptions.setdefault(place, shown[:2_000])
        spent = time.process_time() - start
        if spent > report.slowest_s:
            report.slowest_s, report.slowest = spent, shown
    return report
