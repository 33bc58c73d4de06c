"""Each rule sees what it is for, since the right step, and stays quiet on a healthy run.

The rows are written by hand: benchmarks/doctor.py asks the same of real runs. What training cannot
plant (disk, memory, slow phases, engines apart, staleness) is tested here alone.
"""

import inspect
import re
from typing import get_args

import pytest

from reasonrl.diagnosis.doctor import examine, found_now
from reasonrl.diagnosis.facts import Evaluated, Facts, Repeats
from reasonrl.diagnosis.rules import RULES
from reasonrl.recipe.doctor import RuleName
from reasonrl.recipe.named import recipe_path
from reasonrl.recipe.toml import load_recipe

LONG_RUN = ("stage.1.steps=90",)
SUITE = ("checkpoint.best=train", "suite.1.every=5")
PIPELINE = (
    'engine={type="ray", placement="separate"}', "pipeline.staleness=4",
)  # fmt: skip
BONUS = (
    'reward=[{type="verifier"}, {type="repetition", name="bonus", weight=2.0}]',
)  # fmt: skip


def recipe(*settings):
    return load_recipe(recipe_path("tiny"), list(settings))


def row(step, **changes):
    """A step of a run that learns, with changes by metric: `reward__mean` is reward/mean."""
    usual = {
        "step": step, "stage": "short", "reward/mean": 0.1 + 0.005 * step,
        "accuracy/all": 0.1 + 0.005 * step, "rollout/mean_tokens": 30.0,
        "rollout/truncated_share": 0.1, "rollout/sampled": 256, "rollout/failed": 0,
        "rollout/same_share": 0.05, "rollout/open_thought_share": 0.1, "rollout/run_on_share": 0.0,
        "groups/kept": 9, "groups/solved": 2, "groups/unsolved": 5,
        "entropy/nats": 2.0 - 0.01 * step, "entropy/alpha": 0.01,
        "update/gradient_norm": 0.5, "update/gap_mean": 1e-6, "update/n": 1,
        "update/clipped_share": 0.0, "data/epoch": 0, "stale/mean_updates": 0.0,
        "time/rollout_s": 2.0, "time/update_s": 3.0, "time/sync_s": 0.1, "time/verdict_s": 0.01,
        "memory/peak_rss_mb": 900.0, "verify/status/CORRECT": 30,
    }  # fmt: skip
    return usual | {key.replace("__", "/"): value for key, value in changes.items()}


def run(n=20, since=99, **changes):
    """Rows of a run that is healthy before a step, and has the changes from it on.

    A change that is a function is given the step.
    """
    rows = []
    for step in range(1, n + 1):
        now = changes if step >= since else {}
        rows.append(row(step, **{k: v(step) if callable(v) else v for k, v in now.items()}))
    return rows


def since(step, **changes):
    return run(since=step, **changes)


LOST = {"accuracy__all": 0.01, "reward__mean": 0.01}
LESS = {"accuracy__all": 0.08}

SICK = {
    "policy-broken": (since(12, **LOST), "update.learning_rate=0.0002", ()),
    "entropy-collapse": (since(12, entropy__nats=0.2), "entropy.maximum=0.05", ()),
    "entropy-explosion": (since(12, entropy__nats=5.0), "entropy.maximum=0.001", ()),
    "truncated": (since(12, rollout__truncated_share=0.95), "rollout.max_new_tokens=8", ()),
    "never-ends": (since(12, rollout__run_on_share=0.7, rollout__truncated_share=0.9), "", ()),
    "all-solved": (
        since(12, groups__kept=0, groups__solved=16, groups__unsolved=0), "drop_solved=true", (),
    ),
    "none-solved": (
        since(12, groups__kept=0, groups__solved=0, groups__unsolved=16), "rollout.group_size=32",
        (),
    ),
    "no-answer-read": (
        since(12, groups__kept=0, groups__solved=0, groups__unsolved=16,
              **{"verify/status/NO_ANSWER": 200}),
        "verify.unboxed=true", (),
    ),
    "few-groups": (since(12, groups__kept=0), "", ()),
    "verifier-fails": (since(12, rollout__failed=60), "verify.deadline_s=1.6", ()),
    "sampler-apart": (since(12, update__gap_mean=0.4), "engine.compute=float32", ()),
    "stale": (
        since(12, update__gap_mean=0.4, stale__mean_updates=3.0), "pipeline.staleness=2", PIPELINE,
    ),
    "open-thoughts": (since(12, rollout__open_thought_share=0.9), "", ()),
    "length-grows": (
        since(12, rollout__mean_tokens=60.0, **LESS), "update.average=limit", (),
    ),
    "length-shrinks": (since(12, rollout__mean_tokens=10.0, **LESS), "", ()),
    "reward-hacked": (
        [one | {"reward/bonus/mean": 0.1 * one["step"]}
         for one in since(12, reward__mean=2.0, **LESS)],
        "reward.2.weight=0.5", BONUS,
    ),
    "one-answer": (since(12, rollout__same_share=0.9), "update.learning_rate=0.0005", ()),
    "slow-phase": (since(12, time__update_s=12.0), "", ()),
}  # fmt: skip

