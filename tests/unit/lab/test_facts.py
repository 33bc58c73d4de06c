"""What is true in a world, and how well the teacher knows it."""

import numpy as np
import pytest

from reasonrl.lab.facts import FactSpec, draw_facts

SPEC = FactSpec()


def test_facts_are_the_same_every_time():
    one, other = draw_facts(SPEC), draw_facts(SPEC)
    for name in ("results", "mistakes", "known", "checked"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    # drawn from raw bits: these stay what they are on every machine and version
    assert one.results[0, :4].tolist() == [11, 10, 6, 15]


def test_every_operator_permutes_the_values_and_every_mistake_is_one():
    facts = draw_facts(SPEC)
    for row in facts.results:
        assert sorted(row) == list(range(SPEC.values))
    assert (facts.mistakes != facts.results).all()
    assert (facts.checked >= facts.known).all()


def test_facts_are_known_well_badly_or_wrongly_in_the_shares_asked_for():
    facts = draw_facts(FactSpec(operators=8, values=500))
    assert np.mean(facts.known < 0.05) == pytest.approx(SPEC.misconceptions, abs=0.03)
    assert np.mean((facts.known > 0.2) & (facts.known < 0.9)) == pytest.approx(0.2, abs=0.03)
    assert facts.known.max() < 1
