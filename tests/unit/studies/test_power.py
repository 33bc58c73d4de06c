"""The seeds that a claim takes, against what follows from the rule by hand."""

import pytest

from reasonrl.studies.claims import entropy, score
from reasonrl.studies.power import chance, power_of, shares

ABOVE, ALIKE = score("", "a above b"), score("", "a alike b")  # margins of 2 and 5 points


def test_no_difference_is_seldom_called_one():
    """Each side of a 95 % interval is left in 2.5 % of the studies, whatever the seeds."""
    for seeds in (3, 8, 30):
        reproduced, _ = shares(ABOVE, 0.0, 0.03, seeds)
        assert reproduced == pytest.approx(0.025, abs=0.01)


def test_a_large_difference_is_found_and_none_is_found_to_be_none():
    assert shares(ABOVE, 0.2, 0.03, 8) == (1.0, 0.0)
    assert shares(ABOVE, 0.0, 0.01, 30)[1] > 0.95
    assert shares(ALIKE, 0.0, 0.03, 30)[0] > 0.99
    assert shares(ALIKE, 0.2, 0.03, 30) == (0.0, 1.0)


@pytest.mark.parametrize("truth", [0.0, 0.005, 0.01, 0.015, 0.02])
def test_a_half_interval_of_half_the_margin_decides_every_truth(truth):
    """t s / sqrt(n) <= margin / 2: the interval is in the margin or leaves out 0."""
    spread = 0.02 / 2 / 2.0 * 6  # at 36 seeds, with a t of 2.03
    assert chance(ABOVE, [truth], 0.95 * spread, 36) > 0.75


def test_the_needed_seeds_give_the_power_and_one_fewer_does_not():
    power = power_of(ABOVE, mean=0.01, spread=0.03, seeds=10)
    assert 20 < power.needed_hardest < 40
    assert power.hardest < 0.8
    assert power_of(ABOVE, mean=0.01, spread=0.03, seeds=power.needed_hardest).hardest >= 0.8
    assert power_of(ABOVE, mean=0.01, spread=0.03, seeds=power.needed_hardest - 1).hardest < 0.8


def test_more_spread_takes_more_seeds_and_too_much_takes_no_number():
    needed = [
        power_of(ABOVE, mean=0.01, spread=s, seeds=5).needed_hardest for s in (0.01, 0.03, 0.06)
    ]
    assert needed == sorted(needed)
    assert power_of(ABOVE, mean=0.01, spread=2.0, seeds=5).needed_hardest is None


def test_two_seeds_have_no_power():
    assert power_of(entropy("", "a above b"), mean=1.0, spread=0.01, seeds=2).as_seen == 0.0
