"""Student's interval of a difference: quantiles of printed tables, and its error level."""

from math import inf
from random import Random

import pytest

from reasonrl.diagnose.student import difference_of_means, t_quantile


@pytest.mark.parametrize(
    ("degrees", "level", "t"),
    # Two-sided quantiles of a printed table of Student's t.
    [(1, 0.95, 12.706), (4, 0.95, 2.776), (4, 0.99, 4.604), (10, 0.99, 3.169), (30, 0.95, 2.042)],
)
def test_golden_of_quantiles(degrees, level, t):
    assert t_quantile(degrees, level) == pytest.approx(t, abs=6e-4)


def test_golden_of_a_difference():
    # By hand: variances 1 and 1, standard error sqrt(2/3), t(4, .95) = 2.776.
    found = difference_of_means([1, 2, 3], [4, 5, 6], level=0.95)
    assert found.value == 3
    assert found.low == pytest.approx(3 - 2.776 * (2 / 3) ** 0.5, abs=1e-3)
    assert found.is_shown


def test_values_that_are_equal_by_chance_show_nothing_beyond_their_noise():
    equal, other = [0.0, 0.0, 0.0], [3e-4, 3e-4, 3e-4]
    assert difference_of_means(equal, other, level=0.95).is_shown
    noisy = difference_of_means(equal, other, level=0.95, least_variance=(2e-4) ** 2)
    assert not noisy.is_shown
    wide = [0.0, 1.0, 2.0]
    known = difference_of_means(wide, [5.0, 6.0, 7.0], level=0.95, least_variance=1e-6)
    assert known == difference_of_means(wide, [5.0, 6.0, 7.0], level=0.95)


def test_one_value_a_side_shows_nothing():
    found = difference_of_means([1.0], [9.0, 9.1], level=0.95)
    assert (found.low, found.high, found.is_shown) == (-inf, inf, False)


def test_samples_of_one_distribution_are_told_apart_as_often_as_the_level_says():
    random = Random(4)
    shown = sum(
        difference_of_means(
            [random.gauss(0, 1) for _ in range(3)], [random.gauss(0, 1) for _ in range(3)],
            level=0.9,
        ).is_shown
        for _ in range(400)
    )  # fmt: skip
    assert 22 <= shown <= 60  # 40 are expected; three deviations are 18
