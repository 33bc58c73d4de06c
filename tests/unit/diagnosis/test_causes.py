"""One cause for a run's findings, and the setting that a stranger would suspect."""

from math import inf

import pytest

from reasonrl.diagnosis.doctor import examine
from reasonrl.diagnosis.facts import Facts
from reasonrl.diagnosis.history import Columns, History
from reasonrl.diagnosis.suspects import USUAL, suspects
from reasonrl.recipe.named import recipe_path, shipped_recipes
from reasonrl.recipe.toml import load_recipe
from tests.unit.diagnosis.test_rules import LOST, evaluated, recipe, row, run, since

LOW = {"accuracy__all": 0.03, "reward__mean": 0.03}


def history_of(*settings):
    rows = [row(1)]
    return History(recipe=recipe(*settings), columns=Columns(rows), n=1)


def by_rule(rows, *settings):
    return {one.rule: one for one in examine(recipe(*settings), rows)}


# Consequences


def test_what_a_lost_policy_brings_names_the_loss_and_has_no_cure_of_its_own():
    rows = since(12, groups__kept=0, groups__solved=0, groups__unsolved=16,
                 rollout__truncated_share=0.95, **LOST)  # fmt: skip
    found = by_rule(rows)
    assert found["policy-broken"].follows == ""
    assert found["policy-broken"].cure
    for rule in ("none-solved", "truncated"):
        assert found[rule].follows == "policy-broken"
        assert found[rule].cause == "it follows from policy-broken since step 12"
        assert not found[rule].cure


def test_what_was_there_before_the_loss_keeps_its_own_cause():
    rows = since(6, rollout__open_thought_share=0.9)
    rows[12:] = [one | {"accuracy/all": 0.01} for one in rows[12:]]
    found = by_rule(rows)
    assert found["open-thoughts"].follows == ""
    assert "thought_marks" in found["open-thoughts"].cause


def test_a_limit_that_cuts_all_explains_that_nothing_is_solved():
    rows = since(5, groups__kept=0, groups__unsolved=16, groups__solved=0,
                 rollout__truncated_share=1.0)  # fmt: skip
    found = by_rule(rows)
    assert found["none-solved"].follows == "truncated"
    assert found["truncated"].cure == "stage.1.rollout.max_new_tokens=8"


def test_an_accuracy_that_falls_step_by_step_is_told_where_nothing_else_is_known():
    falls = run(40, since=10, accuracy__all=lambda step: max(0.02, 0.3 - 0.01 * (step - 10)))
    found = by_rule(falls, "stage.1.steps=40")
    assert set(found) == {"accuracy-falls"}
    assert 10 < found["accuracy-falls"].since_step <= 18
    assert found["accuracy-falls"].is_grave
    known = [one | {"advantage/right_minus_wrong": -2.0} for one in falls]
    assert "accuracy-falls" not in by_rule(known, "stage.1.steps=40")


def test_an_accuracy_that_jumps_about_its_level_does_not_fall():
    jumps = run(40, since=1, accuracy__all=lambda step: 0.3 + 0.15 * (-1) ** step)
    jumps[-8:] = [one | {"accuracy/all": 0.22} for one in jumps[-8:]]
    assert "accuracy-falls" not in by_rule(jumps, "stage.1.steps=40")


def test_a_fall_at_the_border_of_a_stage_is_the_stage_s():
    rows = run(20, since=1, accuracy__all=0.4, entropy__nats=lambda step: 2.0 - 0.02 * step)
    rows += [row(step, stage="long", **LOW) | {"accuracy/all": 0.2} for step in range(21, 45)]
    assert "accuracy-falls" not in by_rule(rows, "stage.2.steps=40")


# Wrong answers that are paid for


