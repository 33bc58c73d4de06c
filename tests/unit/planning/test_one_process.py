"""One process on one card: what the local engine keeps, and a vLLM engine beside the learner."""

from dataclasses import replace

import pytest
import torch

from reasonrl.models import layers
from reasonrl.models.attention import Branches, PackedGroups
from reasonrl.models.cache import CachedRows
from reasonrl.models.hf import load_model
from reasonrl.models.rooms import rooms_up_to
from reasonrl.planning.gpus import GPUS
from reasonrl.planning.layout import EngineLayout, layout_of
from reasonrl.planning.memory import stage_memory
from reasonrl.planning.parts import IDLE_BYTES, WORKSPACE_BYTES
from reasonrl.planning.published import SHAPES
from reasonrl.planning.sampler import (
    PREFILL_TOKENS,
    copied_share,
)
from reasonrl.planning.state import adamw, adamw_8bit, in_bfloat16, lora, with_moments_on_host
from reasonrl.recipe.toml import load_recipe
from tests.e2e.support import RECIPES

SHAPE = SHAPES["Qwen/Qwen3-0.6B"]
N = 596_049_920
MATRICES = 28 * SHAPE.linear_parameters
RTX_4090 = GPUS["RTX 4090"]
BFLOAT16 = ['engine.device="cuda"', 'engine.compute="bfloat16"', "rollout.max_new_tokens=2048"]


@pytest.fixture(scope="module")
def recipe():
    return load_recipe(RECIPES / "quickstart.toml", BFLOAT16)


@pytest.fixture(scope="module")
def layout(recipe):
    return layout_of(recipe)


def memory_of(layout, recipe):
    return stage_memory(SHAPE, layout, recipe.stage[0], RTX_4090)


def test_learner_and_sampler_both_hold_state_copies_and_reference(recipe, layout):
    memory = memory_of(replace(layout, keeps_reference=True), recipe)
    for role in (memory.learner, memory.rollout):
        parts = dict(role.parts)
        assert parts["weights"] == parts["gradients"] == parts["moments"] / 2 == 4 * N
        assert parts["bfloat16 copies of the layers"] == 2 * MATRICES
        assert parts["reference policy"] == 4 * N - 2 * MATRICES


def test_the_copies_are_those_that_the_layers_of_a_module_keep():
    model = load_model("tiny:qwen3")
    layers.exchange(model.module, torch.bfloat16)
    tokens = torch.zeros(1, 4, dtype=torch.long)
    with torch.no_grad():
        model.hidden(tokens, torch.arange(4)[None], PackedGroups([Branches(4)]))
    kept = [module.copy for module in model.module.modules() if hasattr(module, "copy")]
    size = sum(copy.numel() * copy.element_size() for copy in kept if copy is not None)
    assert size == adamw().copies(SHAPES["tiny:qwen3"], 2)


def test_one_process_on_a_gpu_copies_weights_and_moments_to_the_host_for_a_checkpoint(
    recipe, layout
):
    assert memory_of(layout, recipe).host.parts == (("a checkpoint while it is written", 12 * N),)
    on_cpu = replace(layout, is_on_cpu=True)
    assert stage_memory(SHAPE, on_cpu, recipe.stage[0], None).host.parts == ()


@pytest.mark.parametrize(("prompt", "new"), [(5, 60), (5, 61), (200, 64), (70, 1_000)])
def test_the_cache_is_as_large_as_the_one_that_the_sampler_allocates(prompt, new):
    cache = CachedRows(n_layers=1, heads=1, head_size=2, like=torch.zeros(0))
    part = torch.zeros(1, prompt, 2)
    cache.load([("a", [(part, part)]), ("b", [(part, part)])])
    for _ in range(new - 1):  # the last token of a rollout is never put into the cache
        cache.advance()
    token_bytes = 2 * 2 * 4
    assert cache.bytes == 2 * rooms_up_to(prompt + new - 1)[-1] * token_bytes


def test_a_cache_grows_by_a_quarter():
    assert rooms_up_to(64) == [64]
    assert rooms_up_to(65) == [64, 128]
    assert rooms_up_to(1_000)[-4:] == [576, 768, 960, 1_216]


@pytest.mark.parametrize(("tokens", "share"), [(60, 0.5), (70, 0.5), (130, 128 / 192)])
def test_growing_copies_the_rows_before_and_losing_rows_half_of_them(tokens, share):
    assert copied_share(rooms_up_to(tokens)) == share


