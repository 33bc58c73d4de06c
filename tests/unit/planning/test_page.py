"""The tables of docs/planning.md: GPUs, models and the plans of the report's recipes."""

import re

import pytest

from reasonrl.planning.configs import shape_of
from reasonrl.planning.gpus import GIB, GPUS, gpu_of
from reasonrl.planning.plan import plan
from reasonrl.planning.published import SHAPES
from reasonrl.recipe.toml import load_recipe
from tests.e2e.support import RECIPES, REPOSITORY

PAGE = (REPOSITORY / "docs" / "planning.md").read_text()
PLANS = re.findall(r"^\| `(or1-[^`]+)` \| `([^`]+)`( \(141 GB\))? \| (.*) \|$", PAGE, re.MULTILINE)


def section(title):
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_every_gpu_of_the_table_is_on_the_page_beside_its_size_and_no_other():
    rows = re.findall(r"^\| ([\d, ]+) \| (.*) \|$", section("Which GPUs"), re.MULTILINE)
    named = {name for _, names in rows for name in re.split(r"[,;] ", names)}
    assert named == GPUS.keys()
    for sizes, names in rows:
        groups = names.split("; ")
        for name in re.split(r"[,;] ", names):
            assert f"{gpu_of(name).nominal_gb:g}" in sizes.split(", ")
        assert len(groups) <= len(sizes.split(", "))


@pytest.mark.parametrize(("name", "block", "is_large", "cells"), PLANS)
def test_a_row_of_the_reports_recipes_is_the_plan_of_today(name, block, is_large, cells):
    recipe = load_recipe(RECIPES / f"{name}.toml", [f"engine={block}"])
    gpu = GPUS["H200" if is_large else "H800"]
    made = plan(recipe, shape_of(recipe.model.name), gpu)
    peak = max(stage.memory.peak_bytes for stage in made.stages) / GIB
    steps = ", ".join(f"{stage.time.total_s:,.0f}" for stage in made.stages)
    assert cells == f"{peak:.1f} | {steps} | {made.hours:,.0f} | {made.gpu_hours:,.0f}"


_PAIR = r" \| (\S+/\S+) \| (?:`([^|]*)`|none)"
_ROWS = re.findall(rf"^\| ([^|]+){_PAIR}{_PAIR} \|$", PAGE, re.MULTILINE)
LORA = ("model.lora.rank=16",)
CARDS = [
    (card, *pair)
    for card, model, settings, small, others in _ROWS
    for pair in (((), model, settings), (LORA, small, others))
]
FAMILIES = ("HuggingFaceTB/SmolLM2-", "Qwen/Qwen2.5-", "Qwen/Qwen3-", "meta-llama/Llama-3.2-")


def plan_on(card, model, more):
    """Return the plan of a recipe as the page describes it, for one card and one model."""
    tokens = [f"stage.{number}.rollout.max_new_tokens=2048" for number in (1, 2)]
    overrides = ["engine.device=cuda", "engine.compute=bfloat16", f"model.name={model}"]
    recipe = load_recipe(RECIPES / "quickstart.toml", [*overrides, *tokens, *more])
    return plan(recipe, shape_of(model), gpu_of(card))


@pytest.mark.parametrize(("card", "more", "model", "settings"), CARDS)
def test_a_card_has_the_largest_model_that_is_planned_to_fit(card, more, model, settings):
    assert plan_on(card, model, more).changes == settings.split()
    larger = {
        name: shape
        for name, shape in SHAPES.items()
        if name.startswith(FAMILIES) and shape_of(model).parameters < shape.parameters < 33e9
    }
    assert all(plan_on(card, name, more).fitting is None for name in larger)


def test_the_tables_of_cards_and_recipes_are_there():
    assert len(CARDS) == 2 * 7
    assert len(PLANS) == 11