@pytest.mark.parametrize(
    ("settings", "cure"),
    [
        (("update.advantage=own.py:mine",), "stage.1.update.advantage=group"),
        (('reward=[{type="verifier"}, {type="repetition", name="bonus", weight=8.0}]',),
         "reward.2.weight=2"),
        ((), ""),
    ],
)  # fmt: skip
def test_advantages_that_are_higher_for_wrong_answers_are_told(settings, cure):
    rows = [one | {"advantage/right_minus_wrong": 2.0 if one["step"] < 5 else -1.5}
            for one in run(10)]  # fmt: skip
    found = by_rule(rows, *settings)["wrong-rewarded"]
    assert (found.since_step, found.found_step, found.cure) == (5, 7, cure)
    assert "(-1.5 apart" in found.message


def test_a_reward_that_has_nothing_to_do_with_the_verdict_is_told():
    own = ('reward=[{type="verifier", weight=0.0}, {type="repetition", name="own"}]',)
    rows = [one | {"advantage/right_minus_wrong": 0.3 * (-1) ** one["step"]} for one in run(10)]
    found = by_rule(rows, *own)["wrong-rewarded"]
    assert (found.since_step, found.found_step, found.cure) == (1, 8, "reward.1.weight=1")
    assert "belongs to its rollout" in found.cause
    # Advantages that are not divided by a deviation are small for other reasons.
    assert "wrong-rewarded" not in by_rule(rows, *own, "update.scale_advantages=false")


# Problems that are not what they seem


def test_problems_far_harder_than_the_suite_are_told_where_accuracy_does_not_rise():
    facts = Facts(evaluations=evaluated(0.5, 0.5))
    flat = run(16, since=1, accuracy__all=0.1)
    (found,) = examine(recipe(), flat, facts)
    assert (found.rule, found.since_step, found.found_step) == ("no-gain", 1, 16)
    assert found.cause.startswith("10% of the answers are right where the suite train has 50%")
    assert examine(recipe(), run(30), facts) == []  # it rises
    assert examine(recipe(), run(16, since=1, accuracy__all=0.4), facts) == []


def test_an_accuracy_that_does_not_rise_is_told_without_a_suspect_too():
    flat = run(40, since=1, accuracy__all=0.2)
    found = by_rule(flat, "stage.1.steps=40")["no-gain"]
    assert (found.found_step, found.cure) == (32, "")
    assert "nothing of the recipe stands out" in found.cause
    # With few problems a step a rise may be hidden in the noise.
    noisy = run(40, since=1, accuracy__all=lambda step: 0.2 + 0.1 * (-1) ** step + step / 600)
    assert "no-gain" not in by_rule(noisy, "stage.1.steps=40")
    solved = run(40, since=1, accuracy__all=0.9)
    assert "no-gain" not in by_rule(solved, "stage.1.steps=40")
    # A later stage may have harder problems, and the report's second stages stand still.
    later = [one | {"stage": "long"} for one in flat]
    rows = run(20, since=1, accuracy__all=lambda step: 0.01 * step) + later
    assert "no-gain" not in by_rule(rows, "stage.2.steps=40")


def test_groups_with_equal_rewards_are_no_unsolved_problems():
    own = ('reward=[{type="verifier", weight=0.0}, {type="repetition", name="own"}]',)
    rows = since(5, groups__kept=0, groups__solved=1, groups__unsolved=2, groups__flat=13,
                 accuracy__all=0.4)  # fmt: skip
    found = by_rule(rows, *own)
    assert "none-solved" not in found
    assert found["reward-flat"].cure == "reward.1.weight=1"
    assert "40% of the answers are right" in found["reward-flat"].message
    assert "the component own gives" in found["reward-flat"].cause


# Suspects


STRANGE = {
    "rollout.temperature": "3.0",
    "rollout.group_size": "2",
    "rollout.prompts_per_step": "2",
    "update.kl_coefficient": "5",
    "update.warmup_steps": "19",
    "optimizer.beta1": "0.999",
    "optimizer.beta2": "0.1",
    "optimizer.epsilon": "1.0",
    "optimizer.weight_decay": "300",
    "optimizer.max_gradient_norm": "1e-9",
    "entropy.target_nats": "9",
    "model.lora.alpha": "1000",
    "update.reuse": "40",
    "update.minibatches": "40",
}


