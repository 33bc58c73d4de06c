"""Names that users bring from other trainers lead to ours, and ours exist."""

from __future__ import annotations

import re

import pytest

from reasonrl.errors import ConfigError
from reasonrl.recipe import Recipe
from reasonrl.recipe.keys import OTHER_NAMES, unknown_keys
from reasonrl.recipe.toml import load_recipe
from tests.e2e.support import RECIPES
from tests.e2e.support import reasonrl_here as here


@pytest.mark.parametrize("ours", sorted(set(OTHER_NAMES.values())))
def test_a_name_of_ours_is_a_key_of_a_recipe(ours: str) -> None:
    for dotted in re.findall(r"\b[a-z]+\.[a-z_]+\b", ours.replace("docs/own-reward.md", "")):
        table, key = dotted.split(".")
        assert not list(unknown_keys(Recipe, {table: {key: 1}})), dotted


@pytest.mark.parametrize("theirs", sorted(OTHER_NAMES))
def test_no_name_of_theirs_hides_a_key_of_ours(theirs: str) -> None:
    assert theirs not in Recipe.model_fields


@pytest.mark.parametrize(
    ("override", "ours"),
    [
        ("num_generations=8", "rollout.group_size"),
        ("rollout.n_rollouts=8", "a known key"),
        ("update.lr=1e-6", "update.learning_rate"),
        ("epochs=3", "steps of a [[stage]]"),
        ("reward_funcs=['x']", "[[reward]] tables, see docs/own-reward.md"),
        ("rollout.Max_Completion_Length=9", "rollout.max_new_tokens"),
    ],
)
def test_the_message_names_ours(override: str, ours: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe(RECIPES / "tiny.toml", [override])
    assert ours in str(caught.value)


def test_version_and_short_help() -> None:
    assert here("--version").stdout.startswith("reasonrl ")
    assert "Usage" in here("-h").stdout
    assert "RECIPE" in here("train", "-h").stdout
