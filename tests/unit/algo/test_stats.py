"""avg@k intervals and pass@k."""

from itertools import combinations

import pytest

from reasonrl.algo.stats import mean_over_problems, pass_at_k


def test_golden_interval_of_four_problems():
    # By hand: mean 0.5, std sqrt(1/6), t(3 df) = 3.182, half = 3.182 * sqrt(1/6) / 2 = 0.6495
    estimate = mean_over_problems([0.0, 0.5, 0.5, 1.0])
    assert estimate.value == 0.5
    assert estimate.ci95 == pytest.approx((0.0, 1.0))  # cut to [0, 1]
    tight = mean_over_problems([0.4, 0.5, 0.5, 0.6])
    assert tight.ci95 == pytest.approx((0.5 - 0.12991, 0.5 + 0.12991), abs=1e-4)


def test_no_problems_have_no_mean():
    with pytest.raises(ValueError, match="no problems"):
        mean_over_problems([])


@pytest.mark.parametrize(("n", "c", "k"), [(5, 2, 1), (5, 2, 3), (6, 0, 2), (6, 6, 2), (7, 3, 5)])
def test_pass_at_k_is_the_share_of_draws_that_hold_a_correct_one(n, c, k):
    samples = [True] * c + [False] * (n - c)
    draws = list(combinations(samples, k))
    assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_pass_at_k_refuses_what_cannot_be():
    with pytest.raises(ValueError, match="pass@k"):
        pass_at_k(4, 1, 5)
