"""The numbers of a step, counted by hand."""

from math import log

import pytest

from reasonrl.algo.choices import TruncationRule
from reasonrl.algo.entropy import EntropyState
from reasonrl.algo.select import select_group
from reasonrl.engines.fake import FakeEngine
from reasonrl.loop.learn import Learned, prepare
from reasonrl.loop.metrics import (
    control_metrics,
    rollout_metrics,
    selection_metrics,
    staleness_metrics,
    update_metrics,
)
from reasonrl.recipe import Stage
from tests.unit.loop.support import groups_of, kept_of

STAGE = Stage.model_validate(
    {"steps": 1, "data": {"sources": ({"type": "functions"},)}, "entropy": {"mode": "none"}},
    strict=False,
)


def test_rewards_are_means_over_the_judged_and_failures_are_counted():
    groups = groups_of(FakeEngine(), lambda number: [None, 1.0, 0.5, 0.0][number % 4])
    row = rollout_metrics(groups)
    assert row["reward/mean"] == pytest.approx(0.5)
    assert row["accuracy/all"] == pytest.approx(1 / 3)
    assert (row["rollout/sampled"], row["rollout/failed"]) == (12, 3)


def test_every_rollout_has_one_fate():
    rewards = {0: [1.0] * 4, 1: [0.0] * 4, 2: [0.0, 1.0, None, 0.0]}
    groups = groups_of(FakeEngine(), lambda number: rewards[number // 4][number % 4])
    selected = [select_group(group, TruncationRule.NONE) for group in groups]
    row = selection_metrics(selected)
    signals = ("kept", "solved", "unsolved", "flat", "failed")
    assert [row[f"groups/{signal}"] for signal in signals] == [1, 1, 1, 0, 0]
    assert (row["rollout/trained"], row["rollout/masked"], row["rollout/zero_signal"]) == (3, 0, 8)


def test_right_and_wrong_answers_of_a_group_are_held_against_each_other():
    groups = groups_of(FakeEngine(), lambda number: float(number % 4 == 0))
    fair = [select_group(group, TruncationRule.NONE, is_scaled=False) for group in groups]
    assert selection_metrics(fair)["advantage/right_minus_wrong"] == pytest.approx(1.0)
    turned = [
        select_group(group, TruncationRule.NONE, own=lambda rewards, _: [-r for r in rewards])
        for group in groups
    ]
    assert selection_metrics(turned)["advantage/right_minus_wrong"] == pytest.approx(-1.0)
    solved = [
        select_group(one, TruncationRule.NONE) for one in groups_of(FakeEngine(), lambda _: 1)
    ]
    assert selection_metrics(solved)["advantage/right_minus_wrong"] is None


def test_a_step_without_updates_has_nulls_and_the_controllers_state():
    row = update_metrics(None) | control_metrics(None, None, EntropyState(c=0.25, is_open=True))
    assert row.pop("update/n") == 0
    assert (row.pop("entropy/c"), row.pop("entropy/gate_open")) == (0.25, True)
    assert set(row.values()) == {None}


def test_sums_over_tokens_are_divided_once():
    engine = FakeEngine()
    batch = prepare(kept_of(engine), engine, STAGE, pipeline=None, seed=1)
    stats = engine.update(batch, objective=None, learning_rate=0.0)
    learned = Learned(
        batch=batch, updates=[stats], old_logprobs_N=stats.logprobs_N, learning_rate=0.5
    )
    row = update_metrics(learned) | control_metrics(learned, 0.5, EntropyState(c=0.1, is_open=True))
    assert row["update/ratio_mean"] == 1.0
    assert row["entropy/full_nats"] == pytest.approx(log(8))
    assert row["entropy/nats"] == pytest.approx(log(8))
    assert row["update/tokens"] == batch.n_tokens
    assert (row["update/gap_mean"], row["entropy/alpha"], row["entropy/c"]) == (0.0, 0.5, 0.1)


def test_staleness_counts_updates_since_a_token_was_sampled():
    engine = FakeEngine()
    engine.version = 3
    kept = kept_of(engine)
    assert staleness_metrics(kept, 5) == {"stale/mean_updates": 2.0, "stale/max_updates": 2}
    assert staleness_metrics([], 5) == {"stale/mean_updates": None, "stale/max_updates": None}
