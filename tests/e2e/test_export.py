"""`reasonrl export`: what others load is what was trained, and the card says what the run says."""

import json
import re

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from reasonrl.errors import RefusedError
from reasonrl.launch.check_export import check_export
from reasonrl.launch.export import origin_of, without_paths
from reasonrl.launch.one_process import local_engine
from reasonrl.models.hf import load_model
from reasonrl.recipe import OptimizerConfig
from reasonrl.recipe.toml import load_recipe
from reasonrl.report.drawing.scale import duration_text
from tests.e2e.support import RECIPES
from tests.e2e.support import reasonrl_here as reasonrl

TINY = RECIPES / "tiny.toml"
ONE_THREAD = ("--set", "engine.threads=1")
pytestmark = pytest.mark.xdist_group("export")  # the run is made once


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("run") / "run"
    problems = directory.parent / "secret-folder" / "sums.jsonl"
    problems.parent.mkdir()
    rows = [{"id": n, "prompt": f"{n}+1", "answer": n + 1} for n in range(20)]
    problems.write_text("\n".join(map(json.dumps, rows)))
    done = reasonrl(
        "train", TINY, "--run-dir", directory, *ONE_THREAD, "--set", "checkpoint.keep=9",
        "--set", f'data.sources=[{{type="file", path="{problems}"}}]',
        "--set", "stage.1.steps=10", "--set", "stage.2.steps=10",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return directory


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    directory = tmp_path_factory.mktemp("export") / "sums-model"
    done = reasonrl("export", run, directory)
    assert done.returncode == 0, done.stderr
    assert "plain transformers gives 8 answers" in done.stdout
    return directory


def front_matter(directory):
    return yaml.safe_load((directory / "README.md").read_text().split("---")[1])


def test_plain_transformers_loads_the_trained_weights(run, exported):
    one, other = (
        AutoModelForCausalLM.from_pretrained(place) for place in (run / "model", exported)
    )
    other_state = other.state_dict()
    assert all(torch.equal(other_state[name], value) for name, value in one.state_dict().items())
    tokenizer = AutoTokenizer.from_pretrained(exported)
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": "1+1"}], add_generation_prompt=True, return_tensors="pt"
    )
    assert other.generate(**ids, max_new_tokens=3).shape[1] > ids["input_ids"].shape[1]


def test_it_samples_by_default_as_it_was_trained(exported):
    settings = GenerationConfig.from_pretrained(exported)
    assert (settings.do_sample, settings.temperature, settings.top_p) == (True, 1.0, 1.0)
    assert settings.top_k == 0
    assert settings.eos_token_id == [load_model("tiny").module.config.eos_token_id]


