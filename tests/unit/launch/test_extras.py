"""Libraries that a recipe needs are asked for before a model is fetched."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from reasonrl.errors import ConfigError
from reasonrl.launch import extras
from reasonrl.launch.extras import require_extras
from reasonrl.recipe.toml import load_recipe
from tests.e2e.support import RECIPES

NEEDS = {
    "vllm": ("engine.rollout.type=vllm",),
    "peft": ("model.lora.rank=4",),
    "bitsandbytes": ("optimizer.type=adamw-8bit",),
}


@pytest.mark.parametrize("module", NEEDS)
def test_a_library_that_is_missing_is_named_with_the_way_to_it_and_the_way_round(
    module, monkeypatch
):
    missing = {module}
    monkeypatch.setattr(
        extras, "find_spec", lambda name: None if name in missing else find_spec("json")
    )
    recipe = load_recipe(RECIPES / "tiny.toml", NEEDS[module])
    with pytest.raises(ConfigError, match=rf"{module} is not installed; pip install.*, or "):
        require_extras(recipe)
    missing.clear()
    require_extras(recipe)


def test_a_recipe_that_needs_nothing_asks_for_nothing(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    require_extras(load_recipe(RECIPES / "tiny.toml"))
