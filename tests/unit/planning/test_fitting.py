"""Fitting: the remedy that is named makes a recipe fit, and none is named where none exists."""

from dataclasses import replace

import pytest

from reasonrl.planning.configs import shape_of
from reasonrl.planning.fitting import differences, largest_rows, largest_token_budget, remedy
from reasonrl.planning.gpus import GPUS
from reasonrl.planning.layout import layout_of
from reasonrl.planning.memory import stage_memory
from reasonrl.planning.published import SHAPES
from reasonrl.recipe.toml import load_recipe
from tests.e2e.support import RECIPES, reasonrl_here

SHAPE = SHAPES["deepseek-ai/DeepSeek-R1-Distill-Qwen-32B"]
H800 = GPUS["H800"]

SMALL = shape_of("Qwen/Qwen3-0.6B")
ON_A_CARD = ['engine.device="cuda"', 'engine.compute="bfloat16"', 'model.name="Qwen/Qwen3-0.6B"']
ROWS_OF_4K = ["stage.1.rollout.max_new_tokens=2048", "stage.2.rollout.max_new_tokens=4096"]
RTX_4090 = GPUS["RTX 4090"]


def on_a_card(*overrides):
    """Return a recipe for one card with rows of up to 4K."""
    return load_recipe(RECIPES / "quickstart.toml", [*ON_A_CARD, *ROWS_OF_4K, *overrides])


def fits_everywhere(layout, recipe, gpu, shape=SMALL):
    return all(stage_memory(shape, layout, stage, gpu).fits for stage in recipe.stage)


@pytest.fixture(scope="module")
def recipe():
    return load_recipe(RECIPES / "or1-32b.toml", ["engine=gpus-8"])


def test_32b_does_not_fit_on_8_gpus_and_the_named_changes_make_it_fit(recipe):
    layout = layout_of(recipe)
    assert not stage_memory(SHAPE, layout, recipe.stage[1], H800).fits
    fitting = remedy(SHAPE, layout, recipe.stage, H800)
    assert fitting.gpus == 16
    overrides = ["engine=gpus-8", *differences(layout, fitting)]
    changed = load_recipe(RECIPES / "or1-32b.toml", overrides)
    assert layout_of(changed) == fitting
    assert all(stage_memory(SHAPE, fitting, stage, H800).fits for stage in changed.stage)


def test_where_more_splitting_is_enough_no_gpus_are_added():
    recipe = load_recipe(
        RECIPES / "or1-32b.toml",
        ["engine=gpus-64", "engine.token_budget=60000", "engine.rollout.tensor_parallel=1",
         "engine.rollout.replicas=64", "engine.rollout.memory_share=0.7"],
    )  # fmt: skip
    fitting = remedy(SHAPE, layout_of(recipe), recipe.stage, H800)
    assert fitting.gpus == 64
    assert fitting.tensor_parallel == 2
    assert fitting.token_budget < 60_000


def test_no_remedy_is_named_where_one_row_is_too_long(recipe):
    stage = recipe.stage[0]
    rollout = stage.rollout.model_copy(update={"max_new_tokens": 1 << 24})
    endless = stage.model_copy(update={"rollout": rollout})
    assert remedy(SHAPE, layout_of(recipe), [endless], H800) is None


def test_the_largest_budget_fits_and_the_next_does_not():
    recipe = load_recipe(RECIPES / "or1-32b.toml", ["engine=gpus-64"])
    layout, stage = layout_of(recipe), recipe.stage[1]
    budget = largest_token_budget(SHAPE, layout, stage, H800)
    for tokens, fits in ((budget, True), (budget + 1_024, False)):
        changed = replace(layout, token_budget=tokens)
        assert stage_memory(SHAPE, changed, stage, H800).fits is fits


def test_differences_name_every_changed_key_as_a_recipe_does(recipe):
    layout = layout_of(recipe)
    changed = replace(layout, recompute=not layout.recompute, ranks=16, tensor_parallel=8)
    assert differences(layout, changed) == [
        f"engine.recompute={str(not layout.recompute).lower()}",
        "engine.learner.ranks=16",
        "engine.rollout.tensor_parallel=8",
    ]
    assert differences(layout, layout) == []


# One process on one card


def test_fewer_rows_are_proposed_where_the_cache_is_too_large_and_nothing_else():
    recipe = on_a_card()
    layout = layout_of(recipe)
    assert not fits_everywhere(layout, recipe, RTX_4090)
    fitting = remedy(SMALL, layout, recipe.stage, RTX_4090)
    assert [change.partition("=")[0] for change in differences(layout, fitting)] == [
        "engine.max_rows"
    ]
    assert fits_everywhere(fitting, recipe, RTX_4090)
    more = replace(fitting, max_rows=fitting.max_rows + 1)
    assert not fits_everywhere(more, recipe, RTX_4090)


def test_a_smaller_microbatch_is_proposed_before_the_activations_are_recomputed():
    recipe = on_a_card("engine.token_budget=65536", "engine.max_rows=2")
    layout = layout_of(recipe)
    fitting = remedy(SMALL, layout, recipe.stage, GPUS["L40S"])
    assert not fitting.recompute
    assert 4_096 < fitting.token_budget < 65_536
    assert fits_everywhere(fitting, recipe, GPUS["L40S"])
    larger = replace(fitting, token_budget=fitting.token_budget + 1_024)
    assert not fits_everywhere(larger, recipe, GPUS["L40S"])