LATE = {"few-groups": None, "slow-phase": None}
"""Rules that look at a mean over some steps, and so name a step before the first sick one."""


@pytest.mark.parametrize("rule", SICK)
def test_a_rule_names_what_it_is_for_since_the_step_that_shows_it(rule):
    rows, cure, settings = SICK[rule]
    if rule == "few-groups":
        rows = since(12, groups__kept=1)
    found = [each for each in examine(recipe(*settings), rows) if each.rule == rule]
    assert found, [each.rule for each in examine(recipe(*settings), rows)]
    (finding,) = found
    assert 8 <= finding.since_step <= 12
    assert finding.since_step == 12 or rule in LATE
    assert 12 < finding.found_step <= 17
    assert not cure or finding.cure.removeprefix("stage.1.") == cure
    assert finding.evidence
    assert finding.message[0].islower() or finding.message[0].isdigit()


@pytest.mark.parametrize("rule", sorted(SICK.keys() - LATE.keys()))
def test_a_rule_is_silent_until_the_sickness_has_shown_for_its_steps(rule):
    rows, _, settings = SICK[rule]
    given = recipe(*settings)
    told = [n for n in range(1, 21) if rule in {f.rule for f in found_now(given, rows[:n])}]
    assert told[0] in (14, 16)  # three or five steps from step 12 on
    assert told == list(range(told[0], 21))


def test_a_slow_phase_tells_of_programs_that_took_the_cores():
    rows = since(12, time__update_s=12.0)
    (alone,) = examine(recipe(), rows)
    assert alone.cause.startswith("another program uses the machine, or something hangs")
    threads = [one | {"time/threads": 2 if one["step"] < 12 else 1} for one in rows]
    (beside,) = examine(recipe(), threads)
    assert beside.cause.startswith("other programs take the cores: 1 of 2 threads are left")


def test_a_spike_of_the_gradient_is_one_step():
    rows = run()
    rows[11]["update/gradient_norm"] = 8.0
    (finding,) = examine(recipe(), rows)
    assert (finding.rule, finding.since_step, finding.value) == ("gradient-spike", 12, "1")


@pytest.mark.parametrize("settings", [(), PIPELINE, BONUS, SUITE])
def test_a_healthy_run_has_no_finding(settings):
    assert examine(recipe(*settings), run(40)) == []
    assert examine(recipe(*settings), []) == []


# What is known from other files than metrics.jsonl


def evaluated(*scores, width=0.05, every=5):
    return [
        Evaluated(suite="train", step=n * every, value=s, low=s - width, high=s + width)
        for n, s in enumerate(scores)
    ]


def rules_of(given, rows, facts):
    return [finding.rule for finding in examine(given, rows, facts)]


def test_problems_learned_by_heart_leave_a_suite_behind():
    rows = run(20, since=2, accuracy__all=lambda step: min(1.0, 0.1 + 0.08 * step), data__epoch=9)
    still = Facts(evaluations=evaluated(0.1, 0.15, 0.12, 0.11, 0.1))
    assert rules_of(recipe(), rows, still) == ["data-exhausted"]
    rises = Facts(evaluations=evaluated(0.1, 0.4, 0.7, 0.9, 0.9))
    assert rules_of(recipe(), rows, rises) == []
    # Problems that were easier than the suite from the start are not learned by heart.
    easy = run(20, since=1, accuracy__all=0.9, data__epoch=9)
    assert rules_of(recipe(), easy, still) == []


def test_prompts_that_come_twice_are_counted():
    twice = Facts(repeats={"short": Repeats(repeated=30, n=100)})
    assert rules_of(recipe(), run(3), twice) == ["duplicated-prompts"]
    assert rules_of(recipe(), run(3), Facts(repeats={"short": Repeats(repeated=3, n=100)})) == []


