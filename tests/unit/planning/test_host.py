"""The host of a node: what leaves its GPUs, and weights on their way to the samplers."""

from dataclasses import replace

import pytest

from reasonrl.planning.host import host_memory
from reasonrl.planning.layout import layout_of
from reasonrl.planning.published import SHAPES
from reasonrl.planning.state import adamw, with_moments_on_host
from reasonrl.recipe.toml import load_recipe
from tests.e2e.support import RECIPES, reasonrl_here

SHAPE = SHAPES["Skywork/Skywork-OR1-32B"]
N = 32_763_876_352


@pytest.fixture(scope="module")
def layout():
    """8 ranks and 2 replicas of 4 GPUs take turns on 8 GPUs."""
    return layout_of(load_recipe(RECIPES / "or1-32b.toml", ["engine=gpus-8"]))


def test_a_learner_at_rest_keeps_weights_and_moments_but_no_gradients(layout):
    assert dict(host_memory(SHAPE, layout).parts)["learner at rest"] == pytest.approx(12 * N)
    assert "learner at rest" not in dict(
        host_memory(SHAPE, replace(layout, shares_gpus=False)).parts
    )


def test_two_versions_of_the_weights_are_in_the_object_store(layout):
    parts = dict(host_memory(SHAPE, layout).parts)
    assert parts["weights in Ray's object store"] == 2 * 2 * N


def test_each_replica_on_several_gpus_writes_all_weights_to_dev_shm(layout):
    assert dict(host_memory(SHAPE, layout).parts)["weights in /dev/shm"] == 2 * 2 * N
    pairs = replace(layout, ranks=64, replicas=32, tensor_parallel=2)
    assert dict(host_memory(SHAPE, pairs).parts)["weights in /dev/shm"] == 4 * 2 * N
    alone = replace(layout, replicas=8, tensor_parallel=1)
    assert "weights in /dev/shm" not in dict(host_memory(SHAPE, alone).parts)


def test_a_tied_head_is_stored_once_and_written_beside_its_embedding(layout):
    """SmolLM2-135M in float32 has 538.1 MB, and 651.3 MB under all of its names."""
    shape = SHAPES["HuggingFaceTB/SmolLM2-135M"]
    parts = dict(host_memory(shape, replace(layout, is_bfloat16=False, shares_gpus=False)).parts)
    assert parts["weights in Ray's object store"] / 2 == pytest.approx(538.1e6, rel=1e-4)
    assert parts["weights in /dev/shm"] / 2 == pytest.approx(651.3e6, rel=1e-4)


def test_a_node_has_at_most_8_gpus_and_at_least_those_of_the_run(layout):
    one = replace(layout, ranks=1, replicas=1, tensor_parallel=1)
    assert dict(host_memory(SHAPE, one).parts)["learner at rest"] == pytest.approx(12 * N)
    many = replace(layout, ranks=64, replicas=64, tensor_parallel=1)
    assert dict(host_memory(SHAPE, many).parts)["learner at rest"] == pytest.approx(12 * N / 8)


def test_moments_on_the_host_are_those_of_all_ranks_of_the_node(layout):
    offloaded = replace(layout, training=with_moments_on_host(adamw()))
    parts = dict(host_memory(SHAPE, offloaded).parts)
    assert parts["moments"] == pytest.approx(8 * N)
    assert parts["learner at rest"] == pytest.approx(4 * N)


def test_the_command_names_the_host_of_a_node_only_where_there_is_one():
    assert "host of 8 GPUs: weights in /dev/shm" in reasonrl_here("plan", "or1-32b").stdout
    one = reasonrl_here("plan", "quickstart", "--set", 'engine.device="cuda"', "--gpu", "L4")
    assert "host: a checkpoint while it is written" in one.stdout
    assert "host of" not in one.stdout
