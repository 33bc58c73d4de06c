"""Laws: the same value in another spelling is CORRECT, a changed one is not; nothing raises."""

from __future__ import annotations

import random
from fractions import Fraction

import mpmath
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from reasonrl.types import Status
from reasonrl.verify.math.answer import judge_fast
from reasonrl.verify.math.bound import size_fault
from reasonrl.verify.math.golds import read_golds
from reasonrl.verify.math.notation import clean

Tree = tuple["str | int | Tree", ...]  # ("add", a, b), ("num", 3), ("x",), ...

LEAVES = st.one_of(
    st.integers(1, 30).map(lambda n: ("num", n)),
    st.just(("pi",)),
    st.just(("x",)),
    st.just(("y",)),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["add", "sub", "mul", "div"]), inner, inner),
        st.tuples(st.just("sqrt"), inner),
        st.tuples(st.just("square"), inner),
        st.tuples(st.just("neg"), inner),
    ),
    max_leaves=7,
)


def latex(tree: Tree) -> str:
    """Print as LaTeX, with every operand in brackets."""
    name, *parts = tree
    shown = [latex(part) if isinstance(part, tuple) else str(part) for part in parts]
    match name:
        case "num":
            return shown[0]
        case "pi":
            return r"\pi"
        case "x" | "y":
            return str(name)
        case "add":
            return rf"\left({shown[0]}+{shown[1]}\right)"
        case "sub":
            return rf"\left({shown[0]} - {shown[1]}\right)"
        case "mul":
            return rf"{{{shown[0]}}} \cdot {{{shown[1]}}}"
        case "div":
            return rf"\dfrac{{{shown[0]}}}{{{shown[1]}}}"
        case "sqrt":
            return rf"\sqrt{{{shown[0]}}}"
        case "square":
            return rf"\left({shown[0]}\right)^{{2}}"
    return rf"\left(-{shown[0]}\right)"


def plain(tree: Tree) -> str:
    """Print as a programmer would, with sums and products the other way round."""
    name, *parts = tree
    shown = [plain(part) if isinstance(part, tuple) else str(part) for part in parts]
    match name:
        case "num":
            return shown[0]
        case "pi":
            return "π"
        case "x" | "y":
            return str(name)
        case "add":
            return f"({shown[1]} + {shown[0]})"
        case "sub":
            return f"(-{shown[1]} + {shown[0]})"
        case "mul":
            return f"({shown[1]})*({shown[0]})"
        case "div":
            return f"(({shown[0]})/({shown[1]}))"
        case "sqrt":
            return f"sqrt({shown[0]})"
        case "square":
            return f"({shown[0]})*({shown[0]})"
    return f"(0-{shown[0]})"


def value(tree: Tree) -> mpmath.mpc:
    """Evaluate by other means than the verifier, at one point; nan outside the domain."""
    name, *parts = tree
    if name == "num":
        return mpmath.mpc(parts[0])
    if name in ("pi", "x", "y"):
        return mpmath.mpc({"pi": mpmath.pi, "x": "1.37", "y": "0.81"}[name])
    values = [value(part) for part in parts if isinstance(part, tuple)]
    match name:
        case "add":
            return values[0] + values[1]
        case "sub":
            return values[0] - values[1]
        case "mul":
            return values[0] * values[1]
        case "div":
            return values[0] / values[1] if values[1] else mpmath.mpc("nan")
        case "sqrt":
            return mpmath.sqrt(values[0])
        case "square":
            return values[0] ** 2
    return -values[0]


def mutated(tree: Tree, choose: random.Random) -> Tree:
    """Change one operation or one number."""
    name, *parts = tree
    indices = [index for index, part in enumerate(parts) if isinstance(part, tuple)]
    if indices and choose.random() < 0.7:
        index = choose.choice(indices)
        inner = parts[index]
        assert isinstance(inner, tuple)
        parts[index] = mutated(inner, choose)
        return (name, *parts)
    if name == "num":
        return ("num", int(str(parts[0])) + choose.choice([1, 2, 10]))
    swaps = {"add": "sub", "sub": "add", "mul": "div", "div": "mul", "sqrt": "square"}
    if name in swaps:
        return (swaps[str(name)], *parts)
    return ("add", tree, ("num", 1))


def status(gold: str, answer: str) -> Status | None:
    """Judge without a worker; None where a worker would be asked."""
    finding = judge_fast(read_golds(gold)[0], clean(answer))
    return None if finding is None else finding.status


@given(tree=TREES)
@settings(max_examples=300, deadline=None)
def test_the_same_value_in_another_spelling_is_correct(tree: Tree) -> None:
    result = value(tree)
    assume(mpmath.isfinite(result) and abs(result.imag) < 1e-12)
    there, back = status(latex(tree), plain(tree)), status(plain(tree), latex(tree))
    assert there in (Status.CORRECT, None)
    assert back in (Status.CORRECT, None)
    if not any(letter in latex(tree) for letter in ("x", "y")):
        assert there is Status.CORRECT