def test_the_card_says_what_the_run_says(run, exported):
    card = (exported / "README.md").read_text()
    meta = front_matter(exported)
    assert meta["license"] == "apache-2.0"
    assert "base_model" not in meta  # it started from random weights
    last = json.loads((run / "evaluations.jsonl").read_text().splitlines()[-1])
    [result] = meta["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == round(last["accuracy"]["value"], 4)
    low, high = last["accuracy"]["ci95"]
    assert f"{100 * last['accuracy']['value']:.1f} [{100 * low:.1f}, {100 * high:.1f}]" in card
    assert re.search(r"- train: (gain|loss|no difference shown)", card)
    for stage in load_recipe(run / "config.toml").stage:
        assert f"| {stage.name} | {stage.steps} |" in card
    digest = json.loads((run / "data.json").read_text())[0]["problems"]
    assert digest in card
    assert (exported / "curves.svg").exists()
    assert "unseen problems" not in card  # this suite has other problems than the stages


def test_a_suite_of_training_problems_is_called_one(tmp_path):
    few = ("--set", "stage.1.steps=1", "--set", "stage.2.steps=1")
    assert reasonrl("train", TINY, "--run-dir", tmp_path / "run", *ONE_THREAD, *few).returncode == 0
    (tmp_path / "x").mkdir()  # an empty folder may be there
    done = reasonrl("export", tmp_path / "run", tmp_path / "x")
    assert done.returncode == 0, done.stderr
    card = (tmp_path / "x" / "README.md").read_text()
    assert "Suite train has the problems of the training: it says nothing about unseen" in card


def test_no_folder_of_this_machine_is_in_what_is_released(exported):
    for path in exported.iterdir():
        assert b"secret-folder" not in path.read_bytes(), path
    assert "sums.jsonl" in (exported / "recipe.toml").read_text()
    assert load_recipe(exported / "recipe.toml").data.sources[0].path.name == "sums.jsonl"


def test_a_bfloat16_run_is_exported_too(tmp_path):
    done = reasonrl(
        "train", TINY, "--run-dir", tmp_path / "run", *ONE_THREAD, "--set", "stage.1.steps=1",
        "--set", "stage.2.steps=1", "--set", 'engine.compute="bfloat16"',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    done = reasonrl("export", tmp_path / "run", tmp_path / "x")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["/home/me/base", "../base", "~/base"])
def test_a_base_in_a_folder_is_called_by_its_last_name_only(name):
    assert origin_of(name) == ("base", "", "")


def test_paths_lose_their_folders_and_names_stay():
    table = {"model": {"name": "/home/me/base"}, "data": [{"type": "file", "path": "/a/b.jsonl"}],
             "name": "a/b"}  # fmt: skip
    assert without_paths(table) == {
        "model": {"name": "base"}, "data": [{"type": "file", "path": "b.jsonl"}], "name": "a/b",
    }  # fmt: skip


def test_a_checkpoint_is_exported_as_it_was_at_its_step(run, tmp_path):
    point = run / "checkpoints" / "step-000010"
    done = reasonrl("export", point, tmp_path / "half")
    assert done.returncode == 0, done.stderr
    assert load_model(str(tmp_path / "half")).digest() != load_model(str(run / "model")).digest()
    card = (tmp_path / "half" / "README.md").read_text()
    assert "10 steps in" in card
    state = json.loads((point / "state.json").read_text())["state"]
    assert f"10 steps in {duration_text(state['train_wall_s'])} of training" in card
    assert "A checkpoint of the run, which plans up to 20 steps" in card
    # the run evaluated at its start and its end: neither is this model
    assert "was not evaluated" in card
    assert "model-index" not in front_matter(tmp_path / "half")


def test_evaluations_of_these_weights_go_into_the_card_and_of_others_do_not(run, tmp_path):
    path = tmp_path / "more.jsonl"
    path.write_text(
        "\n".join(json.dumps({"id": n, "prompt": "2+2", "answer": 4}) for n in range(7))
    )
    ask = ("--suite", path, "--k", "2", "--max-new-tokens", "4", *ONE_THREAD)
    for model, name in ((run, "own"), ("tiny", "other")):
        assert reasonrl("eval", model, *ask, "--out", tmp_path / name).returncode == 0
    done = reasonrl("export", run, tmp_path / "x", "--eval", tmp_path / "own", "--license", "mit")
    assert done.returncode == 0, done.stderr
    assert "| more | 7 x 2" in (tmp_path / "x" / "README.md").read_text()
    assert front_matter(tmp_path / "x")["license"] == "mit"
    released = (tmp_path / "x" / "evaluations" / "1.json").read_text()
    for part in (*tmp_path.parts[1:], *run.parts[1:]):
        if part not in ("run", "tmp"):  # words of their own
            assert part not in released
    done = reasonrl("export", run, tmp_path / "y", "--eval", tmp_path / "other")
    assert done.returncode == 2
    assert "other weights" in done.stderr
    assert [path.name for path in tmp_path.glob("*y*")] == []  # nothing half-written is left


def test_weights_that_are_not_the_trained_ones_are_noticed(run, tmp_path):
    recipe = load_recipe(run / "config.toml")
    model = load_model(str(run / "model"))
    load_model("tiny", seed=9).save(tmp_path)
    with (
        local_engine(model, recipe.engine, OptimizerConfig()) as engine,
        pytest.raises(RefusedError, match=r"gives the answer to .* other scores"),
    ):
        check_export(tmp_path, tmp_path, model, engine, recipe)


@pytest.mark.parametrize(
    ("what", "expected"),
    [("no run", "no run here"), ("exists", "not empty"), ("no results", "no results here")],
)
def test_what_cannot_be_exported_is_refused(what, expected, run, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    arguments = {
        "no run": (tmp_path, tmp_path / "x"),
        "exists": (run, tmp_path / "there"),
        "no results": (run, tmp_path / "x", "--eval", tmp_path),
    }[what]
    done = reasonrl("export", *arguments)
    assert done.returncode == 2
    assert expected in " ".join(done.stderr.split())
    assert not (tmp_path / "x").exists()


def test_a_resume_on_other_problems_is_refused(run, tmp_path):
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "summary.json").unlink()
    path = load_recipe(run / "config.toml").data.sources[0].path
    text = path.read_text()
    try:
        path.write_text(text.replace('"answer": 5', '"answer": 6'))
        done = reasonrl("resume", copy)
    finally:
        path.write_text(text)
    assert done.returncode == 2
    assert "stage short: the answers have changed since the run began" in " ".join(
        done.stderr.split()
    )