def test_the_sampler_holds_its_cache_a_copy_of_one_layer_and_the_prompts(recipe, layout):
    parts = dict(memory_of(replace(layout, max_rows=10), recipe).rollout.parts)
    token = 2 * 28 * 8 * 128 * 2
    # A prompt of 200 and 2,048 new tokens: from room for 1,920 tokens the row moves to 2,432.
    assert parts["key-value cache"] == 10 * 2_432 * token
    copied = parts["a layer's copy while the cache changes size"]
    assert copied == pytest.approx(10 * 1_920 * token / 28)
    group = recipe.stage[0].rollout.group_size
    assert parts["prompts"] == -(-10 // group) * 200 * token


def test_fewer_rows_need_less_and_change_nothing_for_the_learner(recipe, layout):
    many, few = (memory_of(replace(layout, max_rows=rows), recipe) for rows in (64, 8))
    assert few.rollout.total_bytes < many.rollout.total_bytes
    assert few.learner == many.learner


@pytest.mark.parametrize(
    ("state", "saved"),
    [
        (adamw_8bit(), (8 - 2 - 8 / 256) * N),
        (with_moments_on_host(adamw()), 8 * N),
        (in_bfloat16(adamw()), 2 * MATRICES),
    ],
    ids=["8-bit", "host", "bfloat16"],
)
def test_another_state_saves_its_bytes_while_learning_and_while_sampling(
    state, saved, recipe, layout
):
    before, after = memory_of(layout, recipe), memory_of(replace(layout, training=state), recipe)
    assert before.learner.total_bytes - after.learner.total_bytes == pytest.approx(saved)
    assert before.rollout.total_bytes - after.rollout.total_bytes == pytest.approx(saved)


def test_moments_on_the_host_are_counted_there(recipe, layout):
    offloaded = replace(layout, training=with_moments_on_host(adamw()))
    host = dict(memory_of(offloaded, recipe).host.parts)
    assert host == {"a checkpoint while it is written": 4 * N, "moments": 8 * N}


def test_with_adapters_the_8b_model_learns_on_a_card_that_its_moments_would_not_fit_on(recipe):
    shape = SHAPES["Qwen/Qwen3-8B"]
    layout = replace(layout_of(recipe), recompute=True, max_rows=8, token_budget=2_304)
    whole = stage_memory(shape, layout, recipe.stage[0], RTX_4090)
    adapted = replace(layout, training=lora(16, compute_bytes=2, state=adamw()))
    thin = stage_memory(shape, adapted, recipe.stage[0], GPUS["L40S"])
    assert whole.peak_bytes > 16 * shape.parameters > 5 * RTX_4090.memory_bytes
    assert thin.fits


# vLLM beside the learner, in one process

VLLM = {"samples_with_vllm": True, "memory_share": 0.5}


def test_vllm_sleeps_beside_a_learner_that_learns(recipe, layout):
    beside = memory_of(replace(layout, **VLLM), recipe)
    alone = memory_of(layout, recipe)
    assert beside.learner.total_bytes == alone.learner.total_bytes + IDLE_BYTES


def test_vllm_takes_its_share_and_the_learner_keeps_its_state_beside_it(recipe, layout):
    rollout = memory_of(replace(layout, **VLLM), recipe).rollout
    state = 16 * N + 2 * MATRICES
    assert dict(rollout.parts)["learner's state"] == state
    assert rollout.total_bytes == pytest.approx(0.5 * RTX_4090.memory_bytes + state)


def test_a_learner_that_offloads_leaves_the_card_and_waits_on_the_host(recipe, layout):
    memory = memory_of(replace(layout, offloads=True, **VLLM), recipe)
    assert memory.rollout.total_bytes == pytest.approx(0.5 * RTX_4090.memory_bytes)
    # Gradients are made anew, and so are the copies of the layers.
    assert memory.host.parts == (("learner at rest", 12 * N),)


def test_a_reference_leaves_the_card_with_the_learner(recipe, layout):
    offloads = replace(layout, offloads=True, keeps_reference=True, **VLLM)
    # Its matrices are in bfloat16 alone, because they never learn.
    assert memory_of(offloads, recipe).host.total_bytes == (12 + 4) * N - 2 * MATRICES


def test_the_cache_of_vllm_is_what_its_share_leaves(recipe, layout):
    memory = memory_of(replace(layout, **VLLM), recipe)
    activations = 2 * PREFILL_TOKENS * (2 * 1024 + 3 * 3072)
    free = 0.5 * RTX_4090.memory_bytes - 2 * N - WORKSPACE_BYTES - activations
    assert dict(memory.rollout.parts)["key-value cache"] == pytest.approx(free)
    context = 200 + 2_048
    assert memory.rows_full == int(free / (context * SHAPE.kv_bytes()))


def test_vllm_computes_in_the_type_of_the_recipe(recipe, layout):
    wide = memory_of(replace(layout, is_bfloat16=False, **VLLM), recipe)
    narrow = memory_of(replace(layout, **VLLM), recipe)
    for name in ("weights", "activations of a prefill"):
        assert dict(wide.rollout.parts)[name] == 2 * dict(narrow.rollout.parts)[name]
    free = dict(wide.rollout.parts)["key-value cache"]
    assert wide.rows_full == int(free / (2_248 * SHAPE.kv_bytes(4)))


def test_a_share_without_room_for_one_rollout_does_not_fit(recipe, layout):
    memory = memory_of(replace(layout, samples_with_vllm=True, memory_share=0.2), recipe)
    assert memory.rows_full == 0
    assert not memory.fits


def test_vllm_takes_as_many_tokens_at_once_as_the_code_does():
    from reasonrl.engines.vllm import settings

    assert PREFILL_TOKENS == settings._PREFILL_TOKENS


def test_on_a_cpu_nobody_takes_turns():
    layout = EngineLayout(
        is_one_process=True, is_on_cpu=True, is_bfloat16=False, recompute=False,
        token_budget=64, max_rows=4,
    )  # fmt: skip
    assert not layout.takes_turns
