"""GPUs: names as people type them, memory by hand, and cards that cannot do what a recipe asks."""

import pytest

from reasonrl.errors import ConfigError
from reasonrl.planning.configs import shape_of
from reasonrl.planning.gpus import GIB, GPUS, find_gpu, gpu_of
from reasonrl.planning.plan import plan
from reasonrl.recipe.toml import load_recipe
from tests.e2e.support import RECIPES, reasonrl_here


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("4090", "RTX 4090"),
        ("rtx 4090", "RTX 4090"),
        ("RTX4090", "RTX 4090"),
        ("rtx-4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("a6000", "RTX A6000"),
        ("pro 6000", "RTX PRO 6000"),
        ("Tesla T4", "T4"),
        ("l40s", "L40S"),
        ("A100 40GB", "A100-40"),
        ("A100-80", "A100"),
        ("h800", "H800"),
        ("V100 32 GB", "V100-32"),
    ],
)
def test_a_name_is_understood_without_case_spaces_dashes_and_maker(typed, name):
    assert gpu_of(typed).name == name


def test_every_size_that_people_have_has_a_card():
    assert {gpu.nominal_gb for gpu in GPUS.values()} == {16, 24, 32, 40, 48, 80, 96, 141, 192}


@pytest.mark.parametrize("gpu", GPUS.values(), ids=lambda gpu: gpu.name)
def test_a_driver_reports_at_most_the_nominal_memory_and_most_of_it(gpu):
    assert 0.93 <= gpu.memory_bytes / (gpu.nominal_gb * GIB) <= 1
    assert 1e13 < gpu.speed.peak_flops < 1e16
    assert 1e11 < gpu.speed.bandwidth_bytes_s < 1e13


@pytest.mark.parametrize(
    ("typed", "near"),
    [("H10O", "H100"), ("V100", "V100-16 or V100-32"), ("RTX 4900", "RTX 4090"), ("6000", "A6000")],
)
def test_an_unknown_name_lists_the_near_ones_and_the_way_around(typed, near):
    with pytest.raises(ConfigError, match=near) as caught:
        gpu_of(typed)
    assert "--gpu-memory" in str(caught.value)


def test_a_memory_given_by_hand_replaces_that_of_the_named_card_and_keeps_its_speed():
    gpu = find_gpu("4090", 48)
    assert gpu.label() == "RTX 4090 (48 GB)"
    assert (gpu.memory_bytes, gpu.speed) == (48 * GIB, GPUS["RTX 4090"].speed)
    assert find_gpu(None, None) == GPUS["H800"]


def test_a_card_that_is_known_by_its_memory_alone_has_memory_and_no_time():
    recipe = load_recipe(RECIPES / "or1-7b.toml")
    made = plan(recipe, shape_of(recipe.model.name), find_gpu(None, 80))
    assert made.fits
    assert made.stages[0].time is None
    assert "only the memory of this GPU is known" in made.untimed
    assert find_gpu(None, 12).label() == "a GPU of 12 GB"
    assert find_gpu(None, 12).label(8) == "8 GPUs of 12 GB"


def test_a_card_without_bfloat16_refuses_a_recipe_that_computes_in_it():
    overrides = ['engine.device="cuda"', 'engine.compute="bfloat16"']
    recipe = load_recipe(RECIPES / "quickstart.toml", overrides)
    with pytest.raises(ConfigError, match=r"T4 does not compute in bfloat16.*float32"):
        plan(recipe, shape_of(recipe.model.name), GPUS["T4"])
    narrow = load_recipe(RECIPES / "quickstart.toml", overrides[:1])
    assert plan(narrow, shape_of(narrow.model.name), GPUS["T4"]).gpu == GPUS["T4"]


def test_the_command_takes_a_memory_and_says_that_there_is_no_time():
    done = reasonrl_here("plan", "or1-7b", "--gpu-memory", "80")
    assert done.returncode == 0
    assert "fits on 64 GPUs of 80 GB" in done.stdout
    assert "no time: only the memory of this GPU is known" in done.stdout
    assert "GPU-hours" not in done.stdout


def test_the_command_names_the_card_that_the_recipe_fits_on():
    overrides = ("--set", 'engine.device="cuda"', "--set", 'engine.compute="bfloat16"')
    done = reasonrl_here("plan", "quickstart", *overrides, "--gpu", "rtx 4090")
    assert done.returncode == 0
    assert "fits on RTX 4090 (24 GB)" in done.stdout
