"""`engine.compute = "auto"` becomes a type once, and a run keeps it."""

import re

import pytest

from reasonrl.engines.precision import bfloat16_share
from reasonrl.launch.precision import with_precision
from reasonrl.recipe.toml import load_recipe
from reasonrl.run.config import read_config
from tests.conftest import REPOSITORY
from tests.e2e.support import reasonrl_here

TINY = REPOSITORY / "recipes" / "tiny.toml"


def settled(share, *overrides):
    """Return the type that a machine gets, and what is said, given bfloat16's share of the time."""
    said = []
    recipe = with_precision(load_recipe(TINY, overrides), said.append, lambda _device: share)
    return recipe.engine.compute, said


@pytest.mark.parametrize(
    ("share", "compute"),
    [(0.25, "bfloat16"), (0.79, "bfloat16"), (0.9, "float32"), (3.1, "float32")],
)
def test_auto_is_the_faster_type_and_says_why(share, compute):
    chosen, [sentence] = settled(share, 'engine.compute="auto"')
    assert chosen == compute
    assert sentence.startswith(f"computing in {compute}: ")
    assert f"{share:.2g} times float32's time" in sentence


def test_a_given_type_stays_and_is_measured_only_where_it_may_be_slow():
    assert settled(0.25) == ("float32", [])
    assert settled(0.25, 'engine.compute="bfloat16"') == ("bfloat16", [])
    chosen, [sentence] = settled(3.0, 'engine.compute="bfloat16"')
    assert chosen == "bfloat16"
    assert "3 times float32's time" in sentence
    assert "--set engine.compute=float32" in sentence


def test_gpus_of_a_cluster_are_taken_to_have_bfloat16():
    cluster = ('engine.type="ray"', 'engine.compute="auto"')
    assert settled(9.0, *cluster, 'engine.device="cuda"') == ("bfloat16", [])
    assert settled(9.0, *cluster)[0] == "float32"


def test_before_a_launch_auto_goes_by_the_kind_of_device():
    asked = load_recipe(TINY, ['engine.compute="auto"'])
    assert asked.engine.precision == "float32"
    card = load_recipe(TINY, ['engine.compute="auto"', 'engine.device="cuda"'])
    assert card.engine.precision == "bfloat16"


def test_the_look_measures_products():
    assert 0.01 < bfloat16_share("cpu") < 100


@pytest.mark.slow
def test_a_run_keeps_the_choice(tmp_path):
    run = tmp_path / "run"
    short = [
        word
        for setting in ("engine.compute=auto", "engine.threads=1", "stage.1.steps=1", "suite=[]")
        for word in ("--set", setting)
    ]
    done = reasonrl_here("train", TINY, "--run-dir", run, *short, "--set", "stage.2.steps=1")
    assert done.returncode == 0, done.stderr
    kept = read_config(run).engine.compute
    assert re.search(rf"computing in {kept}: products in bfloat16", done.stdout)
    more = reasonrl_here("resume", run, "--set", "stage.2.steps=2")
    assert more.returncode == 0, more.stderr
    assert read_config(run).engine.compute == kept
    assert "computing in bfloat16: " not in more.stdout
