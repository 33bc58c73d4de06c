"""Recipes as files: what is laid over what, and where relative paths start."""

import re

import pytest

from reasonrl.errors import ConfigError
from reasonrl.recipe import InProcessVllm, RolloutReplicas
from reasonrl.recipe.toml import dump_recipe, load_eval_recipe, load_recipe
from tests.e2e.support import RECIPES, REPOSITORY

TINY = RECIPES / "tiny.toml"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_reads_back_equal_from_its_resolved_form(path, tmp_path):
    load = load_eval_recipe if path.stem.startswith("eval-") else load_recipe
    recipe = load(path)
    copy = tmp_path / "copy.toml"
    copy.write_text(dump_recipe(recipe))
    assert load(copy) == recipe


def test_the_reports_evaluation_is_the_reports():
    """Section 8 of the report: avg@32, avg@32 and avg@4 at 32,768 tokens and temperature 1."""
    suites = {suite.name: suite for suite in load_eval_recipe(RECIPES / "eval-or1.toml").suite}
    assert {name: suite.k for name, suite in suites.items()} == {
        "aime24": 32, "aime25": 32, "livecodebench": 4,
    }  # fmt: skip
    assert {suite.max_new_tokens for suite in suites.values()} == {32_768}
    assert {suite.temperature for suite in suites.values()} == {1.0}
    assert all(suite.limit is None for suite in suites.values())
    window = suites["livecodebench"].sources[0]
    assert (str(window.since), str(window.until)) == ("2024-08-01", "2025-02-01")


def test_a_suite_with_several_temperatures_is_one_for_each():
    suite = '{name="s", sources=[{type="arithmetic"}], max_new_tokens=4, temperature=[0.6, 1.0]}'
    recipe = load_recipe(TINY, [f"suite=[{suite}]"])
    assert [(one.name, one.temperature) for one in recipe.suite] == [("s-t0.6", 0.6), ("s-t1.0", 1)]


def test_a_training_recipe_lends_its_evaluation():
    recipe = load_eval_recipe(RECIPES / "quickstart.toml")
    assert recipe.system_prompt == "Answer with a number."
    assert recipe.verify.unboxed
    assert recipe.suite[0].name == "heldout"


def test_the_example_of_the_docs_is_a_recipe(tmp_path):
    text = (REPOSITORY / "docs" / "recipes.md").read_text()
    example = text.split("```toml")[1].split("```")[0]
    (tmp_path / "example.toml").write_text(example)
    recipe = load_recipe(tmp_path / "example.toml")
    assert [stage.rollout.max_new_tokens for stage in recipe.stage] == [16, 32]


def test_extends_lays_tables_over_tables_and_replaces_lists(tmp_path):
    (tmp_path / "child.toml").write_text(
        f'extends = "{TINY}"\nname = "child"\n[rollout]\ngroup_size = 5\n[[stage]]\nsteps = 3\n'
    )
    child, parent = load_recipe(tmp_path / "child.toml"), load_recipe(TINY)
    assert child.rollout.group_size == 5
    assert child.rollout.max_new_tokens == parent.rollout.max_new_tokens
    assert [stage.steps for stage in child.stage] == [3]


def test_a_circle_of_extends_is_refused(tmp_path):
    (tmp_path / "a.toml").write_text('extends = "b.toml"\n')
    (tmp_path / "b.toml").write_text('extends = "a.toml"\n')
    with pytest.raises(ConfigError, match="circle"):
        load_recipe(tmp_path / "a.toml")


def test_relative_paths_start_at_the_file_or_for_overrides_at_the_shell(tmp_path, monkeypatch):
    recipes, shell = tmp_path / "recipes", tmp_path / "shell"
    recipes.mkdir()
    shell.mkdir()
    (recipes / "child.toml").write_text(
        f'extends = "{TINY}"\n[data]\nsources = [{{type = "file", path = "x.jsonl"}}]\n'
    )
    monkeypatch.chdir(shell)
    plain = load_recipe(recipes / "child.toml")
    assert plain.data.sources[0].path == recipes / "x.jsonl"
    changed = load_recipe(
        recipes / "child.toml",
        ['data.sources=[{type="file", path="y.jsonl"}]', 'model.name="./m"'],
    )
    assert changed.data.sources[0].path == shell / "y.jsonl"
    assert changed.model.name == str(shell / "m")


@pytest.mark.parametrize("how", ["override", "stage"])
def test_another_entropy_mode_brings_its_own_numbers_but_keeps_the_target(how, tmp_path):
    if how == "override":
        stage = load_recipe(TINY, ['entropy.mode="report"']).stage[0]
    else:
        (tmp_path / "r.toml").write_text(
            f'extends = "{TINY}"\n[[stage]]\nsteps = 1\n[stage.entropy]\nmode = "report"\n'
        )
        stage = load_recipe(tmp_path / "r.toml").stage[0]
    assert (stage.entropy.delta, stage.entropy.maximum) == (5e-3, float("inf"))
    assert stage.entropy.target_nats == load_recipe(TINY).entropy.target_nats


def test_a_name_that_would_leave_the_runs_directory_is_refused():
    with pytest.raises(ConfigError, match="name"):
        load_recipe(TINY, ['name="../../x"'])


