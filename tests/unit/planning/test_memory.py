"""Memory: sums by hand, two measurements, and laws of what less or more of something does."""

import pytest

from reasonrl.planning.fitting import differences, largest_token_budget, remedy
from reasonrl.planning.gpus import GPUS
from reasonrl.planning.memory import HEAD_TOKENS, learner_memory, stage_memory
from reasonrl.planning.shapes import SHAPES
from reasonrl.recipe import RayEngineConfig
from reasonrl.recipe.toml import load_recipe
from tests.e2e.support import RECIPES

SHAPE = SHAPES["deepseek-ai/DeepSeek-R1-Distill-Qwen-32B"]
H800 = GPUS["H800"]


@pytest.fixture(scope="module")
def recipe():
    return load_recipe(RECIPES / "or1-32b.toml", ["engine=gpus-8"])


def changed(engine, **learner):
    return engine.model_copy(update={"learner": engine.learner.model_copy(update=learner)})


def test_the_parts_of_a_32b_rank_are_what_a_hand_adds_up(recipe):
    """32.76e9 parameters on 8 ranks, 6,906 tokens a rank, two stages alike."""
    parts = dict(learner_memory(SHAPE, recipe.engine, recipe.stage[1]).parts)
    assert parts["weights, gradients, moments"] == 16 * 32_763_876_352 / 8
    root = 2 * 152_064 * 5_120 + 5_120
    assert parts["gathered embedding and head"] == 8 * root
    layer = (32_763_876_352 - root) / 64
    assert parts["gathered layers"] == layer * (2 + 2 + 2 + 4)
    assert parts["kept for the backward pass"] == 64 * 6_906 * 5_120 * 2
    assert parts["logits"] == 256 * 152_064 * 4 * 2


def test_the_head_takes_as_many_tokens_at_once_as_the_code_does():
    from reasonrl.algo.head import CHUNK_TOKENS

    assert HEAD_TOKENS == CHUNK_TOKENS


@pytest.mark.parametrize(("budget", "measured_mb"), [(518, 3_110), (1_024, 3_870)])
def test_a_step_on_a_cpu_is_within_a_tenth_of_what_was_measured(budget, measured_mb):
    """benchmarks/RESULTS.md, the duel against TRL: 8 x 8 rollouts of at most 64 tokens.

    The fuller microbatch of the first was one group: a prompt of 14 tokens and 8 times 63.
    """
    small = load_recipe(
        RECIPES / "quickstart.toml",
        [f"engine.token_budget={budget}", "rollout.prompts_per_step=8"],
    )
    shape = SHAPES[small.model.name]
    memory = stage_memory(shape, small.engine, small.stage[0], None)
    assert memory.learner.total_bytes / 2**20 == pytest.approx(measured_mb, rel=0.1)


def test_32b_does_not_fit_on_8_gpus_and_what_would_fit_is_said_and_true(recipe):
    assert not stage_memory(SHAPE, recipe.engine, recipe.stage[1], H800).fits
    found = remedy(SHAPE, recipe.engine, recipe.stage, H800)
    assert found.gpus == 16
    overrides = ["engine=gpus-8", *differences(recipe.engine, found)]
    mended = load_recipe(RECIPES / "or1-32b.toml", overrides)
    assert mended.engine == found
    assert all(stage_memory(SHAPE, found, stage, H800).fits for stage in mended.stage)


def test_where_more_splitting_is_enough_no_gpus_are_added():
    recipe = load_recipe(
        RECIPES / "or1-32b.toml",
        ["engine=gpus-64", "engine.token_budget=60000", "engine.rollout.tensor_parallel=1",
         "engine.rollout.replicas=64", "engine.rollout.memory_share=0.7"],
    )  # fmt: skip
    found = remedy(SHAPE, recipe.engine, recipe.stage, H800)
    assert found.gpus == 64
    assert found.rollout.tensor_parallel == 2
    assert found.token_budget < 60_000


def test_no_remedy_is_invented_where_one_row_is_too_long(recipe):
    stage = recipe.stage[0]
    rollout = stage.rollout.model_copy(update={"max_new_tokens": 1 << 24})
    endless = stage.model_copy(update={"rollout": rollout})
    assert remedy(SHAPE, recipe.engine, [endless], H800) is None


def test_the_largest_budget_fits_and_the_next_does_not():
    recipe = load_recipe(RECIPES / "or1-32b.toml", ["engine=gpus-64"])
    stage = recipe.stage[1]
    budget = largest_token_budget(SHAPE, recipe.engine, stage, H800)
    for tokens, fits in ((budget, True), (budget + 1_024, False)):
        engine = recipe.engine.model_copy(update={"token_budget": tokens})
        assert stage_memory(SHAPE, engine, stage, H800).fits is fits


def test_more_ranks_and_longer_sequence_groups_need_less(recipe):
    def total(engine):
        return learner_memory(SHAPE, engine, recipe.stage[1]).total_bytes

    whole = recipe.engine.model_copy(update={"token_budget": 1})
    assert total(changed(whole, ranks=16)) < total(whole)
    assert total(changed(whole, sequence_parallel=8)) < total(whole)
    assert total(whole) < total(whole.model_copy(update={"recompute": False}))


def test_turns_on_shared_gpus_need_the_larger_of_both_and_a_host_that_keeps_the_other(recipe):
    stage = recipe.stage[0]
    shared = stage_memory(SHAPE, recipe.engine, stage, H800)
    apart = stage_memory(
        SHAPE, recipe.engine.model_copy(update={"placement": "separate"}), stage, H800
    )
    assert shared.peak_bytes > apart.peak_bytes
    assert apart.peak_bytes == max(apart.learner.total_bytes, apart.rollout.total_bytes)
    assert apart.host_bytes == 0
    assert shared.host_bytes == pytest.approx(8 * (16 / 8 + 2 / 4) * SHAPE.parameters)


def test_a_replica_without_room_for_one_whole_rollout_does_not_fit():
    engine = RayEngineConfig.model_validate(
        {"type": "ray", "device": "cuda", "compute": "bfloat16", "recompute": True,
         "rollout": {"replicas": 8}, "learner": {"ranks": 256, "sequence_parallel": 8}},
    )  # fmt: skip
    stage = load_recipe(RECIPES / "or1-32b.toml").stage[1]
    memory = stage_memory(SHAPE, engine, stage, H800)
    assert memory.rows_full == 0
    assert not memory.fits
