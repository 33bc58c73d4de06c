"""The card of an export says what its run's files say, and where the model's limits are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from reasonrl.evaluation.score import SuiteResult
from reasonrl.recipe.toml import load_recipe
from reasonrl.report.card import CardFacts, render_card
from reasonrl.run.problem_sets import ProblemSet
from tests.e2e.support import RECIPES
from tests.unit.report.support import problem, suite_result


def problem_set(use: str, digest: str) -> ProblemSet:
    source = {"type": "file", "path": "/home/me/train.jsonl", "limit": 5}
    return ProblemSet(use=use, sources=(source,), n=5, problems=digest, prompts="")


TEST_HALF = ProblemSet(
    use="stage s", sources=({"type": "gsm8k", "split": "test"},), n=5, problems="x", prompts=""
)


def scored(score: float, *, step: int, right: Iterable[int]) -> SuiteResult:
    problems = [problem(f"p{number}", n) for number, n in enumerate(right)]
    return suite_result(score, step=step, problems=problems)


BEFORE = scored(0.25, step=0, right=[1] * 8)
AFTER = scored(0.75, step=4, right=[3] * 8)
FACTS = CardFacts(
    name="mine",
    base="base",
    hub_id="me/base",
    license="mit",
    recipe=load_recipe(RECIPES / "tiny.toml", []),
    steps=4,
    is_finished=True,
    train_wall_s=200.0,
    version="0.1",
    evaluations=(BEFORE, AFTER),
    others=(),
    benchmarks=frozenset({"aime24"}),
    data=(problem_set("stage short", "one"), problem_set("suite heldout", "two")),
    needs_files=False,
    has_curves=True,
    checked=8,
)


def test_a_finished_run_is_told_from_a_checkpoint_of_it() -> None:
    assert "The end of the run: 4 steps in 3 min 20 s of training" in render_card(FACTS)
    planned = sum(stage.steps for stage in FACTS.recipe.stage)
    part = render_card(replace(FACTS, is_finished=False))
    assert f"A checkpoint of the run, which plans up to {planned} steps: 4 steps" in part


def test_results_are_before_and_after_and_paired_by_problem() -> None:
    card = render_card(FACTS)
    row = next(line for line in card.splitlines() if line.startswith("| heldout |"))
    assert "| 25.0 [20.0, 30.0] | 75.0 [70.0, 80.0] |" in row
    assert "- heldout: gain 50.0 points" in card


def test_an_evaluation_outside_the_run_counts_only_where_the_run_has_none() -> None:
    same, other = suite_result(0.8, step=9), suite_result(0.3, step=9, suite="aime24")
    facts = replace(FACTS, others=(same, other))
    assert facts.own == [AFTER]
    assert facts.new == [other]
    assert "public benchmark" in render_card(FACTS)
    assert "public benchmark" not in render_card(facts)


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"data": (problem_set("stage s", "x"), problem_set("suite t", "x"))}, "unseen problems"),
        ({"data": (TEST_HALF,)}, "trained on the test half of gsm8k: its scores on gsm8k say"),
        ({"evaluations": (suite_result(0.5, step=4, truncated=0.1),)}, "On heldout 10% of the"),
    ],
)
def test_a_limit_is_told_where_it_exists(changes: dict[str, object], limit: str) -> None:
    assert limit not in render_card(FACTS)
    assert limit in render_card(replace(FACTS, **changes))


def test_folders_of_this_machine_stay_out_of_the_card() -> None:
    card = render_card(FACTS)
    assert "/home/me" not in card
    assert "| stage short | 5 | file train.jsonl limit=5 | `one` |" in card


def test_a_model_from_random_weights_without_results_has_a_card_too() -> None:
    bare = replace(FACTS, base="", hub_id="", evaluations=(), data=(), has_curves=False)
    card = render_card(bare)
    for said in ("from random weights", "was not evaluated", "kept no manifest"):
        assert said in card
    for missing in ("base_model", "model-index", "curves.svg"):
        assert missing not in card
