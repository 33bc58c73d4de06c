"""Fitting: the remedy that is named makes a recipe fit, and none is named where none exists."""

from dataclasses import replace

import pytest

from reasonrl.planning.fitting import differences, largest_token_budget, remedy
from reasonrl.planning.gpus import GPUS
from reasonrl.planning.layout import layout_of
from reasonrl.planning.memory import stage_memory
from reasonrl.planning.published import SHAPES
from reasonrl.recipe.toml import load_recipe
from tests.e2e.support import RECIPES

SHAPE = SHAPES["deepseek-ai/DeepSeek-R1-Distill-Qwen-32B"]
H800 = GPUS["H800"]


@pytest.fixture(scope="module")
def recipe():
    return load_recipe(RECIPES / "or1-32b.toml", ["engine=gpus-8"])


def test_32b_does_not_fit_on_8_gpus_and_the_named_changes_make_it_fit(recipe):
    layout = layout_of(recipe)
    assert not stage_memory(SHAPE, layout, recipe.stage[1], H800).fits
    fitting = remedy(SHAPE, layout, recipe.stage, H800)
    assert fitting.gpus == 16
    overrides = ["engine=gpus-8", *differences(layout, fitting)]
    changed = load_recipe(RECIPES / "or1-32b.toml", overrides)
    assert layout_of(changed) == fitting
    assert all(stage_memory(SHAPE, fitting, stage, H800).fits for stage in changed.stage)


def test_where_more_splitting_is_enough_no_gpus_are_added():
    recipe = load_recipe(
        RECIPES / "or1-32b.toml",
        ["engine=gpus-64", "engine.token_budget=60000", "engine.rollout.tensor_parallel=1",
         "engine.rollout.replicas=64", "engine.rollout.memory_share=0.7"],
    )  # fmt: skip
    fitting = remedy(SHAPE, layout_of(recipe), recipe.stage, H800)
    assert fitting.gpus == 64
    assert fitting.tensor_parallel == 2
    assert fitting.token_budget < 60_000


def test_no_remedy_is_named_where_one_row_is_too_long(recipe):
    stage = recipe.stage[0]
    rollout = stage.rollout.model_copy(update={"max_new_tokens": 1 << 24})
    endless = stage.model_copy(update={"rollout": rollout})
    assert remedy(SHAPE, layout_of(recipe), [endless], H800) is None


def test_the_largest_budget_fits_and_the_next_does_not():
    recipe = load_recipe(RECIPES / "or1-32b.toml", ["engine=gpus-64"])
    layout, stage = layout_of(recipe), recipe.stage[1]
    budget = largest_token_budget(SHAPE, layout, stage, H800)
    for tokens, fits in ((budget, True), (budget + 1_024, False)):
        changed = replace(layout, token_budget=tokens)
        assert stage_memory(SHAPE, changed, stage, H800).fits is fits


def test_differences_name_every_changed_key_as_a_recipe_does(recipe):
    layout = layout_of(recipe)
    changed = replace(layout, recompute=not layout.recompute, ranks=16, tensor_parallel=8)
    assert differences(layout, changed) == [
        f"engine.recompute={str(not layout.recompute).lower()}",
        "engine.learner.ranks=16",
        "engine.rollout.tensor_parallel=8",
    ]
    assert differences(layout, layout) == []
