"""Building the miniature, on a spec that takes seconds."""

import json
from dataclasses import replace

import pytest

from reasonrl.data.problems import load_problems
from reasonrl.errors import ModelError
from reasonrl.lab import miniature
from reasonrl.lab.chains import ChainSpec
from reasonrl.lab.facts import FactSpec
from reasonrl.lab.miniature import NAME, Spec, build, differing_files, ensure
from reasonrl.lab.problems import HELDOUT, TRAIN, Sizes
from reasonrl.launch.train import train
from reasonrl.models.hf import load_model
from reasonrl.models.random import SmallShape
from reasonrl.studies.arms import arms_of
from reasonrl.studies.bases import miniature_base
from reasonrl.terminal import Console
from tests.unit.studies.support import SMALL

SPEC = Spec(
    world=ChainSpec(facts=FactSpec(values=4, operators=2, misconceptions=0.0), longest=2),
    shape=SmallShape(width=32, layers=1, heads=2, inner=64),
    steps=60,
    traces_per_step=16,
    learning_rate=1e-2,
    limit=24,
    sizes=Sizes(train=8, easy=2, noisy=2, heldout=4),
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REASONRL_CACHE", str(tmp_path))
    return tmp_path


def test_a_build_repeats_itself_to_the_bit(cache):
    found = ensure(SPEC, 1, Console())
    assert differing_files(SPEC, 1, Console()) == []
    assert build(SPEC, 2, cache / "other", Console()).digest != found.digest


def test_what_was_built_is_found_and_not_built_again(cache, monkeypatch):
    found = ensure(SPEC, 1, Console())
    monkeypatch.setattr(miniature, "build", None)
    assert ensure(SPEC, 1, Console()) == found
    assert sum(found.pass_rates) == SPEC.sizes.train


@pytest.mark.parametrize("name", [TRAIN, "model.safetensors"])
def test_a_file_that_changed_is_refused(cache, name):
    found = ensure(SPEC, 1, Console())
    path = found.directory / name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match=name):
        ensure(SPEC, 1, Console())


def test_a_torn_manifest_is_told_and_a_missing_one_is_a_missing_miniature(cache):
    found = ensure(SPEC, 1, Console())
    manifest = found.directory / "MANIFEST.json"
    manifest.write_text(manifest.read_text()[:40])
    with pytest.raises(ModelError, match="delete the directory"):
        ensure(SPEC, 1, Console())
    manifest.unlink()
    assert ensure(SPEC, 1, Console()) == found


def test_problems_carry_the_difficulty_that_was_measured(cache):
    found = ensure(SPEC, 1, Console())
    failures = [one.difficulty[NAME] for one in load_problems(found.directory / TRAIN)]
    assert [failures.count(16 - right) for right in range(17)] == list(found.pass_rates)
    # What it was taught it can do: the verifier reads its answers.
    assert found.accuracy > 0.1
    assert len(load_problems(found.directory / HELDOUT)) == SPEC.sizes.heldout


def test_it_is_a_model_like_any_other(cache, tmp_path):
    found = ensure(SPEC, 1, Console())
    assert load_model(str(found.directory)).digest() == found.digest
    few = replace(SMALL, prompts=2, group=4)
    arm = arms_of(few)["data-easy"]  # without the difficulty filter
    recipe = miniature_base(SPEC, few)(arm, 1)
    outcome = train(recipe, tmp_path / "run", Console())
    assert outcome.is_finished
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["steps"] == SMALL.steps
