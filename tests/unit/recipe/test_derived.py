"""A derived recipe means what the other recipe means with the same options."""

import tomllib

import pytest

from reasonrl.recipe.derived import derived_recipe
from reasonrl.recipe.named import SHIPPED
from reasonrl.recipe.toml import load_recipe

QUICKSTART, LARGE = SHIPPED / "quickstart.toml", SHIPPED / "or1-32b.toml"


@pytest.mark.parametrize(
    ("recipe", "overrides"),
    [
        (QUICKSTART, []),
        (QUICKSTART, ["engine.token_budget=512", 'engine.device="cuda"']),
        (QUICKSTART, ["stage.2.rollout.max_new_tokens=99", "seed=4"]),
        (QUICKSTART, ['entropy.mode="report"']),
        (QUICKSTART, ["entropy.mode=release", "entropy.delta=0.5"]),
        (QUICKSTART, ["engine.type=ray", "engine.rollout.type=local"]),
        (LARGE, ["engine=gpus-8"]),
        (LARGE, ["engine=gpus-8", "engine.learner.ranks=16", "engine.recompute=false"]),
        (LARGE, ["engine.max_rows=7"]),
        (LARGE, ["engine.type=local"]),
    ],
)
def test_the_file_means_the_recipe_with_the_options(recipe, overrides, tmp_path):
    out = tmp_path / "mine.toml"
    out.write_text(derived_recipe(recipe, overrides, out))
    assert load_recipe(out) == load_recipe(recipe, overrides)


def test_the_file_holds_what_differs_and_no_more(tmp_path):
    text = derived_recipe(LARGE, ["engine=gpus-8", "engine.learner.ranks=16"], tmp_path / "a.toml")
    assert tomllib.loads(text) == {
        "extends": "or1-32b",
        "engine": "gpus-8",
        "engines": {"gpus-8": {"learner": {"ranks": 16}}},
    }


def test_another_mode_of_entropy_takes_the_old_ones_numbers_away_and_still_extends(tmp_path):
    text = derived_recipe(QUICKSTART, ['entropy.mode="report"'], tmp_path / "a.toml")
    assert tomllib.loads(text) == {"extends": "quickstart", "entropy": {"mode": "report"}}


def test_other_keys_that_an_option_takes_away_make_the_file_a_whole_recipe(tmp_path):
    text = derived_recipe(LARGE, ["engine.type=local"], tmp_path / "a.toml")
    assert "extends" not in tomllib.loads(text)


def test_a_recipe_of_ones_own_is_named_by_its_path_from_the_new_file(tmp_path, monkeypatch):
    (tmp_path / "base").mkdir()
    mine = tmp_path / "base" / "mine.toml"
    mine.write_text('extends = "tiny"\nname = "mine"\n')
    out = tmp_path / "out.toml"
    out.write_text(derived_recipe(mine, ["engine.max_rows=3"], out))
    assert tomllib.loads(out.read_text())["extends"] == "base/mine.toml"
    assert load_recipe(out).engine.max_rows == 3
    monkeypatch.chdir(tmp_path / "base")
    assert load_recipe(out).name == "mine"


def test_paths_of_options_start_at_the_current_directory(tmp_path, monkeypatch):
    (tmp_path / "here" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    out = tmp_path / "elsewhere.toml"
    out.write_text(derived_recipe(QUICKSTART, ["model.name=./model"], out))
    assert load_recipe(out).model.name == str(tmp_path / "here" / "model")


def test_a_recipe_may_extend_a_shipped_one_by_name(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "tiny"\nname = "mine"\n')
    assert load_recipe(mine).stage == load_recipe(SHIPPED / "tiny.toml").stage
