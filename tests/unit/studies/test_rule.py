"""What a registration does not see (`registration.RULE`): raise RULE when a number here moves.

Kept results would otherwise be judged by a rule that they were not made for.
"""

from dataclasses import replace
from math import sin

import pytest

from reasonrl.lab.miniature import Spec
from reasonrl.studies import measures as m
from reasonrl.studies.arms import arms_of
from reasonrl.studies.bases import miniature_base
from reasonrl.studies.claims import claim
from reasonrl.studies.record import COOL, Axis
from reasonrl.studies.scales import MINIATURE
from reasonrl.studies.verdicts import decide
from tests.unit.studies.support import evaluation, run


def a_run(steps=40, decay=0.03):
    """A run whose entropy falls, with a wave, and whose columns move."""
    numbers = range(steps)
    found = run(
        [0.4 * (1 - decay) ** step * (1 + 0.1 * sin(step)) for step in numbers],
        {step: 0.3 + 0.01 * step for step in range(0, steps + 1, 10)},
        updates=4,
        sampled=256,
        entropy__alpha=[0.01 * (step % 3) for step in numbers],
        accuracy__all=[0.4 + 0.01 * step for step in numbers],
        accuracy__finished=[0.5 + 0.005 * step for step in numbers],
        rollout__truncated_share=[0.3 - 0.005 * step for step in numbers],
        rollout__mean_tokens=[30.0 + step for step in numbers],
        update__kl=[0.001 * step for step in numbers],
        update__clipped_share=[0.002] * steps,
    )
    cool = [evaluation(step, 0.4 + 0.01 * step, COOL) for step in range(0, steps + 1, 10)]
    return replace(found, evaluations=[*found.evaluations, *cool])


def measured():
    of_run = {name: one for name, one in vars(m).items() if isinstance(one, m.Measure)}
    return {name: one.take(a_run()) for name, one in of_run.items()}


def cut(axis):
    """The rows that are left of two runs where the shorter one ends."""
    pair = (a_run(steps=40, decay=0.03), a_run(steps=25, decay=0.08))
    amount = min(one.amounts(axis)[-1] for one in pair)
    return [len(one.until(axis, amount).rows) for one in pair]


def decisions():
    edges = [(0.001, 0.05), (-0.01, 0.01), (-0.05, -0.001), (-0.01, 0.05), (0.06, 0.09)]
    return {
        sign: [
            str(decide(claim("", f"a {sign} b", measure=m.SCORE_END), *edge)[0]) for edge in edges
        ]
        for sign in ("above", "below", "alike")
    }


MEASURED = {
    "ENTROPY_LEVEL": 0.23574,
    "COLLAPSE_TIME": 3.46574,
    "ENTROPY_CHANGE": -1.18014,
    "ENTROPY_START": -0.890809,
    "ENTROPY_SWING": 0.0172456,
    "COEFFICIENT_SWING": 1.45095,
    "SCORE_END": 0.7,
    "SCORE_MEAN": 0.5,
    "SCORE_LAST": 0.7,
    "COOL_END": 0.8,
    "COOL_MEAN": 0.6,
    "TRAINING": 0.775,
    "FINISHED_GAIN": 0.1825,
    "TRUNCATED_CHANGE": -0.1825,
    "TRUNCATED_END": 0.1125,
    "TOKENS": 13.136,
    "KL_CHANGE": 0.019,
    "CLIPPED": 0.002,
}
CUTS = {
    Axis.STEPS: [25, 25],
    Axis.UPDATES: [25, 25],
    Axis.ROLLOUTS: [25, 25],
    Axis.ENTROPY: [40, 18],
}
DECISIONS = {
    "above": ["reproduced", "not reproduced", "not reproduced", "inconclusive", "reproduced"],
    "below": ["not reproduced", "not reproduced", "reproduced", "inconclusive", "not reproduced"],
    "alike": ["reproduced", "reproduced", "reproduced", "reproduced", "not reproduced"],
}
DEFAULTS = {
    "rollout": {"group_size": 16, "temperature": 1.0, "refill_rounds": 0},
    "update": {
        "clip_low": 0.2,
        "clip_high": 0.2,
        "minibatches": 1,
        "reuse": 1,
        "kl_coefficient": 0.0,
        "surrogate": "ppo",
        "average": "tokens",
        "advantage": "group",
        "scale_advantages": True,
        "truncation": "none",
        "schedule": "constant",
        "warmup_steps": 0,
    },
    "optimizer": {
        "type": "adamw",
        "beta1": 0.9,
        "beta2": 0.999,
        "epsilon": 1e-08,
        "weight_decay": 0.01,
        "max_gradient_norm": 1.0,
        "parameters": "float32",
    },
    "engine": {"compute": "float32", "recompute": False},
}


def test_golden_of_every_measure():
    assert measured() == pytest.approx(MEASURED, rel=1e-5)


def test_golden_of_the_cuts():
    assert {axis: cut(axis) for axis in Axis} == CUTS


def test_golden_of_the_verdicts():
    assert decisions() == DECISIONS


def test_the_defaults_of_recipes_that_arms_rest_on():
    """They are not in the hash; a recipe that learns a new setting may add one."""
    table = miniature_base(Spec())(arms_of(MINIATURE)["on-policy"], 1).model_dump(mode="json")
    for section, expected in DEFAULTS.items():
        assert {key: table[section][key] for key in expected} == expected
