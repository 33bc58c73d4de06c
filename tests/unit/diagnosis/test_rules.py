"""Each rule sees what it is for, since the right step, and stays quiet on a healthy run."""

import pytest

from reasonrl.diagnosis.doctor import examine, found_now
from reasonrl.recipe.named import recipe_path
from reasonrl.recipe.toml import load_recipe


def recipe(*settings):
    return load_recipe(recipe_path("tiny"), list(settings))


def row(step, **changes):
    """A step of a run that learns, with changes by metric: `reward__mean` is reward/mean."""
    usual = {
        "step": step, "stage": "short", "reward/mean": 0.1 + 0.005 * step,
        "rollout/truncated_share": 0.1, "rollout/sampled": 256, "rollout/failed": 0,
        "groups/kept": 9, "groups/solved": 2, "groups/unsolved": 5,
        "entropy/nats": 2.0 - 0.01 * step, "entropy/alpha": 0.01,
        "update/gradient_norm": 0.5, "update/gap_mean": 1e-6, "verify/status/CORRECT": 30,
    }  # fmt: skip
    return usual | {key.replace("__", "/"): value for key, value in changes.items()}


def run(n=20, since=99, **changes):
    """Rows of a run that is healthy before a step, and has the changes from it on."""
    return [row(step, **(changes if step >= since else {})) for step in range(1, n + 1)]


SICK = {
    "policy-broken": (run(since=12, reward__mean=0.01), "update.learning_rate=0.0002"),
    "entropy-collapse": (run(since=12, entropy__nats=0.2), "update.clip_high=0.28"),
    "entropy-explosion": (run(since=12, entropy__nats=5.0), "entropy.maximum=0.001"),
    "truncated": (run(since=12, rollout__truncated_share=0.95), "rollout.max_new_tokens=8"),
    "all-solved": (
        run(since=12, groups__kept=0, groups__solved=16, groups__unsolved=0), "drop_solved=true",
    ),
    "none-solved": (
        run(since=12, groups__kept=0, groups__solved=0, groups__unsolved=16),
        "rollout.group_size=32",
    ),
    "no-answer-read": (
        run(since=12, groups__kept=0, groups__solved=0, groups__unsolved=16,
            **{"verify/status/NO_ANSWER": 200}),
        "verify.unboxed=true",
    ),
    "few-groups": (run(since=12, groups__kept=1), "rollout.prompts_per_step=64"),
    "verifier-fails": (run(since=12, rollout__failed=60), "verify.deadline_s=1.6"),
    "sampler-apart": (run(since=12, update__gap_mean=0.4), "engine.compute=float32"),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "cure"), SICK.values(), ids=SICK)
def test_a_rule_names_what_it_is_for_since_the_step_that_shows_it(rows, cure, request):
    rule = request.node.callspec.id
    (finding,) = [each for each in examine(recipe(), rows) if each.rule == rule]
    assert finding.since_step == 12
    assert finding.cure.removeprefix("stage.1.") == cure
    assert finding.evidence
    assert finding.message[0].islower() or finding.message[0].isdigit()


@pytest.mark.parametrize("rule", SICK)
def test_a_rule_is_silent_until_the_sickness_has_shown_for_its_steps(rule):
    rows, _ = SICK[rule]
    told = [n for n in range(1, 21) if rule in {f.rule for f in found_now(recipe(), rows[:n])}]
    assert told[0] in (14, 16, 17)  # three, five or six steps from step 12 on
    assert told == list(range(told[0], 21))


def test_a_spike_of_the_gradient_is_one_step():
    rows = run()
    rows[11]["update/gradient_norm"] = 8.0
    (finding,) = examine(recipe(), rows)
    assert (finding.rule, finding.since_step, finding.value) == ("gradient-spike", 12, "1")


def test_a_healthy_run_has_no_finding():
    assert examine(recipe(), run(40)) == []
    assert examine(recipe(), []) == []


def test_low_entropy_is_no_finding_where_it_is_wanted_or_all_is_right():
    held = run(since=12, entropy__nats=0.3)  # the target of tiny is 0.5
    assert examine(recipe(), held) == []
    solved = run(since=12, entropy__nats=0.1, reward__mean=0.95)
    assert examine(recipe(), solved) == []


def test_steps_without_a_number_say_nothing():
    rows = run(since=12, reward__mean=None, entropy__nats=None, update__gap_mean=None,
               update__gradient_norm=None)  # fmt: skip
    assert [each.rule for each in examine(recipe(), rows)] == ["policy-broken"]
