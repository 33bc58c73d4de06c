"""The words of a problem: the same for all ways to typeset it, others for another problem."""

import pytest

from reasonrl.curation.likeness.words import words


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (r"Find $\dfrac12$.", r"find \(\frac{1}{2}\)"),
        (r"$\tfrac{ab}{c}$", r"$\frac{ab}{c}$"),
        (r"Let $\left( x, y \right)$ be", r"Let $(x,\, y)$ be"),
        (r"$x^{2}+y^{10}$", r"$x^2 + y^{10}$"),
        ("x\u00b2 + 1", "$x^2+1$"),
        (r"$1{,}000$ apples", "1,000 apples"),
        (r"$n \leq 5$", r"$n\le5$"),
        (r"$60^\circ$", r"$60^{\circ}$"),
        (r"$60\degree$", "60\u00b0"),
        (r"$1,2,\ldots,n$", "1, 2, ..., n"),
        (r"a \text{ positive } integer", "a positive integer"),
        (r"costs \$5", "costs $5"),
        ("a five-digit number", "a five digit number"),
        ("Natalia\u2019s clips \u2013 all of them", "Natalia's clips - all of them"),
        (r"\sqrt2", r"\sqrt{2}"),
        (r"\dbinom{16}{15}", r"{16 \choose 15}"),
        (r"\$8,\!000", "8000"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\left( \begin{matrix}1\\2\end{matrix} \right)"),
        ("\ufeffWhat\u200b now!", "what now"),
        (r"$k^{}_{}$ is", "$k$ is"),
        ("What is\n\n   x?", "what is x"),
        ("$f'(x)$", r"$f^{\prime}(x)$"),
        (r"$\frac{x+1}{2}$", r"$\dfrac{x + 1}2$"),
        ("**Find** $x_{12}$", "find $x_{ 12 }$"),
        (r"$\{1, 2\}$", r"$\left\{1,2\right\}$"),
    ],
)
def test_typesetting_changes_no_word(one, two):
    assert words(one) == words(two)


@pytest.mark.parametrize(
    "label",
    [
        "12. ", "Problem 3. ", "Problem 3: ", "Question 5) ", "**Exercise 2.3** ", "Q7: ", "(4) ",
        "1. (15 points) ", "[AIME 1987 #4] ", "Example 3 ", "#8 ", "[b]p5.[/b] ",
    ],
)  # fmt: skip
def test_labels_are_no_words(label):
    text = "Find the largest prime number below one hundred."
    assert words(label + text) == words(text)


@pytest.mark.parametrize("note", [" (8 points)", " (1995 AIME, Problem 3)", " [HMMT 2008 Algebra]"])
def test_notes_at_the_end_are_no_words(note):
    text = "Find the largest prime number below one hundred"
    assert words(text + note) == words(text)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("2(x+1)", "2x+1"),
        ("x^2 + 3", "x^3 + 3"),
        ("3 + 5", "3 - 5"),
        ("an even number", "an odd number"),
        ("2 apples and 3 pears", "3 apples and 2 pears"),
        ("1.5 litres", "15 litres"),
        ("2. 5 apples cost", "2. 6 apples cost"),
        ("f(2)", "f(3)"),
        ("divisors of $6!$", "divisors of 6"),
        ("n! > 5", "n > 5"),
        ("9!!", "9!"),
        (r"$2^{x+1}=8$", "$2^x+1=8$"),
        (r"$\sqrt{x+3}=5$", r"$\sqrt{x}+3=5$"),
        (r"$\frac{1}{x+2}$", r"$\frac{1}{x}+2$"),
        ("$a_{n+1}=3a_n$", "$a_n+1=3a_n$"),
        ("$f'(2)$", "$f(2)$"),
        ("$f''(2)$", "$f'(2)$"),
        ("$x-y$", "$x y$"),
        ("2\u2075", "25"),
        ("2\u2075 is", "2\u2077 is"),
        ("costs $.75", "costs $75"),
        ("2**3", "2 3"),
        ("the point (1,100)", "the number (1100)"),
        ("(5)(4)(3)x=120 has a root", "x=120 has a root"),
        (r"\sin x", r"\cos x"),
        ("2023 points lie on a circle of radius 5", "2024 points lie on a circle of radius 5"),
    ],
)
def test_what_changes_a_problem_changes_its_words(one, two):
    assert words(one) != words(two)


@pytest.mark.parametrize("text", ["", " ", "\\", "$", "12.", "(1)", "\\" * 50, "{" * 9_999])
def test_any_text_has_words_or_none(text):
    assert isinstance(words(text), list)