BLOCKS = """
name = "blocks"
engine = "small"
[data]
sources = [{ type = "arithmetic" }]
[engines.small]
threads = 1
[engines.large]
type = "ray"
learner = { ranks = 2 }
[[stage]]
steps = 1
"""


def test_an_engine_block_is_chosen_by_name(tmp_path):
    path = tmp_path / "blocks.toml"
    path.write_text(BLOCKS)
    assert load_recipe(path).engine.threads == 1
    large = load_recipe(path, ["engine=large", "engine.learner.ranks=4"]).engine
    assert (large.type, large.learner.ranks) == ("ray", 4)


def test_an_engine_block_that_is_not_there_is_named_with_those_that_are(tmp_path):
    path = tmp_path / "blocks.toml"
    path.write_text(BLOCKS)
    with pytest.raises(ConfigError, match="small, large"):
        load_recipe(path, ["engine=huge"])


def test_a_wrong_key_in_a_block_that_is_not_chosen_is_an_error(tmp_path):
    path = tmp_path / "blocks.toml"
    path.write_text(BLOCKS.replace("ranks = 2", "rank = 2"))
    with pytest.raises(ConfigError, match=r"engines\.large.*learner\.rank'.*learner\.ranks"):
        load_recipe(path)


def test_replicas_in_one_process_are_refused():
    with pytest.raises(ConfigError, match=r'expected engine\.type = "ray" beside this key'):
        load_recipe(RECIPES / "tiny.toml", ["engine.rollout.replicas=2"])


@pytest.mark.parametrize("asked", [("engine.type=ray", "engine.rollout.replicas=2"),
                                   ("engine.rollout.replicas=2", "engine.type=ray")])  # fmt: skip
def test_overrides_of_an_engine_and_its_tables_may_come_in_any_order(asked):
    assert load_recipe(RECIPES / "tiny.toml", asked).engine.rollout.replicas == 2


def test_a_local_runs_recipe_may_move_to_a_cluster_and_back(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(dump_recipe(load_recipe(RECIPES / "tiny.toml")))
    there = load_recipe(path, ["engine.type=ray", "engine.placement=shared"])
    assert there.engine.rollout.type == "vllm"
    path.write_text(dump_recipe(there))
    assert load_recipe(path, ["engine.type=local"]) == load_recipe(RECIPES / "tiny.toml")


def test_a_wire_needs_replicas_on_gpus_of_their_own():
    ray = ["engine.type=ray", "engine.sync=wire"]
    assert load_recipe(RECIPES / "tiny.toml", ray).engine.sync == "wire"
    with pytest.raises(ConfigError, match='sync = "wire" needs placement = "separate"'):
        load_recipe(RECIPES / "tiny.toml", [*ray, "engine.placement=shared"])


def test_the_order_of_overrides_of_an_engine_does_not_matter(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(dump_recipe(load_recipe(RECIPES / "tiny.toml")))
    asked = ["engine.rollout.type=local", "engine.type=ray", "engine.rollout.replicas=2"]
    for overrides in (asked, asked[::-1]):
        assert load_recipe(path, overrides).engine.rollout == RolloutReplicas(
            type="local", replicas=2
        )


def test_vllm_in_the_learners_process_is_a_sampler_of_the_local_engine():
    recipe = load_recipe(RECIPES / "tiny.toml", ["engine.rollout.type=vllm", "engine.offload=true"])
    assert recipe.engine.rollout == InProcessVllm(memory_share=0.5)
    for overrides, word in (
        (["engine.offload=true"], "offload = true needs rollout.type"),
        (["engine.rollout.type=vllm", "engine.device=cuda:1"], "CUDA_VISIBLE_DEVICES"),
        (["engine.rollout.memory_share=0.5"], 'engine.rollout.type = "vllm" beside this key'),
    ):
        with pytest.raises(ConfigError, match=re.escape(word)):
            load_recipe(RECIPES / "tiny.toml", overrides)


def test_a_recipe_with_vllm_may_sample_with_the_learners_module_instead():
    """As the error of a machine without vLLM advises."""
    for path in RECIPES.glob("one-gpu-*.toml"):
        assert load_recipe(path).engine.rollout.type == "vllm"
        engine = load_recipe(path, ["engine.rollout.type=local"]).engine
        assert (engine.rollout.type, engine.offload) == ("local", False)


def test_a_run_from_before_the_local_sampler_was_renamed_is_read(tmp_path):
    path = tmp_path / "config.toml"
    now = dump_recipe(load_recipe(RECIPES / "tiny.toml"))
    assert 'type = "local"' in now
    path.write_text(
        "format = 1\n"
        + now.replace('[engine.rollout]\ntype = "local"', '[engine.rollout]\ntype = "module"')
    )
    assert '"module"' in path.read_text()
    assert load_recipe(path) == load_recipe(RECIPES / "tiny.toml")


def test_a_default_laid_over_another_value_of_the_base_counts(tmp_path):
    base, mine = tmp_path / "base.toml", tmp_path / "mine.toml"
    text = (RECIPES / "tiny.toml").read_text()
    base.write_text(text + '\n[engine]\ntype = "ray"\nrestarts = 5\n')
    mine.write_text('extends = "base.toml"\n[engine]\nrestarts = 3\n')
    assert load_recipe(mine).engine.restarts == 3
