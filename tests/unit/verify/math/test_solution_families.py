r"""The declaration of a parameter is dropped, and its name has no meaning."""

from __future__ import annotations

import pytest

from reasonrl.verify.math.parse import parse
from reasonrl.verify.math.solution_families import without_parameters


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"x = k\pi, k \in \mathbb{Z}", r"x = n\pi, n \in \mathbb{Z}"),
        (r"2k + 1, k \in \mathbb{N}", r"2m + 1, m \in \mathbb{N}"),
    ],
)
def test_parameters_of_other_names_are_renamed(gold: str, answer: str) -> None:
    left, right = parse(gold), parse(answer)
    assert left is not None
    assert right is not None

    gold_tree, answer_tree = without_parameters(left, right)

    assert gold_tree == answer_tree == parse(gold.split(",")[0])


@pytest.mark.parametrize("text", ["k, n", "(k, 1)"])
def test_an_answer_without_a_parameter_stays_whole(text: str) -> None:
    gold, answer = parse(r"k\pi, k \in \mathbb{Z}"), parse(text)
    assert gold is not None
    assert answer is not None

    assert without_parameters(gold, answer)[1] == answer