@given(tree=TREES, seed=st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_a_changed_value_is_not_correct(tree: Tree, seed: int) -> None:
    other = mutated(tree, random.Random(seed))
    x, y = value(tree), value(other)
    assume(mpmath.isfinite(x) and mpmath.isfinite(y))
    assume(abs(x - y) > 1e-6 * max(abs(x), abs(y)))
    assert status(latex(tree), latex(other)) is not Status.CORRECT
    assert status(plain(tree), latex(other)) is not Status.CORRECT


FRACTIONS = st.fractions(min_value=-50, max_value=50, max_denominator=64)


@given(number=FRACTIONS)
def test_a_fraction_equals_its_other_spellings(number: Fraction) -> None:
    top, bottom = number.numerator, number.denominator
    whole, rest = divmod(abs(top), bottom)
    sign = "-" if top < 0 else ""
    spellings = [
        rf"\frac{{{top}}}{{{bottom}}}", f"{top}/{bottom}", rf"\dfrac{{{7 * top}}}{{{7 * bottom}}}",
        rf"{sign}\tfrac{{{abs(top)}}}{{{bottom}}}", f"x = {top}/{bottom}", f"{top}/{bottom}.",
        rf"{sign}\left({abs(top)} \div {bottom}\right)",
    ]  # fmt: skip
    if rest and whole:
        spellings.append(rf"{sign}{whole}\frac{{{rest}}}{{{bottom}}}")
    for gold in spellings[:3]:
        assert [status(gold, answer) for answer in spellings] == [Status.CORRECT] * len(spellings)
        assert status(gold, f"{top + 1}/{bottom}") is Status.WRONG


@given(items=st.lists(st.integers(-99, 99), min_size=2, max_size=6, unique=True), data=st.data())
def test_lists_are_unordered_and_tuples_ordered(items: list[int], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(items))
    bare, other = ", ".join(map(str, items)), ", ".join(map(str, shuffled))

    assert status(bare, other) is Status.CORRECT
    assert status(bare, rf"\{{{other}\}}") is Status.CORRECT
    assert status(bare, ", ".join(map(str, items[1:]))) is not Status.CORRECT
    assert (status(f"({bare})", f"({other})") is Status.CORRECT) == (items == shuffled)


ENDS = st.lists(st.integers(-20, 20), min_size=2, max_size=4, unique=True).map(sorted)


@given(ends=ENDS, closed=st.tuples(st.booleans(), st.booleans()))
def test_an_interval_equals_its_inequality_alone(
    ends: list[int], closed: tuple[bool, bool]
) -> None:
    low, high = ends[0], ends[-1]
    left, right = "(["[closed[0]], ")]"[closed[1]]
    signs = ("<", r"\le")
    interval = f"{left}{low}, {high}{right}"
    chain = f"{low} {signs[closed[0]]} x {signs[closed[1]]} {high}"
    flipped = f"{low} {signs[not closed[0]]} x {signs[closed[1]]} {high}"

    assert status(interval, chain) is Status.CORRECT
    assert status(chain, rf"x \in {interval}") is Status.CORRECT
    assert status(interval, flipped) is not Status.CORRECT
    assert status(chain, f"{left}{low}, {high + 1}{right}") is Status.WRONG


PIECES_SPACED = r"""
\frac \sqrt \pi \left( \right) \left[ \right] \{ \} { } ( ) [ ] | ^ _ ! , ; : = < > \le \ge \in \cup
\setminus \infty \pm + - * / \cdot 0 1 2 12 0.5 1,000 x y i e n \sin \log \text{or} \text{cm} \%
^\circ \begin{pmatrix} \end{pmatrix} & \\ \binom \overline{3} ... 1e5 \mathbb{R} \approx \ne
and or cm ½ √ ² π ∞ \int \sum \gcd \$ \prime ' \lfloor \rfloor
"""
PIECES = st.sampled_from(PIECES_SPACED.split())


@given(answer=st.lists(PIECES, max_size=14).map(" ".join), gold=st.sampled_from(
    ["5", "x^2-1", "(1, 2)", "1, 2", r"[0, \infty)", r"\frac12", "0.25", r"y = 2x", "B", "yes"]
))  # fmt: skip
@example(gold="5", answer=r"\text{or} * \text{or}")  # one unit, joined by a sign that stays
@example(gold="5", answer="\N{MIDDLE DOT}\N{DIGIT ZERO FULL STOP}")  # int() reads no such digit
@settings(max_examples=500, deadline=None)
def test_no_answer_raises_and_cleaning_twice_changes_nothing(gold: str, answer: str) -> None:
    cleaned = clean(answer)
    assert clean(cleaned) == cleaned
    if not size_fault(cleaned):
        assert status(gold, answer) in (None, *Status)
