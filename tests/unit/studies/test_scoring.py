"""Scores as weighted means of evaluations."""

import pytest

from reasonrl.studies.scoring import at_the_end, over_the_steps, total
from tests.unit.studies.support import evaluation, run


def test_the_end_is_the_last_evaluation_or_the_last_share_of_the_steps():
    found = run([0.4] * 100, {0: 0.0, 70: 0.1, 80: 0.2, 90: 0.6, 100: 0.7})
    assert total(at_the_end())(found) == 0.7
    assert total(at_the_end(share=0.2))(found) == pytest.approx(0.5)


def test_the_weights_of_an_area_add_up_and_follow_the_gaps():
    found = run([0.4] * 10, {0: 0.0, 2: 1.0, 10: 0.0})
    weights = [weight for weight, _ in over_the_steps()(found)]
    assert weights == pytest.approx([0.1, 0.5, 0.4])


def test_sampling_varies_a_score_as_the_binomial_says():
    """Two problems of 4 samples each, p = 1/4 and 1/2: (3/16 + 4/16) / 3 / 4."""
    assert evaluation(1, 0.375, k=4, right=(1, 2)).variance == pytest.approx(7 / 16 / 3 / 4)
    assert evaluation(1, 0.5, k=1, right=(1, 0)).variance is None
    assert evaluation(1, 0.5, k=4).variance is None
