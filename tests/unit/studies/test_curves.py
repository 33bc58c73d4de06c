"""The curves of a study: each seed thin, the mean with its band."""

import pytest

from reasonrl.report.drawing.chart import Mark
from reasonrl.studies.arm import Arm
from reasonrl.studies.curves import (
    entropy_chart,
    exchange_chart,
    fit_of,
    price_chart,
    runs_of,
    score_chart,
)
from tests.unit.studies.support import run

ARM = Arm(name="a", what="", changes={}, stages=(), every=1)


def test_the_runs_of_an_arm_are_its_own_in_the_order_of_seeds():
    records = {("b", 1): run([0.1]), ("a", 2): run([0.2]), ("a", 1): run([0.3])}
    assert list(runs_of(ARM, records)) == [1, 2]


def test_each_seed_is_a_thin_line_and_the_mean_has_the_name():
    runs = {seed: run([0.4], {0: 0.1, 5: value}) for seed, value in ((1, 0.2), (2, 0.4))}
    first, second, mean = score_chart([(ARM, runs)]).series
    assert (first.label, first.mark, second.label) == ("", Mark.FAINT, "")
    assert (mean.label, list(mean.values)) == ("a", pytest.approx([0.1, 0.3]))
    assert mean.intervals == []  # two seeds say nothing about a spread


# By hand: 0.2, 0.3, 0.4 have s = 0.1; half the interval is 4.303 * 0.1 / 3^0.5.
def test_golden_of_the_band_over_three_seeds():
    runs = {seed: run([0.4], {5: value}) for seed, value in ((1, 0.2), (2, 0.3), (3, 0.4))}
    [interval] = score_chart([(ARM, runs)]).series[-1].intervals
    assert interval == pytest.approx((0.3 - 0.2484, 0.3 + 0.2484), abs=1e-4)


def test_the_mean_is_over_the_steps_that_all_seeds_have():
    runs = {1: run([0.4] * 9), 2: run([0.2] * 7)}
    mean = entropy_chart([(ARM, runs)]).series[-1]
    assert list(mean.steps) == [5, 7]
    assert mean.values == pytest.approx([0.3, 0.3])


def test_the_price_of_entropy_is_the_score_where_a_run_comes_down_to_it():
    scores = {0: 0.0, 20: 1.0}
    runs = {1: run([0.1] * 5 + [0.05] * 15, scores), 2: run([0.1] * 10 + [0.06] * 10, scores)}
    chart = price_chart([(ARM, runs)])
    assert chart.names == ("0.10", "0.08", "0.06")
    first, _, mean = chart.series
    # two of five steps with 0.05 make a mean of 0.08, and four make 0.06
    assert (list(first.steps), list(first.values)) == ([0, 1, 2], pytest.approx([0.25, 0.35, 0.45]))
    assert list(mean.steps) == [0, 1, 2]
    assert mean.values[0] == pytest.approx((0.25 + 0.25) / 2)


def test_accuracy_against_entropy_is_the_mean_of_a_bin_of_entropies():
    found = run([0.05, 0.055, 0.11], accuracy__all=[0.2, 0.4, 0.9])
    chart = exchange_chart([(ARM, {1: found})])
    [series] = chart.series
    assert (series.steps, series.values) == ([2, 5], pytest.approx([0.3, 0.9]))
    assert chart.span == (0, 5)
    assert [chart.name(step) for step in (0, 2, 5)] == ["0.00", "0.04", "0.10"]


def test_a_fit_needs_steps_with_both_numbers():
    assert fit_of({1: run([0.4] * 40)}) is None
