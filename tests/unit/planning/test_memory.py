"""Memory: sums by hand, two measurements, and laws of more ranks, longer rows and shared GPUs."""

from dataclasses import replace

import pytest

from reasonrl.planning.gpus import GPUS
from reasonrl.planning.layout import EngineLayout, layout_of
from reasonrl.planning.learner import HEAD_TOKENS, ROOT_BYTES, learner_memory
from reasonrl.planning.memory import stage_memory
from reasonrl.planning.parts import IDLE_BYTES
from reasonrl.planning.published import SHAPES
from reasonrl.recipe.toml import load_recipe
from tests.e2e.support import RECIPES

SHAPE = SHAPES["deepseek-ai/DeepSeek-R1-Distill-Qwen-32B"]
H800 = GPUS["H800"]


@pytest.fixture(scope="module")
def recipe():
    return load_recipe(RECIPES / "or1-32b.toml", ["engine=gpus-8"])


@pytest.fixture(scope="module")
def layout(recipe):
    return layout_of(recipe)


def test_the_parts_of_a_32b_rank_are_the_sums_of_a_hand_calculation(recipe, layout):
    """32.76e9 parameters on 8 ranks, 6,906 tokens per rank, in both stages."""
    parts = dict(learner_memory(SHAPE, layout, recipe.stage[1]).parts)
    state = [parts[name] for name in ("weights", "gradients", "moments")]
    assert state == [each * 32_763_876_352 / 8 for each in (4, 4, 8)]
    root = 2 * 152_064 * 5_120 + 5_120
    # Measured on two ranks; float32 weights and gradients alone would be 8 bytes.
    assert parts["gathered embedding and head"] == ROOT_BYTES * root == pytest.approx(10.4 * root)
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
    memory = stage_memory(shape, layout_of(small), small.stage[0], None)
    assert memory.learner.total_bytes / 2**20 == pytest.approx(measured_mb, rel=0.1)


def test_a_step_in_bfloat16_on_a_cpu_is_within_a_tenth_of_what_was_measured():
    """docs/LOG.md, 2026-11-29: two steps of the quickstart's model peaked at 3,282 MiB."""
    small = load_recipe(
        RECIPES / "quickstart.toml",
        ["engine.compute=bfloat16", "rollout.prompts_per_step=2", "rollout.max_prompt_tokens=60",
         "stage.1.rollout.max_new_tokens=256", "stage.2.rollout.max_new_tokens=256"],
    )  # fmt: skip
    shape = SHAPES[small.model.name]
    memory = stage_memory(shape, layout_of(small), small.stage[0], None)
    assert memory.peak_bytes / 2**20 == pytest.approx(3_282, rel=0.1)


def test_more_ranks_and_longer_sequence_groups_need_less(recipe, layout):
    def total(changed):
        return learner_memory(SHAPE, changed, recipe.stage[1]).total_bytes

    whole = replace(layout, token_budget=1)
    assert total(replace(whole, ranks=16)) < total(whole)
    assert total(replace(whole, sequence_parallel=8)) < total(whole)
    assert total(whole) < total(replace(whole, recompute=False))


def test_turns_on_shared_gpus_leave_room_for_the_resting_side(recipe, layout):
    stage = recipe.stage[0]
    shared = stage_memory(SHAPE, layout, stage, H800)
    apart = stage_memory(SHAPE, replace(layout, shares_gpus=False), stage, H800)
    assert shared.peak_bytes == apart.peak_bytes + IDLE_BYTES
    assert apart.peak_bytes == max(apart.learner.total_bytes, apart.rollout.total_bytes)


def test_local_replicas_of_a_cluster_have_weights_and_a_cache_of_their_own(recipe, layout):
    stage = recipe.stage[0]
    local = replace(layout, samples_with_vllm=False, tensor_parallel=1, replicas=8)
    memory = stage_memory(SHAPE, local, stage, H800)
    parts = dict(memory.rollout.parts)
    assert parts["weights"] == 4 * SHAPE.parameters
    assert parts["bfloat16 copies of the layers"] == 2 * 64 * SHAPE.linear_parameters
    assert parts["resting learner"] == IDLE_BYTES
    assert memory.rows_full == min(local.max_rows, 256 * 16)
    assert "moments" not in parts


def test_vllm_sets_memory_aside_for_its_largest_forward_pass(recipe, layout):
    """7B at 32K: a chunk of 8,192 tokens, two hidden states and the MLP's three tensors of each."""
    shape = SHAPES["Skywork/Skywork-OR1-7B"]
    stage = load_recipe(RECIPES / "or1-7b.toml").stage[1]
    alone = replace(layout, tensor_parallel=1)
    parts = dict(stage_memory(shape, alone, stage, H800).rollout.parts)
    activations = parts["activations of a prefill"]
    assert activations == 2 * 8_192 * (2 * 3_584 + 3 * 18_944)
    others = sum(parts[name] for name in ("weights", "workspace", "key-value cache"))
    assert others + activations == pytest.approx(alone.memory_share * H800.memory_bytes)


def test_float32_on_a_gpu_keeps_keys_and_values_for_each_query_head(recipe, layout):
    """40 heads that share 8 keys of 128: 2 x 32 x 128 numbers more for each token and layer."""
    wide = replace(layout, is_bfloat16=False, sequence_parallel=1, recompute=False)
    name, stage = "kept for the backward pass", recipe.stage[0]
    kept, on_cpu, alone = (
        dict(learner_memory(shape, other, stage).parts)[name]
        for shape, other in (
            (SHAPE, wide),
            (SHAPE, replace(wide, is_on_cpu=True)),
            (replace(SHAPE, kv_heads=SHAPE.heads), wide),
        )
    )
    tokens = stage.rollout.max_prompt_tokens + 16_384
    assert kept - on_cpu == 4 * tokens * 64 * 2 * 32 * 128
    assert alone - kept == 4 * tokens * 64 * (3 - 2) * 32 * 128


def test_a_reference_is_kept_in_all_stages_if_one_of_them_has_a_kl_term(recipe):
    overrides = ["engine=gpus-8", "stage.2.update.kl_coefficient=0.01"]
    layout = layout_of(load_recipe(RECIPES / "or1-32b.toml", overrides))
    first = dict(stage_memory(SHAPE, layout, recipe.stage[0], H800).learner.parts)
    assert first["reference policy"] == 4 * SHAPE.parameters / 8


def test_a_replica_without_room_for_one_whole_rollout_does_not_fit(recipe):
    layout = EngineLayout(
        is_one_process=False, is_on_cpu=False, is_bfloat16=True, recompute=True,
        token_budget=4_096, max_rows=128, ranks=256, sequence_parallel=8, replicas=8,
        memory_share=0.85, shares_gpus=False, samples_with_vllm=True,
    )  # fmt: skip
    memory = stage_memory(SHAPE, layout, recipe.stage[1], H800)
    assert memory.rows_full == 0
    assert not memory.fits
