"""The tables of docs/planning.md: GPUs, models and the plans of the report's recipes."""

import re

import pytest

from reasonrl.planning.configs import shape_of
from reasonrl.planning.gpus import GIB, GPUS, gpu_of
from reasonrl.planning.plan import plan
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


def test_the_table_of_recipes_is_there():
    assert len(PLANS) == 11
