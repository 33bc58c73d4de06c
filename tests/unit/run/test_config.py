"""A run's config.toml carries the format of its directory; the last format is still read."""

import tomllib

import pytest
import tomli_w

from reasonrl.errors import CheckpointError, ConfigError
from reasonrl.recipe import RayEngineConfig
from reasonrl.recipe.toml import dump_recipe, engine_names, is_eval_recipe, load_recipe
from reasonrl.run.config import read_config, write_config
from tests.e2e.support import RECIPES

TINY = load_recipe(RECIPES / "tiny.toml")


def test_a_written_config_carries_its_format_and_is_read_back(tmp_path):
    write_config(tmp_path, TINY)
    assert tomllib.loads((tmp_path / "config.toml").read_text())["format"] == 1
    assert read_config(tmp_path) == TINY
    assert load_recipe(tmp_path / "config.toml") == TINY  # it serves as a recipe, too


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_comes_back_from_a_runs_config(path, tmp_path):
    if is_eval_recipe(path) or "stage" not in tomllib.loads(path.read_text()):
        pytest.skip("trains nothing")
    engines = engine_names(path)
    recipe = load_recipe(path, [f"engine={engines[0]}"] if engines else [])
    write_config(tmp_path, recipe)
    assert read_config(tmp_path) == recipe


def test_a_change_of_all_stages_reaches_the_stages_of_a_runs_config(tmp_path):
    changes = ["stage.2.update.clip_high=0.3", 'stage.2.entropy.mode="report"']
    write_config(tmp_path, load_recipe(RECIPES / "tiny.toml", changes))
    changed = ["update.learning_rate=0.5", "update.clip_high=0.4", "entropy.maximum=0.02"]
    first, second = read_config(tmp_path, changed).stage
    assert (first.update.learning_rate, second.update.learning_rate) == (0.5, 0.5)
    assert (first.update.clip_high, second.update.clip_high) == (0.4, 0.3)
    plain = load_recipe(RECIPES / "tiny.toml", changes).stage[1].entropy
    assert first.entropy.maximum == 0.02
    assert second.entropy == plain


def test_a_config_of_release_0_1_0_is_read(tmp_path):
    """It had no format, and held the defaults of a cluster for a local engine."""
    tables = tomllib.loads(dump_recipe(TINY))
    ray = RayEngineConfig().model_dump(mode="json")
    tables["engine"] = {**ray, "type": "local", **{"threads": 1}}
    for restarts in (3, 5):  # the key meant nothing to a local engine
        tables["engine"]["restarts"] = restarts
        (tmp_path / "config.toml").write_text(tomli_w.dumps(tables))
        assert read_config(tmp_path).engine == TINY.engine.model_copy(update={"threads": 1})


def test_a_key_of_a_cluster_that_a_person_wrote_stays_and_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    tables = tomllib.loads(dump_recipe(TINY))
    tables["engine"] = {"type": "local", "restarts": 3}
    path.write_text(tomli_w.dumps(tables))
    with pytest.raises(ConfigError, match=r"unknown key 'engine\.restarts'"):
        load_recipe(path)


def test_a_newer_format_is_refused(tmp_path):
    (tmp_path / "config.toml").write_text(f"format = 2\n{dump_recipe(TINY)}")
    with pytest.raises(ConfigError, match="format = 2; expected format = 1"):
        read_config(tmp_path)


def test_a_directory_without_a_run_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="no run here"):
        read_config(tmp_path)
