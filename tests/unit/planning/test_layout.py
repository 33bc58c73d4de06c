"""Layouts: the engine blocks of recipes as the numbers that the formulas use."""

from reasonrl.planning.layout import layout_of
from reasonrl.recipe.toml import load_recipe
from tests.e2e.support import RECIPES


def test_a_local_engine_is_one_rank_and_one_replica_on_one_gpu():
    layout = layout_of(load_recipe(RECIPES / "quickstart.toml"))
    assert layout.is_one_process
    assert layout.is_on_cpu
    assert layout.element_bytes == 4
    assert (layout.ranks, layout.replicas, layout.sequence_parallel) == (1, 1, 1)
    assert layout.gpus == 1


def test_a_ray_engine_that_shares_its_gpus_needs_the_larger_number():
    """recipes/or1-32b.toml, gpus-8: 8 ranks and 2 replicas of 4 GPUs take turns."""
    layout = layout_of(load_recipe(RECIPES / "or1-32b.toml", ["engine=gpus-8"]))
    assert not layout.is_one_process
    assert layout.shares_gpus
    assert layout.samples_with_vllm
    assert layout.element_bytes == 2
    assert (layout.ranks, layout.replicas, layout.tensor_parallel) == (8, 2, 4)
    assert layout.gpus == 8


def test_separate_ranks_and_replicas_add_up():
    overrides = ["engine=gpus-8", 'engine.placement="separate"']
    recipe = load_recipe(RECIPES / "or1-32b.toml", overrides)
    assert layout_of(recipe).gpus == 8 + 2 * 4 == recipe.engine.gpus
