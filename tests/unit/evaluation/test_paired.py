"""Is a difference larger than noise?"""

from itertools import product

import numpy as np
import pytest

from reasonrl.evaluation.paired import paired_gain


def exact_p(differences):
    """The sign-flip test by all 2^n sign patterns."""
    flips = np.array(list(product((-1, 1), repeat=len(differences)))) @ np.array(differences)
    return np.mean(np.abs(flips) >= abs(sum(differences)) - 1e-9)


@pytest.mark.parametrize("shift", [0.0, 0.04, 0.08, 0.12, 0.3])
def test_what_is_shown_is_what_all_sign_patterns_reject(shift):
    rng = np.random.default_rng(3)
    after = np.clip(rng.normal(0.5 + shift, 0.1, 10), 0, 1)
    before = np.full(10, 0.5)
    p = exact_p(after - before)
    assert abs(p - 0.05) > 0.01  # or the draws could decide either way
    assert paired_gain(before, after).is_shown == (p <= 0.05)


def test_the_ends_of_the_interval_are_gains_that_the_test_just_keeps():
    rng = np.random.default_rng(5)
    differences = rng.normal(0.1, 0.2, 12)
    low, high = paired_gain(np.zeros(12), differences).ci95
    for end in (low, high):
        assert exact_p(differences - end) == pytest.approx(0.05, abs=0.01)


def test_swapping_the_models_swaps_the_sign():
    rng = np.random.default_rng(1)
    one, two = rng.random(30), rng.random(30)
    gain, loss = paired_gain(one, two), paired_gain(two, one)
    assert loss.value == -gain.value
    assert loss.ci95 == pytest.approx((-gain.ci95[1], -gain.ci95[0]), abs=1e-5)


def test_five_problems_show_nothing_six_may():
    assert paired_gain([0] * 5, [1] * 5).ci95[0] == -1.0
    assert not paired_gain([0] * 5, [1] * 5).is_shown
    assert paired_gain([0] * 6, [1] * 6).is_shown


@pytest.mark.parametrize("gain", [0.0, 1 / 32, 0.1, 0.25, 0.6, 1.0])
@pytest.mark.parametrize("n", [6, 8, 30])
def test_what_is_shown_is_what_the_interval_says(n, gain):
    before = [0.1 * (number % 4) for number in range(n)]
    found = paired_gain(before, [min(1.0, score + gain) for score in before])
    low, high = found.ci95
    assert found.is_shown == (low > 0 or high < 0)
    assert low <= found.value <= high
    assert low < high


def test_equal_scores_are_not_known_to_be_equal_models():
    gain = paired_gain([0.5] * 50, [0.5] * 50)
    assert gain.value == 0
    assert gain.ci95[0] < -0.05 < 0.05 < gain.ci95[1]
    assert not gain.is_shown


def test_four_of_two_hundred_problems_show_nothing():
    """A t test would: t = 2.02. By chance all four have one sign once in eight times."""
    gain = paired_gain([0.0] * 200, [0.25] * 4 + [0.0] * 196)
    assert not gain.is_shown
    assert gain.ci95[0] <= 0


def test_no_problems_and_unequal_ones_are_refused():
    with pytest.raises(ValueError, match="no problems"):
        paired_gain([], [])
    with pytest.raises(ValueError, match="broadcast"):
        paired_gain([0.0, 1.0], [1.0, 0.0, 1.0])


# By row: where problems' solve rates come from, problems, samples of each.
SETTINGS = {
    "AIME, avg@32": (lambda rng, n: rng.beta(0.4, 0.5, n), 30, 32),
    "a strong model on 100 problems, avg@1": (lambda rng, n: rng.beta(9, 1, n), 100, 1),
    "a small model on GSM8K, avg@4": (lambda rng, n: rng.beta(0.1, 5, n), 200, 4),
}


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS)
def test_equal_models_are_told_apart_at_most_five_times_in_a_hundred(setting):
    rates, n, k = SETTINGS[setting]
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(2000):
        p = rates(rng, n)
        alarms += paired_gain(rng.binomial(k, p) / k, rng.binomial(k, p) / k).is_shown
    assert alarms / 2000 <= 0.05


def test_a_gain_of_eight_points_on_aime_is_found():
    rng = np.random.default_rng(2)
    p = rng.beta(0.4, 0.5, 30)
    found = [
        paired_gain(rng.binomial(32, p) / 32, rng.binomial(32, np.clip(p + 0.08, 0, 1)) / 32)
        for _ in range(200)
    ]
    assert sum(gain.is_shown and gain.value > 0 for gain in found) / 200 > 0.9
