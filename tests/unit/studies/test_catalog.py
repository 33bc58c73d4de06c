"""The catalog: twelve studies of the report and four more, each of arms that exist."""

import re
from pathlib import Path

import pytest

from reasonrl.errors import ConfigError
from reasonrl.lab.miniature import Spec
from reasonrl.studies.arms import arms_of
from reasonrl.studies.bases import miniature_base, recipe_base
from reasonrl.studies.catalog import studies_of
from reasonrl.studies.record import Axis
from reasonrl.studies.scales import MINIATURE, REPORT
from tests.e2e.support import RECIPES

SCALES = (MINIATURE, REPORT)


@pytest.mark.parametrize("scale", SCALES)
def test_every_arm_is_used_and_every_named_arm_exists(scale):
    named = {arm for study in studies_of(scale).values() for arm in study.arms}
    assert named == arms_of(scale).keys()


def test_every_experiment_of_the_report_is_in_one_study():
    found = [one.where for one in studies_of(MINIATURE).values() if one.is_reports]
    numbers = [int(one) for where in found for one in re.findall(r"Experiment (\d+)", where)]
    assert sorted(numbers) == list(range(1, 13))
    assert len(found) == 12


@pytest.mark.parametrize("scale", SCALES)
def test_every_study_has_a_claim_that_decides_it(scale):
    for study in studies_of(scale).values():
        assert any(claim.is_headline for claim in study.claims)


def test_every_arm_is_a_recipe_on_the_miniature():
    base = miniature_base(Spec())
    recipes = {name: base(arm, 1) for name, arm in arms_of(MINIATURE).items()}
    assert {one.seed for one in recipes.values()} == {1}
    assert recipes["minibatches-4"].stage[0].update.minibatches == 4
    assert [one.rollout.max_new_tokens for one in recipes["multi-stage"].stage] == [38, 76]
    assert sum(one.steps for one in recipes["kl-kept-long"].stage) == 1_000
    bodies = [one.model_dump_json(exclude={"name"}) for one in recipes.values()]
    assert len(set(bodies)) == len(bodies)  # no arm is another under a second name


def test_arms_run_on_a_recipe_of_the_reports_size_but_for_those_with_the_labs_data():
    base = recipe_base(Path(RECIPES / "or1-7b.toml"), ["engine=gpus-8"])
    for name, arm in arms_of(REPORT).items():
        if arm.data == ("train",):
            recipe = base(arm, 2)
            assert (recipe.name, recipe.seed) == (name, 2)
            assert recipe.model.name == "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"
            assert {one.update.learning_rate for one in recipe.stage} == {1e-6}
            assert [one.rollout.max_new_tokens for one in recipe.stage] == {
                "multi-stage": [8_192, 16_384], "kl-kept": [8_192, 16_384],
                "kl-dropped": [8_192, 16_384],
            }.get(name, [8_192 if name.startswith("truncation") else 16_384])  # fmt: skip
            assert (recipe.suite[-1].temperature == 0.6) is (
                name in ("control-2", "temperature-0.6")
            )
        else:
            with pytest.raises(ConfigError, match="only the lab has"):
                base(arm, 2)


def test_the_baseline_is_the_reports_whatever_the_recipe_says():
    base = recipe_base(Path(RECIPES / "or1-math-7b.toml"), ["engine=gpus-8"])
    [stage] = base(arms_of(REPORT)["on-policy"], 1).stage
    assert (stage.rollout.prompts_per_step, stage.rollout.group_size) == (64, 16)
    assert (stage.update.minibatches, stage.update.reuse) == (1, 1)
    assert stage.entropy.mode == "none"


def test_arms_that_are_compared_are_evaluated_at_common_steps():
    """In the last fifth of the steps that they share, up to the very last of them."""
    arms, base = arms_of(MINIATURE), miniature_base(Spec())
    every = {name: base(arm, 1).suite[0].every for name, arm in arms.items()}
    steps = {name: sum(stage.steps for stage in base(arm, 1).stage) for name, arm in arms.items()}
    for study in studies_of(MINIATURE).values():
        for claim in study.claims:
            if claim.measure.scoring is None or not claim.other or claim.at is not Axis.STEPS:
                continue
            shared = min(steps[claim.arm], steps[claim.other])
            for name in (claim.arm, claim.other):
                assert shared % every[name] == 0
                assert every[name] <= 0.2 * shared
