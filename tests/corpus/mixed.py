"""Endless different questions of every sort, for throughput and for soaking. No two are equal."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping

from reasonrl.types import Kind, Task
from reasonrl.verify import VerifyItem

Maker = Callable[[int, random.Random], tuple[str, str]]

BOMBS = (
    "9^{9^{9}}", "9^{9^{9^{9}}}", "100000!", "((3!)!)!", "5!!!!!!!!", r"\binom{10^9}{5 \cdot 10^8}",
    r"\binom{20000}{10000}", "x^{x^{x^{x^{x}}}}", "x^{9^{9}}", "e^{e^{e^{e^{e}}}}",
    r"\exp(\exp(\exp(x)))", r"\sin(10^{19999})", "(1+i)^{50000}", "2^" * 900 + "2",
    "1+" * 1990 + "1", "-" * 3900 + "1", "1," * 1900 + "1", "(" * 5000 + ")" * 5000,
    r"\sqrt{" * 35 + "2" + "}" * 35, r"\sin " * 900 + "x", "|" * 400 + "x" + "|" * 400,
    r"(-\infty,1)\cup" * 200 + "(1,2)", "1<" * 1800 + "x", "{" * 900 + "1" + "}" * 900,
    r"\frac{1}{" * 39 + "x" + "}" * 39, "9" * 100_000, "x" * 3_900, r"\sum_{k=1}^{10^{9}} k!",
    r"\int_0^1 x^{x^x} dx", "__import__('os').system('sleep 9')", "(lambda: 9**9**9)()",
    r"\hbar^{\hbar^{\hbar^{\hbar}}}", r"(\hbar + 1)^{999}", r"\hbar 9^{9^{9}}",
)  # fmt: skip
"""What costs a careless grader seconds, its memory or its life."""


def _integer(n: int, choose: random.Random) -> tuple[str, str]:
    return str(n), str(n + choose.choice([0, 0, 1, -7]))


def _light(n: int, choose: random.Random) -> tuple[str, str]:
    return choose.choice(
        [
            (rf"\frac{{{n}}}{{7}}", rf"\dfrac{{{2 * n}}}{{14}}"),
            (rf"\frac{{{n}}}{{8}}", f"{n / 8}"),
            (f"{n}, {n + 2}", rf"\{{{n + 2}, {n}\}}"),
            (f"({n}, -1)", rf"\left({n}, -1\right)"),
            (rf"{n}\pi", rf"\pi \cdot {n}"),
            (f"x = {n}", f"{n + 1}"),
            (rf"{n} \text{{ cm}}", str(n)),
            (rf"{n}\sqrt{{2}}", rf"{n}\sqrt{{3}}"),
        ]
    )


def _symbolic(n: int, choose: random.Random) -> tuple[str, str]:
    return choose.choice(
        [
            (f"x^2 - {n * n}", f"(x - {n})(x + {n})"),
            (rf"\frac{{{n}}}{{\sqrt{{5}} + 1}}", rf"\frac{{{n}(\sqrt{{5}} - 1)}}{{4}}"),
            (rf"\sqrt{{{n} + 2\sqrt{{{n - 1}}}}}", rf"1 + \sqrt{{{n - 1}}}"),
            (rf"\sin {n}x \cos {n}x", rf"\frac{{\sin {2 * n}x}}{{2}}"),
            (rf"(-\infty, {n}) \cup ({n + 1}, \infty)", rf"x < {n} \text{{ or }} x > {n + 1}"),
            (rf"{n}\ln 2 + \ln 3", rf"\ln(3 \cdot 2^{{{n % 40}}})"),
            (rf"\frac{{{n}}}{{x(x+1)}}", rf"\frac{{{n}}}{{x}} - \frac{{{n}}}{{x+1}}"),
            (rf"{n}e^{{2x}} + y", rf"y + {n}(e^x)^2"),
        ]
    )


def _foreign(n: int, _: random.Random) -> tuple[str, str]:
    return rf"\sqrt{{{n}}}", rf"{n}^{{1/2}} + 0\hbar"


MAKERS: Mapping[str, Maker] = {
    "integers": _integer,
    "light": _light,
    "symbolic": _symbolic,
    "by a worker": _foreign,
}


def items(name: str, count: int, *, start: int = 10, seed: int = 0) -> Iterator[VerifyItem]:
    """Yield different questions of one sort."""
    choose = random.Random(seed)
    for n in range(start, start + count):
        gold, answer = MAKERS[name](n, choose)
        yield item(gold, answer)


def mixed(count: int, *, seed: int = 0) -> Iterator[VerifyItem]:
    """Yield questions of every sort: of a hundred five are bombs and one is for a worker."""
    choose = random.Random(seed)
    names = ("integers", "light", "symbolic")
    for n in range(10, 10 + count):
        if n % 20 == 0:
            yield item(str(n), choose.choice(BOMBS))
        else:
            name = "by a worker" if n % 100 == 1 else choose.choice(names)
            yield item(*MAKERS[name](n, choose))


def item(gold: str, answer: str) -> VerifyItem:
    """Put an answer in a box."""
    task = Task(kind=Kind.MATH, answer=gold)
    return VerifyItem(task=task, response=f"The answer is \\boxed{{{answer}}}.")