@pytest.mark.parametrize(("key", "value"), STRANGE.items())
def test_a_setting_far_outside_what_is_usual_is_the_suspect(key, value):
    found = suspects(history_of(f"{key}={value}"))
    assert found[0].key.removeprefix("stage.1.") == key
    assert key in found[0].words
    assert found[0].distance > 0
    cured = f"{found[0].key}={found[0].value}"
    assert all(one.key != found[0].key for one in suspects(history_of(cured)))


def test_bounds_of_the_ratio_are_suspects_only_where_they_act():
    assert suspects(history_of("update.clip_high=1e-4")) == []
    acts = ("update.minibatches=4", "update.clip_high=1e-4")
    assert [one.key for one in suspects(history_of(*acts))] == ["stage.1.update.clip_high"]
    gspo = ("update.minibatches=4", "update.clip_high=4e-4", "update.surrogate=gspo")
    assert suspects(history_of(*gspo)) == []


def test_a_verifier_with_a_negative_weight_is_the_first_suspect():
    found = suspects(history_of('reward=[{type="verifier", weight=-1.0}]', "rollout.temperature=3"))
    assert [one.key for one in found] == ["reward.1.weight", "stage.1.rollout.temperature"]


TRAINS = [name for name, path in shipped_recipes().items() if "[[stage]]" in path.read_text()]


@pytest.mark.parametrize("name", TRAINS)
def test_no_shipped_recipe_is_far_from_what_is_usual(name):
    shipped = load_recipe(recipe_path(name), [])
    for stage in shipped.stage:
        rows = [{"step": 1, "stage": stage.name}]
        found = suspects(History(recipe=shipped, columns=Columns(rows), n=1))
        assert not any(one.distance for one in found)


def test_every_usual_range_says_what_lies_outside_it():
    for usual in USUAL:
        assert bool(usual.too_low) == (usual.low > -inf)
        assert bool(usual.too_high) == (usual.high < inf)


def test_what_ends_or_asks_a_completion_is_suspected_where_no_answer_is_read():
    rows = since(5, groups__kept=0, groups__solved=0, groups__unsolved=16,
                 **{"verify/status/NO_ANSWER": 240})  # fmt: skip
    found = by_rule(rows, 'model.stop=["</think>"]')["no-answer-read"]
    assert found.cause.startswith('model.stop = ["</think>"] may end completions')
    assert found.cure == "model.stop=[]"
    found = by_rule(rows, 'model.system_prompt="Be brief."')["no-answer-read"]
    assert found.cause.startswith("the model is asked with model.system_prompt of your own")
    assert found.cure == "verify.unboxed=true"


def test_a_guess_names_the_suspect_first_and_keeps_itself():
    found = by_rule(since(12, **LOST), "optimizer.weight_decay=300")["policy-broken"]
    assert found.cause.startswith("optimizer.weight_decay is far above what is usual")
    assert found.cause.endswith("if not that, one update moved the policy too far: "
                                "the learning rate is too high")  # fmt: skip
    assert found.cure == "optimizer.weight_decay=0.01"


def test_a_strange_setting_is_told_only_where_accuracy_does_not_rise():
    flat = run(16, since=1, accuracy__all=0.2)
    found = by_rule(flat, "rollout.temperature=3")["no-gain"]
    assert (found.found_step, found.cure) == (16, "stage.1.rollout.temperature=1.0")
    assert by_rule(run(30), "rollout.temperature=3") == {}
    assert by_rule(flat) == {}
    # Many have a prompt of their own: it is suspected as late as nothing.
    assert by_rule(flat, "model.prompt_style=plain") == {}
    late = run(40, since=1, accuracy__all=0.2)
    asked = by_rule(late, "stage.1.steps=40", "model.prompt_style=plain")["no-gain"]
    assert (asked.found_step, asked.cure) == (32, "model.prompt_style=chat")
