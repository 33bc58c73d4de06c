"""The manifest: the same on every machine, and refused when it was changed."""

import pytest

from reasonrl.curation.manifest import MANIFEST, read_manifest, write_manifest
from reasonrl.curation.recipe import DataRecipe
from reasonrl.errors import CheckpointError
from reasonrl.recipe.toml import parse


def manifest(directory, root="/home/me", **tables):
    directory.mkdir()
    source = {"type": "gsm8k", "split": "train", "path": f"{root}/gsm8k/train.jsonl"}
    recipe = parse(DataRecipe, {"name": "mine", "source": [source], **tables}, where="recipe")
    return write_manifest(directory, recipe, [])


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"root": "/data/else"},
        {"workers": 32},
        {"difficulty": {"model": "/mnt/models/tiny", "engine": {"threads": 3}}},
    ],
)
def test_paths_and_speed_of_a_machine_do_not_change_the_hash(tmp_path, elsewhere):
    here = {"difficulty": {"model": "~/tiny"}} if "difficulty" in elsewhere else {}
    first, second = manifest(tmp_path / "a", **here), manifest(tmp_path / "b", **elsewhere)
    assert first == second
    assert "/" not in str(first.recipe["source"])


@pytest.mark.parametrize("changed", [{"seed": 1}, {"license": "mit"}, {"dedup": {"near": 0.8}}])
def test_what_decides_the_rows_changes_the_hash(tmp_path, changed):
    assert manifest(tmp_path / "a").hash != manifest(tmp_path / "b", **changed).hash


def test_a_manifest_is_read_back_as_it_was_written(tmp_path):
    written = manifest(tmp_path / "a")
    assert read_manifest(tmp_path / "a") == written


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"name": "mine"', '"name": "yours"', "was changed after the build"),
        ('"steps": []', '"steps": 7', "cannot be read: steps is not as it was"),
        ("{", "", "cannot be read"),
    ],
)
def test_a_manifest_that_was_edited_is_refused(tmp_path, old, new, said):
    manifest(tmp_path / "a")
    path = tmp_path / "a" / MANIFEST
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(CheckpointError, match=rf"{said}.*; rerun reasonrl data build"):
        read_manifest(tmp_path / "a")


def test_a_directory_without_a_manifest_is_not_finished(tmp_path):
    with pytest.raises(CheckpointError, match="not finished; rerun reasonrl data build"):
        read_manifest(tmp_path)
