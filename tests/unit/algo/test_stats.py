"""avg@k intervals, pass@k and cons@k."""

from itertools import combinations, pairwise, product
from math import sqrt

import numpy as np
import pytest

from reasonrl.algo.stats import consensus, mean_over_problems, pass_at_k, t95


def test_golden_interval_of_four_problems():
    # By hand: m = 0.5, s^2 = 0.02 / 3; second moment 0.005, fourth 5e-5, their ratio 2, so the
    # variance of s^2 is (2 - 1/3) / 4 = 0.41667 of its square: 2 / 0.41667 = 4.8 degrees, cut to 3.
    # n' = 0.25 / (s^2 / 4) = 150, t^2 = 10.125124,
    # half = sqrt(t^2 / 150 * 0.25 + (t^2 / 150)^2 / 4) / (1 + t^2 / 150) = 0.125731
    estimate = mean_over_problems([0.4, 0.5, 0.5, 0.6])
    assert estimate.value == 0.5
    assert estimate.ci95 == pytest.approx((0.374269, 0.625731), abs=1e-6)


def test_golden_interval_where_one_problem_decides_the_spread():
    # By hand: one score of 1/32, 29 of 0. m = 1/960; m4 / m2^2 = 28.0345, less 27/29, over 30:
    # 0.903448, so 2.213740 degrees and t = 3.9685 by interpolation; n' = 960 * 0.998958 * 29 / 29
    degrees = 2 / ((28.034483 - 27 / 29) / 30)
    share = (1 / 2 - 1 / degrees) / (1 / 2 - 1 / 3)
    weight = (4.303 * (1 - share) + 3.182 * share) ** 2 / 959
    center, half = (1 / 960 + weight / 2), sqrt(weight * (959 / 960**2) + weight**2 / 4)
    low, high = mean_over_problems([1 / 32] + [0.0] * 29).ci95
    assert (low, high) == pytest.approx(
        ((center - half) / (1 + weight), (center + half) / (1 + weight)), rel=2e-3
    )
    assert high > 0.015  # one right sample in 960 is no certainty


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    # of tables of Student's t
    [(1, 12.706), (2, 4.303), (10, 2.228), (30, 2.042), (31, 2.0395), (40, 2.0211), (60, 2.0003),
     (120, 1.9799), (10_000, 1.9602)],
)  # fmt: skip
def test_the_quantiles_are_those_of_the_tables(degrees, quantile):
    assert t95(degrees) == pytest.approx(quantile, abs=1e-3)


def test_the_quantiles_fall_without_jumps():
    values = [t95(1 + step / 100) for step in range(6000)]
    assert all(-1e-3 < a - b < 0.2 for a, b in pairwise(values))


def test_yes_or_no_scores_give_wilsons_interval():
    """With the sample variance n / (n - 1) m (1 - m), n' is n - 1."""
    n, share, z = 401, 100 / 401, t95(400)
    center = (share + z * z / (2 * (n - 1))) / (1 + z * z / (n - 1))
    half = z * sqrt(share * (1 - share) / (n - 1) + (z / (n - 1)) ** 2 / 4) / (1 + z * z / (n - 1))
    estimate = mean_over_problems([1.0] * 100 + [0.0] * 301)
    assert estimate.ci95 == pytest.approx((center - half, center + half))


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0, 13 / 17, 1 / 19, 1 / 5, 0.1 + 0.2])
def test_equal_scores_do_not_make_a_mean_certain(score):
    low, high = mean_over_problems([score] * 30).ci95
    assert low <= score <= high
    assert high - low > 0.1


def test_the_interval_of_one_problem_is_everything():
    assert mean_over_problems([0.3]).ci95 == (0.0, 1.0)


def test_no_problems_have_no_mean():
    with pytest.raises(ValueError, match="no problems"):
        mean_over_problems([])


# By row: where problems' solve rates come from, their mean, problems, samples of each.
SETTINGS = {
    "AIME, avg@32": (lambda rng, n: rng.beta(0.4, 0.5, n), 4 / 9, 30, 32),
    "LiveCodeBench, avg@4": (lambda rng, n: rng.beta(0.4, 0.5, n), 4 / 9, 279, 4),
    "a strong model on MATH-500, avg@1": (lambda rng, n: rng.beta(9, 1, n), 0.9, 500, 1),
    "a small model on GSM8K, avg@4": (lambda rng, n: rng.beta(0.1, 5, n), 0.1 / 5.1, 200, 4),
    "problems solved always or never": (lambda rng, n: (rng.random(n) < 0.1) * 1.0, 0.1, 64, 8),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_95_percent_interval_holds_the_mean_in_93_to_97_percent_of_evaluations(setting):
    rates, mean, n, k = SETTINGS[setting]
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(2000):
        low, high = mean_over_problems((rng.binomial(k, rates(rng, n)) / k).tolist()).ci95
        held += low <= mean <= high
    assert 0.93 <= held / 2000 <= 0.97


@pytest.mark.parametrize(("n", "c", "k"), [(5, 2, 1), (5, 2, 3), (6, 0, 2), (6, 6, 2), (7, 3, 5)])
def test_pass_at_k_is_the_share_of_draws_that_hold_a_correct_one(n, c, k):
    samples = [True] * c + [False] * (n - c)
    draws = list(combinations(samples, k))
    assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_pass_at_k_refuses_what_cannot_be():
    with pytest.raises(ValueError, match="pass@k"):
        pass_at_k(4, 1, 5)


def test_consensus_is_the_chance_that_a_most_frequent_answer_wins_and_is_right():
    for answers in product((0, 1, 2, None), repeat=4):
        votes = [answer for answer in answers if answer is not None]
        most = max((votes.count(answer) for answer in votes), default=0)
        winners = {answer for answer in votes if votes.count(answer) == most}
        expected = len(winners & {0}) / len(winners) if winners else 0.0
        assert consensus(answers, frozenset({0})) == expected
