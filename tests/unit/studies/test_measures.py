"""What is measured of a run."""

from math import inf, isnan, log

import pytest

from reasonrl.studies import measures as m
from reasonrl.studies.record import COOL, HELDOUT, Axis
from tests.unit.studies.support import evaluation, run


def test_levels_are_in_nats_and_changes_in_logarithms():
    found = run([0.4, 0.4, 0.4, 0.2, 0.1])
    assert m.ENTROPY_LEVEL.take(found) == pytest.approx(1.5 / 5)
    assert m.ENTROPY_START.take(found) == pytest.approx(log(0.4))
    assert m.ENTROPY_CHANGE.take(found) == pytest.approx(log(0.25))


def test_steps_without_a_kept_group_are_left_out():
    assert m.ENTROPY_LEVEL.take(run([0.4, None, 0.1])) == pytest.approx(0.25)


def test_the_time_to_fall_is_the_step_at_which_five_steps_are_down_to_two_fifths():
    assert m.COLLAPSE_TIME.take(run([0.5] * 10 + [0.19] * 10)) == pytest.approx(log(15))
    assert m.COLLAPSE_TIME.take(run([0.5] * 10 + [0.3] * 10)) == pytest.approx(log(20))


def test_the_end_of_a_run_is_its_last_tenth_whatever_its_steps_are():
    """Runs lined up by updates or rollouts: the same work is at the end of both."""
    many = run([0.4] * 40, accuracy__all=[n / 40 for n in range(40)])
    few = run([0.4] * 10, accuracy__all=[n / 10 for n in range(10)])
    assert m.TRAINING.take(many) == pytest.approx((36 + 37 + 38 + 39) / 160)
    assert m.TRAINING.take(few) == pytest.approx(0.9)


def test_a_trend_is_no_swing_and_the_noise_of_single_steps_hardly_one():
    falling = run([0.4 * 0.97**n for n in range(60)])
    noisy = run([0.2 * (1.1 if n % 2 else 0.9) for n in range(60)])
    swinging = run([0.2 * (1.3 if n // 10 % 2 else 0.7) for n in range(60)])
    assert m.ENTROPY_SWING.take(falling) == pytest.approx(0, abs=1e-9)
    assert m.ENTROPY_SWING.take(noisy) < 0.03
    assert m.ENTROPY_SWING.take(swinging) > 0.2


def test_the_mean_score_is_the_area_under_the_evaluations():
    found = run([0.4] * 10, {0: 0.0, 5: 0.6, 10: 0.8})
    assert m.SCORE_END.take(found) == 0.8
    assert m.SCORE_MEAN.take(found) == pytest.approx((0.3 * 5 + 0.7 * 5) / 10)


def test_the_score_is_that_of_the_headline_suite():
    found = run([0.4], {1: 0.5})
    found.evaluations.append(evaluation(1, 0.9, suite=COOL))
    assert (m.SCORE_END.take(found), m.COOL_END.take(found)) == (0.5, 0.9)


def test_a_swinging_weight_is_told_from_a_steady_one():
    calm = run([0.2] * 20, entropy__alpha=[0.01] * 20)
    wild = run([0.2] * 20, entropy__alpha=[0.0, 0.02] * 10)
    assert m.COEFFICIENT_SWING.take(calm) == 0
    assert m.COEFFICIENT_SWING.take(wild) == pytest.approx(2.0)


def test_what_a_run_does_not_have_is_nan():
    for measure in (m.SCORE_END, m.SCORE_MEAN, m.COOL_END, m.KL_CHANGE, m.TRUNCATED_END):
        assert isnan(measure.take(run([0.4])))


def test_a_run_is_cut_where_asked_and_keeps_a_step():
    found = run([0.4, 0.3, 0.2], {1: 0.1, 3: 0.3}, updates=2)
    part = found.until(Axis.UPDATES, 4)
    assert len(part.rows) == 2
    assert part.scores(HELDOUT) == [evaluation(1, 0.1), evaluation(2, 0.2)]
    assert len(found.until(Axis.UPDATES, 5).rows) == 3
    assert len(found.until(Axis.UPDATES, 9).rows) == 3
    assert len(found.until(Axis.UPDATES, 0).rows) == 1


def test_at_equal_entropy_both_runs_are_cut_where_they_come_down_to_it():
    fast = run([0.4] * 5 + [0.2] * 20, {0: 0.1, 10: 0.5, 25: 0.9})
    slow = run([0.4] * 15 + [0.3] * 10, {0: 0.1, 10: 0.5, 25: 0.9})
    amount = min(one.amounts(Axis.ENTROPY)[-1] for one in (fast, slow))
    assert amount == pytest.approx(-0.3)
    # a mean of five steps is down to 0.3 when three of them have 0.2, or five have 0.3
    assert [len(one.until(Axis.ENTROPY, amount).rows) for one in (fast, slow)] == [8, 20]
    early, late = (m.SCORE_LAST.take(one.until(Axis.ENTROPY, amount)) for one in (fast, slow))
    assert early == pytest.approx(0.1 + 0.4 * 8 / 10)
    assert late == pytest.approx(0.5 + 0.4 * 10 / 15)


def test_a_step_without_an_entropy_comes_no_further_down():
    depths = run([0.4, 0.4, 0.4, 0.4, 0.4, None, 0.3, 0.9]).amounts(Axis.ENTROPY)
    assert depths[:4] == [-inf] * 4
    assert depths[4:] == pytest.approx([-0.4, -0.4, -0.38, -0.38])