def test_a_best_checkpoint_that_is_chosen_by_noise_is_told():
    noise = Facts(evaluations=evaluated(0.2, 0.22, 0.21, 0.24))
    given = recipe(*SUITE)
    (finding,) = examine(given, run(20), noise)
    assert (finding.rule, finding.since_step, finding.key) == ("noisy-evaluation", 10, "suite.1.k")
    clear = Facts(evaluations=evaluated(0.2, 0.22, 0.4, 0.6))
    assert rules_of(given, run(20), clear) == []
    assert rules_of(recipe(), run(20), noise) == []  # nothing is chosen


def test_a_disk_without_room_for_two_checkpoints_is_told():
    full = Facts(free_bytes=3_000_000_000, checkpoint_bytes=2_000_000_000)
    assert "disk-fills" in rules_of(recipe(), run(3), full)
    room = Facts(free_bytes=9_000_000_000, checkpoint_bytes=2_000_000_000)
    assert rules_of(recipe(), run(3), room) == []


# Settings without an effect, stages, memory


def test_a_policy_that_does_not_move_is_told():
    still = run(30, since=1, entropy__nats=2.0, accuracy__all=0.2)
    (finding,) = examine(recipe(), still)
    assert (finding.rule, finding.found_step) == ("nothing-moves", 25)
    assert finding.cure.endswith("update.learning_rate=0.02")


def test_a_clip_range_that_cannot_act_is_told():
    assert [f.rule for f in examine(recipe("update.clip_high=0.28"), run())] == ["dead-setting"]
    acts = run(since=3, update__clipped_share=0.01)
    assert examine(recipe("update.clip_high=0.28", "update.minibatches=2"), acts) == []


def test_a_stage_that_has_taught_all_and_goes_on_is_told():
    flat = run(60, since=10, accuracy__all=0.15)
    (finding,) = examine(recipe(*LONG_RUN), flat)
    assert (finding.rule, finding.key) == ("stage-too-long", "stage.1.plateau")


def test_a_stage_that_ends_while_accuracy_rises_is_told():
    rows = run(24, since=1, accuracy__all=lambda step: 0.02 * step)
    rows += [row(25, stage="long")]
    found = examine(recipe("stage.1.steps=24"), rows)
    assert [(each.rule, each.key) for each in found] == [("stage-too-short", "stage.1.steps")]


def test_memory_that_grows_without_an_end_is_told():
    rows = run(40, since=5, memory__peak_rss_mb=lambda step: 900.0 + 40 * step)
    assert [each.rule for each in examine(recipe(), rows)] == ["memory-grows"]
    filled = run(40, since=5, memory__peak_rss_mb=2_000.0)
    assert examine(recipe(), filled) == []


# What is none of a rule's business


def test_low_entropy_is_no_finding_where_it_is_wanted_or_all_is_right():
    held = since(12, entropy__nats=0.3)  # the target of tiny is 0.5
    assert examine(recipe(), held) == []
    solved = since(12, entropy__nats=0.1, reward__mean=0.95, accuracy__all=0.95)
    assert examine(recipe(), solved) == []


def test_reward_that_is_lost_to_a_lower_limit_is_no_broken_policy():
    rows = run(12) + [row(step, stage="long", rollout__truncated_share=0.95, **LOST)
                      for step in range(13, 20)]  # fmt: skip
    found = examine(recipe("stage.2.rollout.max_new_tokens=2"), rows)
    assert [each.rule for each in found] == ["truncated"]


def test_reward_that_is_lost_step_by_step_is_no_broken_policy():
    rows = since(8, accuracy__all=lambda step: max(0.0, 0.14 - 0.015 * (step - 8)))
    assert "policy-broken" not in [each.rule for each in examine(recipe(), rows)]


def test_steps_without_a_number_say_nothing():
    rows = since(12, reward__mean=None, accuracy__all=None, entropy__nats=None,
                 update__gap_mean=None, update__gradient_norm=None)  # fmt: skip
    assert examine(recipe(), rows) == []


def test_the_names_that_a_recipe_may_stop_on_are_those_that_the_rules_write():
    written = set()
    for rule in RULES:
        text = inspect.getsource(inspect.getmodule(rule))
        written |= set(re.findall(r'(?:rule=|rule == |in \(\(|\), \()"([a-z-]+)"', text))
        written |= set(re.findall(r'"(entropy-[a-z]+)" if', text))
    assert set(get_args(RuleName)) == written | {"entropy-falls"}
