"""The grading policy of docs/verifiers.md, case by case. Expected statuses are by hand."""

from __future__ import annotations

import pytest

from reasonrl.types import FAILED_STATUSES, Kind, Status, StopReason, Task
from reasonrl.verify import Verifier

CORRECT, WRONG = Status.CORRECT, Status.WRONG

BOXED = [
    # integers, decimals, fractions
    ("15625", "15625", CORRECT),
    ('["15625"]', "15{,}625", CORRECT),
    ('["15625"]', "15624", WRONG),
    ('["1/2", "0.7"]', r"\frac{7}{10}", CORRECT),
    ("1000", r"1\,000", CORRECT),
    ("1000", "1 000", CORRECT),
    ("1234567", "$1,234,567$", CORRECT),
    ("-5", "\u22125", CORRECT),
    ("42", "42.", CORRECT),
    ("42", r"\boxed{42}", CORRECT),
    ("320000", "3.2e5", CORRECT),
    ("320000", r"3.2 \times 10^{5}", CORRECT),
    (r"\frac{7}{2}", r"3\frac{1}{2}", CORRECT),
    (r"\frac{1}{3}", r"\dfrac13", CORRECT),
    (r"\frac{1}{3}", "\u2153", CORRECT),
    (r"\frac{1}{3}", r"0.\overline{3}", CORRECT),
    (r"\frac{1}{3}", "0.33", WRONG),
    (r"\frac{1}{3}", "0.3333333333333333", WRONG),
    (r"\sqrt{2}", "1.41421356237309504880168872420969807857", WRONG),
    ("0.3333", r"\frac{1}{3}", CORRECT),
    ("1.4142", r"\sqrt{2}", CORRECT),
    ("3.14", r"\pi", WRONG),
    ("99999.5", "99999", WRONG),
    # units and signs may be dropped, not converted
    ("50", r"50\%", CORRECT),
    (r"50\%", "50", CORRECT),
    (r"50\%", "0.5", WRONG),
    ("5", r"5 \text{ cm}", CORRECT),
    (r"5 \text{ cm}", r"5\text{ centimeters}", CORRECT),
    (r"5 \text{ cm}", r"5 \text{ m}", WRONG),
    (r"5 \text{ cm}", r"0.05 \text{ m}", WRONG),
    (r"30^\circ", "30", CORRECT),
    ("18", r"\$18", CORRECT),
    ("5", "5 million", Status.WRONG),
    # equal values
    ("1024", "2^{10}", CORRECT),
    ("1024", "2^{11}", WRONG),
    ("120", "5!", CORRECT),
    ("10", r"\binom{5}{2}", CORRECT),
    ("3", r"\log_2 8", CORRECT),
    ("-1", r"e^{i\pi}", CORRECT),
    ("3+4i", "4i+3", CORRECT),
    ("2^{2024}", "4^{1012}", CORRECT),
    (r"\frac{1}{2004!}", r"\frac{1}{2006!}", WRONG),
    ("0", r"\frac{1}{2006!}", WRONG),
    ("0", r"\sqrt{2}\sqrt{3}-\sqrt{6}", CORRECT),
    (r"\frac{\sqrt{3}}{3}", r"\frac{1}{\sqrt{3}}", CORRECT),
    (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}", CORRECT),
    (r"\frac{\pi}{4}", r"0.25\pi", CORRECT),
    ("(x+1)^2", "x^2+2x+1", CORRECT),
    ("2x+1", "2y+1", WRONG),
    # equations and chains
    ("5", "x = 5", CORRECT),
    ("x=5", "5", CORRECT),
    ("x=5", "y=5", WRONG),
    ("5", "f(2) = a_{10} = 5", CORRECT),
    ("15", "3x = 15", WRONG),
    ("ab", "x = ab", CORRECT),
    ("42", "41 = 42", WRONG),
    ("8", "3 + 5 = 8", CORRECT),
    (r"\sqrt{2}", r"x = \sqrt{2} \approx 1.414", CORRECT),
    # hedges
    ("5", r"5 \text{ or } 7", Status.AMBIGUOUS),
    ("5", "5, 7", Status.AMBIGUOUS),
    ("5", r"\pm 5", Status.AMBIGUOUS),
    ("5", "[4, 6]", Status.AMBIGUOUS),
    # lists, tuples, intervals, matrices
    ("1,2", "2, 1", CORRECT),
    ("1,2", "x=1, x=2", CORRECT),
    ("1,2", "1", WRONG),
    (r"\{1,2\}", r"2 \text{ and } 1", CORRECT),
    ("(1,2)", "(2,1)", WRONG),
    ("(1,2),(3,4)", "(3,4),(1,2)", CORRECT),
    (r"x \le 5", r"(-\infty, 5]", CORRECT),
    (r"(-\infty, 5]", "x \u2264 5", CORRECT),
    ("[1,2)", r"1 \le x < 2", CORRECT),
    ("[1,2)", r"1 \le x \le 2", WRONG),
    (
        r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}",
        r"\begin{bmatrix}1&2\\3&4\end{bmatrix}",
        CORRECT,
    ),
    # left unevaluated, or in another base
    ("12", r"\int_0^{12} 1 dx", Status.UNEVALUATED),
    ("6", r"\gcd(12, 18)", Status.UNEVALUATED),
    ("55", r"\sum_{k=1}^{10} k", Status.UNEVALUATED),
    ("11", "1011_2", WRONG),
    ("1011_2", "1011_3", WRONG),
    # text and choices
    ("B", r"\text{(B)}", CORRECT),
    ("B", r"\textbf{(B)}\ 12", CORRECT),
    ("B", "C", WRONG),
    ("B", "(B), (C)", Status.AMBIGUOUS),
    (r"\text{Tuesday}", "tuesday", CORRECT),
    # bombs and injections
    ("5", "9^{9^{9}}", Status.TOO_LARGE),
    ("5", "((9^9)^{99})^{999}", Status.TOO_LARGE),
    ("5", "100000!", Status.TOO_LARGE),
    ("5", r"\binom{10^9}{5\cdot 10^8}", Status.TOO_LARGE),
    ("5", "10^{-100000000}", Status.TOO_LARGE),
    ("5", "9" * 3_000, Status.TOO_LARGE),
    ("5", "1+" * 50_000 + "1", Status.TOO_LARGE),
    ("5", "(" * 100 + "5" + ")" * 100, Status.TOO_LARGE),
    ("2", "__import__('os').getpid()", Status.UNPARSABLE),
    # boxes and golds that hold nothing
    ("5", "", Status.EMPTY_BOX),
    ("5", r"\,", Status.EMPTY_BOX),
    ("", "5", Status.GOLD_UNPARSABLE),
    (r"\frac{1}{", r"\frac{2}{3}", Status.GOLD_UNPARSABLE),
]


