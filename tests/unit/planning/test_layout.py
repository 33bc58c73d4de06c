"""Layouts: the engine blocks of recipes as the numbers that the formulas use."""

import pytest

from reasonrl.errors import ConfigError
from reasonrl.planning.layout import layout_of
from reasonrl.planning.state import adamw, adamw_8bit, in_bfloat16, lora, with_moments_on_host
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


def test_a_recipe_says_what_its_parameters_cost():
    def state(*overrides):
        return layout_of(load_recipe(RECIPES / "quickstart.toml", overrides)).training

    assert state() == adamw()
    assert state("optimizer.type=adamw-8bit", "optimizer.offload=true") == with_moments_on_host(
        adamw_8bit()
    )
    halves = ("engine.compute=bfloat16", "optimizer.parameters=bfloat16")
    assert state(*halves) == in_bfloat16(adamw())
    assert state("model.lora.rank=8", 'model.lora.targets=["q_proj", "v_proj"]') == lora(
        8, compute_bytes=4, targets=("q", "v"), state=adamw()
    )
    with pytest.raises(ConfigError, match="q_proj, k_proj"):
        state('model.lora.targets=["query"]')


def test_vllm_in_the_learners_process_shares_its_gpu():
    asked = ["engine.rollout.type=vllm", "engine.rollout.memory_share=0.4", "engine.offload=true"]
    layout = layout_of(load_recipe(RECIPES / "quickstart.toml", [*asked, "engine.device=cuda"]))
    assert layout.is_one_process
    assert layout.takes_turns
    assert (layout.samples_with_vllm, layout.memory_share, layout.offloads) == (True, 0.4, True)
