"""avg@k intervals, pass@k and cons@k."""

from itertools import combinations, product
from math import sqrt

import numpy as np
import pytest

from reasonrl.algo.stats import consensus, mean_over_problems, pass_at_k


def test_golden_interval_of_four_problems():
    # By hand: m = 0.5, s^2 = 0.02 / 3, n' = 0.25 / (s^2 / 4) = 150, t^2 (3 df) = 10.125124,
    # center 0.5, half = sqrt(t^2 / 150 * 0.25 + (t^2 / 150)^2 / 4) / (1 + t^2 / 150) = 0.125731
    estimate = mean_over_problems([0.4, 0.5, 0.5, 0.6])
    assert estimate.value == 0.5
    assert estimate.ci95 == pytest.approx((0.374269, 0.625731), abs=1e-6)


def test_yes_or_no_scores_give_wilsons_interval():
    """With the sample variance n / (n - 1) m (1 - m), n' is n - 1."""
    n, share, z = 401, 100 / 401, 1.95996 + 2.3722 / 400
    center = (share + z * z / (2 * (n - 1))) / (1 + z * z / (n - 1))
    half = z * sqrt(share * (1 - share) / (n - 1) + (z / (n - 1)) ** 2 / 4) / (1 + z * z / (n - 1))
    estimate = mean_over_problems([1.0] * 100 + [0.0] * 301)
    assert estimate.ci95 == pytest.approx((center - half, center + half))


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
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
