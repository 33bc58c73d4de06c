"""Laws of the generators: exact splits, right answers, streams that do not overlap."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonrl.data.sources import GYM_TASKS, Operator, Split, arithmetic_problems, gym_problems
from reasonrl.errors import DataError
from reasonrl.types import Kind, Problem

ALL: tuple[Operator, ...] = ("add", "sub", "mul")


def commuted(problem: Problem) -> str:
    """Return the id with its operands swapped."""
    op, a, b = problem.id.split("-")
    return f"{op}-{b}-{a}"


def test_one_digit_arithmetic_has_191_problems_to_train_on_and_64_held_out() -> None:
    train = arithmetic_problems(operators=ALL)
    heldout = arithmetic_problems(operators=ALL, split="heldout")
    assert (len(train), len(heldout)) == (191, 64)


def test_the_two_sides_share_nothing_and_miss_nothing() -> None:
    train = {p.id for p in arithmetic_problems(operators=ALL)}
    heldout = {p.id for p in arithmetic_problems(operators=ALL, split="heldout")}
    everything = {
        f"{op}-{a}-{b}" for op in ALL for a in range(10) for b in range(10) if op != "sub" or a >= b
    }
    assert not train & heldout
    assert train | heldout == everything


@given(
    operators=st.sets(st.sampled_from(ALL), min_size=1),
    max_operand=st.integers(1, 4),
    split_seed=st.integers(0, 2**64),
    data=st.data(),
)
@settings(deadline=None)
def test_a_split_holds_out_the_exact_number_in_whole_commuted_classes(
    operators: set[Operator], max_operand: int, split_seed: int, data: st.DataObject
) -> None:
    m = max_operand + 1
    total = sum(m * (m + 1) // 2 if op == "sub" else m * m for op in operators)
    heldout = data.draw(st.integers(1, total - 1))

    def side(split: Split) -> list[Problem]:
        return arithmetic_problems(
            operators=sorted(operators),
            max_operand=max_operand,
            split=split,
            heldout=heldout,
            split_seed=split_seed,
        )

    held = side("heldout")
    assert len(held) == heldout
    assert len(side("train")) == total - heldout
    assert {commuted(p) for p in held if p.source != "arithmetic/sub"} <= {p.id for p in held}


def test_every_answer_is_what_python_calculates() -> None:
    for problem in arithmetic_problems(operators=ALL):
        match = re.match(r"What is (\d+ [-+*] \d+)\?", problem.prompt[0].content)
        assert match
        assert problem.answer == str(eval(match[1]))


def test_an_arithmetic_problem_is_named_by_its_operands() -> None:
    # One problem held out is one of a + a, so 3 + 5 is on the other side.
    problems = {p.id: p for p in arithmetic_problems(operators=["add"], heldout=1)}
    problem = problems["add-3-5"]
    assert problem.prompt[0].content == "What is 3 + 5? Answer with just the number."
    assert (problem.answer, problem.source, problem.kind) == ("8", "arithmetic/add", Kind.MATH)


def test_another_split_seed_holds_out_other_problems() -> None:
    first = arithmetic_problems(operators=ALL, split="heldout")
    second = arithmetic_problems(operators=ALL, split="heldout", split_seed=1)
    assert first != second


def test_the_order_of_operators_does_not_change_the_split() -> None:
    assert arithmetic_problems(operators=ALL) == arithmetic_problems(operators=ALL[::-1])


def test_the_split_does_not_depend_on_hash_randomisation() -> None:
    code = (
        "from reasonrl.data.sources import arithmetic_problems as f; "
        "print([p.id for p in f(operators=('add', 'sub', 'mul'), split='heldout')])"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


def test_a_template_shapes_the_prompt() -> None:
    problem = arithmetic_problems(operators=ALL, template="{a} {op} {b} = {{?}}")[-1]
    assert problem.id.startswith("sub-")
    assert problem.prompt[0].content == problem.id[4:].replace("-", " - ") + " = {?}"


@pytest.mark.parametrize("template", ["{a} + {b}", "{a} {op} {b} {c}", "{a} {op} {b} {", "", "{}"])
def test_a_template_without_its_three_names_is_an_error(template: str) -> None:
    with pytest.raises(DataError, match=r"with \{a\}, \{op\} and \{b\}"):
        arithmetic_problems(operators=ALL, template=template)


@pytest.mark.parametrize("heldout", [0, -1, 255, 1000])
def test_each_side_of_a_split_needs_a_problem(heldout: int) -> None:
    with pytest.raises(DataError, match="of 255 problems"):
        arithmetic_problems(operators=ALL, heldout=heldout)


def test_an_unknown_operator_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(DataError, match="did you mean mul"):
        arithmetic_problems(operators=["mult"])  # type: ignore[list-item]


def test_no_operator_is_an_error() -> None:
    with pytest.raises(DataError, match="no operator"):
        arithmetic_problems(operators=[])


def test_an_operand_range_of_one_number_is_an_error() -> None:
    with pytest.raises(DataError, match="max_operand is 0"):
        arithmetic_problems(operators=ALL, max_operand=0)


def test_gym_problems_are_the_same_whatever_was_drawn_before() -> None:
    first = gym_problems("chain_sum", size=5, seed=3, config={})
    random.seed(99)
    assert gym_problems("chain_sum", size=5, seed=3, config={}) == first


def test_neighbouring_gym_seeds_share_no_question() -> None:
    config = {"min_digits": 6, "max_digits": 6}  # wide enough that no two meet by chance
    first, second = (gym_problems("chain_sum", size=50, seed=s, config=config) for s in (0, 1))
    assert not {p.prompt for p in first} & {p.prompt for p in second}


def test_gym_settings_reach_the_task() -> None:
    config = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
    for problem in gym_problems("chain_sum", size=5, seed=0, config=config):
        assert re.search(r": \d [-+] \d =", problem.prompt[0].content)


@pytest.mark.parametrize("task", GYM_TASKS)
def test_every_gym_task_answers_with_one_number(task: str) -> None:
    problems = gym_problems(task, size=3, seed=0, config={})
    assert [p.id for p in problems] == [f"gym-{task}-0-{i}" for i in range(3)]
    assert all(isinstance(Fraction(p.answer), Fraction) and p.kind is Kind.MATH for p in problems)


@pytest.mark.parametrize("task", ["chainsum", "chain_sums"])
def test_an_unknown_gym_task_is_an_error_with_the_nearest_name(task: str) -> None:
    with pytest.raises(DataError, match="did you mean chain_sum"):
        gym_problems(task, size=1, seed=0, config={})


@pytest.mark.parametrize("config", [{"min_termz": 1}, {"min_terms": -1}])
def test_gym_settings_that_do_not_fit_are_an_error(config: dict[str, object]) -> None:
    with pytest.raises(DataError, match="chain_sum refuses its settings"):
        gym_problems("chain_sum", size=1, seed=0, config=config)


def test_size_and_seed_are_not_taken_from_the_gym_config() -> None:
    with pytest.raises(DataError, match="out of config"):
        gym_problems("chain_sum", size=1, seed=0, config={"seed": 4})


def test_a_missing_gym_package_is_an_error_that_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)  # how Python marks "not there"
    with pytest.raises(DataError, match=re.escape('pip install "reasonrl[gym]"')):
        gym_problems("chain_sum", size=1, seed=0, config={})