def math(gold: str) -> Task:
    return Task(kind=Kind.MATH, answer=gold)


@pytest.mark.parametrize(("gold", "answer", "status"), BOXED)
def test_a_boxed_answer_gets_the_status_of_the_policy(
    verifier: Verifier, gold: str, answer: str, status: Status
) -> None:
    verdict = verifier.verify(math(gold), f"Hence the answer is $\\boxed{{{answer}}}$.")

    assert verdict.status is status, verdict
    if status in FAILED_STATUSES:
        assert verdict.reward is None
    else:
        assert verdict.reward == float(status is CORRECT)


@pytest.mark.parametrize(
    ("gold", "response", "status"),
    [
        ("8", "3 + 5 = 8.", CORRECT),
        ("8", "8", CORRECT),
        ("8", "The answer is 8", CORRECT),
        ("8", "**8**", CORRECT),
        ("-3", "x = -3", CORRECT),
        ("3", "8 - 5 is 3", CORRECT),
        ("8", "3 + 5 = 9", WRONG),
        ("2", r"It is \frac{1}{2}", WRONG),
        ("10", "It is 2^10", Status.NO_ANSWER),
        ("8", "I do not know", Status.NO_ANSWER),
        (r"\sqrt{2}", "It is 1.414", Status.NO_ANSWER),
    ],
)
def test_without_a_box_the_final_number_counts_if_asked_for(
    gold: str, response: str, status: Status
) -> None:
    with Verifier(unboxed=True) as lenient, Verifier() as strict:
        assert lenient.verify(math(gold), response).status is status
        assert strict.verify(math(gold), response).status is Status.NO_ANSWER


@pytest.mark.parametrize(
    ("gold", "response", "status"),
    [
        ("5", r"\boxed{5", Status.NO_ANSWER),
        ("5", r"5 \boxed{}", Status.EMPTY_BOX),
        ("5", r"The answer is 5. \boxed{6}", WRONG),
        ("5", r"\boxed{6} I mean \boxed{5}", CORRECT),
        ("5", r"\boxed{5} I mean \boxed{6", CORRECT),
        ("5", r"<think>\boxed{5}", Status.TRUNCATED),
        ("5", r"<think>\boxed{5}</think> Done.", Status.NO_ANSWER),
        ("5", r"\boxed{6}</think>\boxed{5}", CORRECT),
        ("5", r"<think>a</think>\boxed{5}<think>", Status.TRUNCATED),
        ("5", "", Status.NO_ANSWER),
    ],
)
def test_a_response_gets_the_status_of_the_policy(
    verifier: Verifier, gold: str, response: str, status: Status
) -> None:
    assert verifier.verify(math(gold), response).status is status


def test_a_response_cut_off_by_the_limit_is_truncated_even_if_right(verifier: Verifier) -> None:
    verdict = verifier.verify(math("5"), r"\boxed{5}", stop_reason=StopReason.LENGTH)

    assert (verdict.status, verdict.reward) == (Status.TRUNCATED, 0.0)


def test_a_gold_too_large_to_evaluate_still_accepts_its_own_spelling(verifier: Verifier) -> None:
    assert verifier.verify(math("9^{9^9}"), r"\boxed{9^{9^9}}").status is CORRECT
    assert verifier.verify(math("9^{9^9}"), r"\boxed{7}").reward is None
