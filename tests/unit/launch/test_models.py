"""What a model's name means."""

from pathlib import Path

import pytest

from reasonrl.errors import CheckpointError, ConfigError
from reasonrl.launch.models import find_model, plain_name, starting_model, unused_settings
from tests.e2e.support import RECIPES


@pytest.fixture
def run(tmp_path, monkeypatch) -> Path:
    """The directory of an unfinished run with a checkpoint of step 20, as `runs/a`."""
    monkeypatch.chdir(tmp_path)
    directory = Path("runs/a")
    (directory / "checkpoints/step-000020").mkdir(parents=True)
    (directory / "config.toml").write_text((RECIPES / "quickstart.toml").read_text())
    return directory


def test_a_directory_has_one_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("runs/a").mkdir(parents=True)
    assert {plain_name(name) for name in ("runs/a", "./runs/a", "runs/a/", "runs/./a")} == {
        "runs/a"
    }
    assert plain_name("Qwen/Qwen3-8B") == "Qwen/Qwen3-8B"


@pytest.mark.parametrize("name", ["runs/b", "./b", "/nowhere/b", "~/b"])
def test_what_can_only_be_a_path_and_leads_nowhere_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("runs/a").mkdir(parents=True)
    Path("runs/a/config.toml").touch()
    Path("Qwen").mkdir()
    with pytest.raises(ConfigError, match="no such directory"):
        plain_name(name)
    assert plain_name("Qwen/Qwen3-8B") == "Qwen/Qwen3-8B"


def test_what_a_run_was_trained_with_and_is_left_out_is_said(tmp_path):
    (tmp_path / "config.toml").write_text((RECIPES / "quickstart.toml").read_text())
    said = unused_settings(str(tmp_path))
    assert "--system-prompt 'Answer with a number.' --unboxed" in said
    assert unused_settings("Qwen/Qwen3-8B") == ""


def test_a_step_of_a_run_is_named_after_an_at_sign(run):
    assert plain_name("runs/a@20") == "runs/a/checkpoints/step-000020"
    model = find_model("runs/a@20")
    assert (model.run, model.checkpoint) == (run, run / "checkpoints/step-000020")
    assert find_model("runs/a").checkpoint == model.checkpoint
    with pytest.raises(CheckpointError, match="one of step-000020"):
        find_model("runs/a@21")


def test_an_at_sign_in_other_names_means_nothing():
    assert plain_name("someone/model@3") == "someone/model@3"


def test_training_starts_from_the_final_model_of_a_run_but_from_no_checkpoint(run):
    with pytest.raises(ConfigError, match="reasonrl export runs/a@20 DIR"):
        starting_model("runs/a@20")
    (run / "summary.json").touch()
    assert starting_model("runs/a") == str((run / "model").resolve())


def test_a_run_beside_a_recipe_does_not_take_the_name_of_a_model(run):
    run.rename("tiny")
    Path("tiny/summary.json").touch()
    assert starting_model("tiny") == "tiny"
    assert find_model("tiny").run == Path("tiny")  # an evaluation means the run
