"""Recipes by name: what is a path, what is a name, and where the paths inside a recipe start."""

from pathlib import Path

import pytest

from reasonrl.errors import ConfigError
from reasonrl.recipe.named import SHIPPED, recipe_path, shipped_recipes
from reasonrl.recipe.toml import load_recipe, read_tables
from tests.conftest import REPOSITORY
from tests.e2e.support import reasonrl_here


@pytest.mark.parametrize("argument", ["mine.toml", "./mine", "runs/a/config.toml", "tiny.toml"])
def test_an_argument_with_a_slash_or_the_ending_is_a_path(argument):
    assert recipe_path(argument) == Path(argument)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("tiny", "tiny.toml"),
        ("quickstart", "quickstart.toml"),
        ("or1-7b", "or1-7b.toml"),
        ("or1-1.5b", "or1-1.5b.toml"),
        ("eval-or1", "eval-or1.toml"),
        ("gsm8k", "data/gsm8k.toml"),
    ],
)
def test_anything_else_is_the_name_of_a_shipped_recipe(name, file):
    assert recipe_path(name) == SHIPPED / file
    assert (SHIPPED / file).is_file()


def test_every_shipped_file_has_a_name_of_its_own_that_the_recipe_repeats():
    files = list(SHIPPED.rglob("*.toml"))
    assert len(shipped_recipes()) == len(files)
    for name, path in shipped_recipes().items():
        assert read_tables(path)["name"] == name


def test_an_unknown_name_is_refused_with_the_nearest_and_all_that_exist():
    with pytest.raises(ConfigError) as caught:
        recipe_path("quikstart")
    text = str(caught.value)
    assert "no shipped recipe is named 'quikstart'" in text
    assert "did you mean quickstart?" in text
    assert "quikstart.toml" in text
    assert all(name in text for name in shipped_recipes())


@pytest.mark.parametrize("argument", ["", "zzzzzz"])
def test_a_name_like_no_other_gets_no_guess(argument):
    with pytest.raises(ConfigError) as caught:
        recipe_path(argument)
    assert "did you mean" not in str(caught.value)
    assert ".toml" in str(caught.value)


def test_the_paths_of_a_shipped_recipe_start_at_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sources = load_recipe(recipe_path("or1-7b")).data.sources
    assert {source.path.parent for source in sources} == {tmp_path / "data"}
    through_link = load_recipe(REPOSITORY / "recipes" / "or1-7b.toml").data.sources
    assert through_link == sources


def test_the_paths_of_a_recipe_that_extends_a_shipped_one_start_at_their_own_files(
    tmp_path, monkeypatch
):
    directory = tmp_path / "mine"
    directory.mkdir()
    child = directory / "child.toml"
    child.write_text(
        f'extends = "{SHIPPED / "or1-7b.toml"}"\nname = "child"\n'
        '[[suite]]\nname = "own"\nsources = [{ type = "file", path = "own.jsonl" }]\n'
        "max_new_tokens = 8\n"
    )
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe(child)
    assert recipe.data.sources[0].path.parent == tmp_path / "data"
    assert recipe.suite[0].sources[0].path == directory / "own.jsonl"


def test_the_folder_in_the_root_of_a_clone_is_the_shipped_one():
    assert (REPOSITORY / "recipes").resolve() == SHIPPED


@pytest.mark.parametrize(
    "command",
    [
        ("train", "tinny"),
        ("show-config", "tinny"),
        ("plan", "tinny"),
        ("data", "build", "tinny"),
        ("eval", "tiny", "--recipe", "tinny"),
        ("study", "n-sgd", "--recipe", "tinny"),
    ],
    ids=" ".join,
)
def test_every_command_takes_names_and_refuses_unknown_ones(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = reasonrl_here(*command)
    assert done.returncode == 2
    assert "did you mean tiny?" in done.stderr


def test_a_command_finds_a_shipped_recipe_from_any_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = reasonrl_here("show-config", "quickstart")
    assert done.returncode == 0
    assert 'name = "quickstart"' in done.stdout
    assert reasonrl_here("plan", "or1-7b").returncode == 0
