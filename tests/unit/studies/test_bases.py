"""From an arm and a seed to a whole recipe."""

from pathlib import Path

import pytest

from reasonrl.errors import ConfigError
from reasonrl.lab.miniature import Spec, directory_of
from reasonrl.studies.arm import Arm
from reasonrl.studies.arms import arms_of
from reasonrl.studies.bases import miniature_base, recipe_base
from reasonrl.studies.scales import MINIATURE
from tests.e2e.support import RECIPES

TINY = Path(RECIPES / "tiny.toml")


def arm(changes, stages=({"steps": 3},), **more):
    return Arm(name="mine", what="", changes=changes, stages=stages, every=1, **more)


def test_a_run_starts_from_the_miniature_of_its_seed():
    recipe = miniature_base(Spec())(arms_of(MINIATURE)["on-policy"], 7)
    assert recipe.model.name == str(directory_of(Spec(), 7))
    assert recipe.seed == 7
    assert [suite.temperature for suite in recipe.suite] == [1.0]
    cool = miniature_base(Spec())(arms_of(MINIATURE)["temperature-0.6"], 7)
    assert [suite.temperature for suite in cool.suite] == [1.0, 0.6]


def test_dotted_keys_reach_their_tables_and_stages_differ():
    stages = ({"steps": 2, "rollout.max_new_tokens": 9}, {"steps": 3})
    recipe = miniature_base(Spec())(arm({"update.minibatches": 2}, stages), 1)
    assert [stage.update.minibatches for stage in recipe.stage] == [2, 2]
    assert [stage.rollout.max_new_tokens for stage in recipe.stage] == [9, MINIATURE.limit]
    assert [stage.steps for stage in recipe.stage] == [2, 3]


def test_another_entropy_mode_keeps_no_number_of_the_old_one():
    recipe = miniature_base(Spec())(arm({"entropy.mode": "fixed", "entropy.initial": 0.01}), 1)
    [stage] = recipe.stage
    assert (stage.entropy.mode, stage.entropy.initial) == ("fixed", 0.01)


def test_easy_problems_are_not_filtered_by_difficulty():
    arms, base = arms_of(MINIATURE), miniature_base(Spec())
    assert base(arms["data-easy"], 1).stage[0].data.difficulty is None
    assert base(arms["control-2"], 1).stage[0].data.difficulty is not None


def test_a_recipe_gives_its_model_and_suites_and_the_first_suite_again_at_0_6():
    base = recipe_base(TINY, ["engine.threads=1"])
    assert [suite.temperature for suite in base(arm({}), 3).suite] == [1.0]
    recipe = base(arm({}, is_cool=True), 3)
    suites = [(suite.name, suite.temperature) for suite in recipe.suite]
    assert suites[-1] == ("heldout-t0.6", 0.6)
    assert recipe.suite[-1].sources == recipe.suite[0].sources
    assert recipe.name == "mine"


def test_a_key_that_no_recipe_has_is_told_with_its_arm():
    with pytest.raises(ConfigError, match="arm mine"):
        miniature_base(Spec())(arm({"update.minibatch": 2}), 1)
