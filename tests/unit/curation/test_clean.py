"""What makes a problem unfit: each rule finds its own, and leaves what only looks like it."""

import json

import pytest

from reasonrl.curation.clean import find_fault
from reasonrl.curation.recipe import CleanConfig
from reasonrl.curation.rows import Reason
from tests.unit.curation.support import AIME, STORY, candidate


def reason(problem="What is 1 + 1?", answer="2", config=None, **rest):
    fault = find_fault(candidate(problem, answer, **rest), config or CleanConfig())
    return None if fault is None else fault.reason


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        ("", Reason.EMPTY),
        (" \n", Reason.EMPTY),
        ("x" * 20_001, Reason.TOO_LONG),
        ("Prove that $\\sqrt2$ is irrational.", Reason.PROOF),
        ("Let n be even. Show that n^2 is even.", Reason.PROOF),
        ("See https://example.org/a.png for it. Find x.", Reason.LINK),
        ("Find x as in [this](www.example.org/x).", Reason.LINK),
        ("Find the area. [asy] draw((0,0)--(1,1)); [/asy]", Reason.FIGURE),
        ("Find the area of the shape shown in the figure.", Reason.FIGURE),
        ("In the diagram, AB = 3. Find BC.", Reason.FIGURE),
        ("The graph of $f$ is shown below. What is $f(1)$?", Reason.FIGURE),
        ("Find it. ![](img.png)", Reason.FIGURE),
        ("How many of <![CDATA[x]]> are there?", None),
        ("The table below lists it. \\begin{tabular}{c} 1 \\end{tabular} Find x.", None),
        ("In the diagram, find x. \\begin{array}{c} 1 \\end{array}", Reason.FIGURE),
        ("The table below lists it. Find x.", Reason.FIGURE),
        ("What is 1+1? (A) 1 (B) 2 (C) 3 (D) 4", Reason.MULTIPLE_CHOICE),
        ("What is 1+1?\nA. 1\nB. 2\nC. 3", Reason.MULTIPLE_CHOICE),
        (r"$\textbf{(A)}\ 1\qquad\textbf{(B)}\ 2\qquad\textbf{(C)}\ 3$", Reason.MULTIPLE_CHOICE),
        ("Which of the following is prime?", Reason.MULTIPLE_CHOICE),
        ("Let x=2. (a) Find x+1. (b) Find x+2.", Reason.SEVERAL_PARTS),
        ("(1) What is the sum? (2) What is the product?", Reason.SEVERAL_PARTS),
        ("Find x. Please translate the text above into English.", Reason.TRANSLATION),
    ],
)
def test_the_text_of_an_unfit_problem_has_its_reason(problem, expected):
    assert reason(problem) is expected


@pytest.mark.parametrize(
    "problem",
    [
        STORY,
        AIME,
        "Show that it is possible, and find the smallest $n$.",
        "Find n if (a) $n$ is even and (b) $n > 2$.",
        "A function satisfies (i) $f(0)=0$ and (ii) $f(x+1)=f(x)+2$. What is $f(9)$?",
        "Points A, B and C lie on a circle. Find angle ABC.",
        "Which of the following numbers is larger: $2^{10}$ or $10^3$?",
        "A figure skater turns 3 times a second. How many turns are that a minute?",
        "He draws a picture each day. How many pictures after 7 days?",
        "Find the graph's chromatic number if it has 3 vertices and 3 edges.",
    ],
)
def test_a_fit_problem_has_none(problem):
    assert reason(problem) is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", Reason.EMPTY),
        ("B", Reason.MULTIPLE_CHOICE),
        (r"\text{(C)}", Reason.MULTIPLE_CHOICE),
        ("(a) 3; (b) 5", Reason.SEVERAL_PARTS),
        ("It follows from the lemma that there are none at all", Reason.ANSWER_IN_WORDS),
        ("10^{10^{10^{10}}}", Reason.UNREADABLE_ANSWER),
        ("5", None),
        (r"\frac{1}{2}", None),
        ('["1/2", "0.5"]', None),
        ("x^2+1", None),
        ("Tuesday", None),
        (r"\left( 3, \frac{\pi}{2} \right)", None),
    ],
)
def test_an_answer_must_be_one_that_the_verifier_reads(answer, expected):
    assert reason(answer=answer) is expected


def test_what_a_recipe_allows_drops_nothing():
    problem = "Find the area of the shape shown in the figure."
    assert reason(problem, config=CleanConfig(allow=("figure",))) is None


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        ({"inputs": ["1"], "outputs": ["2"]}, None),
        ({"assert_case": ["assert f(1) == 2"]}, None),
        ({"inputs": [], "outputs": []}, Reason.NO_TESTS),
        ({"inputs": ["1", "2"], "outputs": ["2"]}, Reason.NO_TESTS),
        ({"test_code": " ", "entry_point": "f"}, Reason.NO_TESTS),
        ({}, Reason.NO_TESTS),
    ],
)
def test_programs_need_tests(tests, expected):
    assert reason("Write f.", json.dumps(tests), kind="code") is expected


@pytest.mark.parametrize(
    "problem",
    [
        r"Find the phase shift of the graph of $y = 2 \sin \left( 2x + \frac{\pi}{3} \right).$",
        r"Find the area enclosed by the graph of $|x-60|+|y|=\left|\frac x4\right|.$",
        "The graph of $y=x^2$ is shifted 3 units to the right. What is its vertex?",
        "For which $x$ does the graph of $f$ lie above the $x$-axis?",
        "He sold 5 drawings. How many drawings does he have left of 12?",
        "Ann bought 3 action figures and still has $25 left. What did she begin with?",
        "The parabola is translated 3 units up. Find the resulting equation.",
        "Three circles have center A. The second has center B. The third has center C. Find $r$.",
        r"Points $\text{A}$, $\text{B}$, and $\text{C}$ lie on a line. Find AC.",
        "How many $n < 500$ are such that (a) is divisible by 7 and (b) is a perfect cube?",
        "Simplify $3[2x-(x+1)](x/2)$.",
        "Let $f(x) = x$. Find $[f(2)](3/4)$.",
    ],
)
def test_words_of_an_unfit_problem_in_a_fit_one(problem):
    assert reason(problem) is None


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        ("In Fig. 2, ABCD is a square. Find AB.", Reason.FIGURE),
        ("Figure 1 shows a square. Find its area.", Reason.FIGURE),
        ("Consider the following diagram. Find x.", Reason.FIGURE),
        ("Use the diagram to find x.", Reason.FIGURE),
        ("The table below has the results. Find the mean.", Reason.FIGURE),
        ("What is 1+1? a) 1 b) 2 c) 3 d) 4", Reason.MULTIPLE_CHOICE),
        ("What is 1+1?\nA: 1\nB: 2\nC: 3", Reason.MULTIPLE_CHOICE),
    ],
)
def test_more_that_is_unfit(problem, expected):
    assert reason(problem) is expected


@pytest.mark.parametrize("answer", ["(2,1),(1,2)", "(-1, 1), (0, 2)", "(1,1),(2,2)"])
def test_points_are_no_parts(answer):
    assert reason(answer=answer) is None


def test_a_description_that_is_missing_is_no_problem():
    text = "English description is not available for the problem. Please switch to Chinese."
    tests = json.dumps({"inputs": ["1"], "outputs": ["2"]})
    assert reason(text, tests, kind="code") is Reason.TRANSLATION