def test_where_one_row_is_too_large_its_activations_are_recomputed():
    recipe = on_a_card("stage.2.rollout.max_new_tokens=8192", "engine.max_rows=1")
    layout = layout_of(recipe)
    fitting = remedy(SMALL, layout, recipe.stage, RTX_4090)
    assert differences(layout, fitting) == ["engine.recompute=true"]


def test_bfloat16_is_proposed_where_nothing_fits_in_float32_and_the_card_has_it():
    recipe = on_a_card('engine.compute="float32"', "stage.2.rollout.max_new_tokens=16384")
    layout = layout_of(recipe)
    shape = shape_of("Qwen/Qwen3-1.7B")
    fitting = remedy(shape, layout, recipe.stage, RTX_4090)
    assert "engine.compute=bfloat16" in differences(layout, fitting)
    assert fits_everywhere(fitting, recipe, RTX_4090, shape)
    old = replace(RTX_4090, has_bfloat16=False)
    assert remedy(shape, layout, recipe.stage, old) is None


def test_moments_move_to_the_host_before_the_layers_compute_in_another_type():
    recipe = on_a_card('engine.compute="float32"', "engine.recompute=true", "engine.max_rows=1")
    layout = layout_of(recipe)
    shape = shape_of("Qwen/Qwen3-1.7B")
    fitting = remedy(shape, layout, recipe.stage, RTX_4090)
    assert differences(layout, fitting)[-1] == "optimizer.offload=true"
    assert fitting.compute == "float32"
    assert fits_everywhere(fitting, recipe, RTX_4090, shape)


def test_the_most_rows_fit_and_one_more_does_not():
    recipe = on_a_card()
    layout, stage = layout_of(recipe), recipe.stage[1]
    rows = largest_rows(SMALL, layout, stage, RTX_4090)
    for count, fits in ((rows, True), (rows + 1, False)):
        changed = replace(layout, max_rows=count)
        rollout = stage_memory(SMALL, changed, stage, RTX_4090).rollout
        assert (rollout.total_bytes <= RTX_4090.memory_bytes) is fits


def test_there_are_at_most_as_many_rows_as_rollouts_in_a_step():
    recipe = on_a_card("stage.1.rollout.max_new_tokens=8")
    stage = recipe.stage[0]
    rollouts = stage.rollout.prompts_per_step * stage.rollout.group_size
    assert largest_rows(SMALL, layout_of(recipe), stage, GPUS["B200"]) == rollouts


def test_no_row_and_no_budget_is_named_where_the_state_alone_is_too_large():
    recipe = on_a_card()
    layout, shape = layout_of(recipe), shape_of("Qwen/Qwen3-8B")
    assert largest_rows(shape, layout, recipe.stage[0], RTX_4090) is None
    assert largest_token_budget(shape, layout, recipe.stage[0], RTX_4090) is None


def test_vllm_beside_a_learner_moves_it_to_the_host_before_it_shrinks_its_cache():
    recipe = on_a_card("engine.recompute=true")
    layout = replace(layout_of(recipe), samples_with_vllm=True, memory_share=0.6)
    fitting = remedy(SMALL, layout, recipe.stage, RTX_4090)
    assert differences(layout, fitting) == ["engine.offload=true"]


def test_a_share_that_holds_no_rollout_grows_beside_the_learner_while_there_is_room():
    recipe = on_a_card("engine.recompute=true")
    layout = replace(layout_of(recipe), samples_with_vllm=True, memory_share=0.2)
    assert stage_memory(SMALL, layout, recipe.stage[1], RTX_4090).rows_full == 0
    fitting = remedy(SMALL, layout, recipe.stage, RTX_4090)
    assert differences(layout, fitting) == ["engine.rollout.memory_share=0.3"]


def test_the_command_proposes_options_with_which_the_recipe_fits():
    recipe = [str(RECIPES / "quickstart.toml"), "--gpu", "4090"]
    options = [word for override in (*ON_A_CARD, *ROWS_OF_4K) for word in ("--set", override)]
    done = reasonrl_here("plan", *recipe, *options)
    assert done.returncode == 1
    assert "does not fit on RTX 4090 (24 GB): short, long" in done.stdout
    assert "largest max_rows" in done.stdout
    proposed = done.stdout.partition("fits on RTX 4090 (24 GB) with ")[2].splitlines()[0]
    again = reasonrl_here("plan", *recipe, *options, *proposed.split())
    assert again.returncode == 0
    assert "fits on RTX 4090 (24 GB)\n" in again.stdout


def test_the_command_says_where_the_model_itself_is_too_large():
    options = [word for override in ON_A_CARD[:2] for word in ("--set", override)]
    done = reasonrl_here(
        "plan", "quickstart", *options, "--set", "model.name=Qwen/Qwen3-8B", "--gpu", "4090"
    )
    assert done.returncode == 1
    # 16 bytes for each of 8.19e9 parameters, and 2 for the 6.95e9 of the layers' matrices.
    assert "what learning keeps from step to step takes 135.0 GiB" in done.stdout
    assert "choose a smaller model" in done.stdout
