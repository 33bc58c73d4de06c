"""Entropy as an instrument: the fit and the warning."""

from math import exp

import numpy as np
import pytest

from reasonrl.diagnosis import collapse


def falling(rate, n=100, start=0.4):
    return [start * exp(-rate * step) for step in range(n)]


def test_the_fit_finds_the_curve_that_it_was_given():
    entropies = np.linspace(0.4, 0.05, 40)
    fit = collapse.fit_entropy(entropies, 1.9 - 1.1 * np.exp(entropies))
    assert (fit.a, fit.b) == (pytest.approx(1.1), pytest.approx(1.9))
    assert fit.ceiling == pytest.approx(0.8)
    assert fit.r2 == pytest.approx(1.0)


def test_nothing_is_fitted_to_an_entropy_that_does_not_move():
    assert collapse.fit_entropy([0.3] * 50, np.linspace(0, 1, 50)) is None
    assert collapse.fit_entropy([0.3, 0.2], [0.1, 0.2]) is None


def test_a_collapse_is_announced_before_it_comes():
    # half is lost in 35 steps: a quarter is left near step 70, in sight 15 steps before
    found = collapse.judge_warning(falling(0.02))
    assert 65 <= found.collapsed <= 72
    assert 10 <= found.lead <= 15


def test_a_warning_sees_no_later_steps():
    entropies = falling(0.02)
    warned = collapse.warning_step(entropies)
    assert collapse.warning_step(entropies[: warned + 1]) == warned
    assert collapse.warning_step(entropies[:warned]) is None


@pytest.mark.parametrize("entropies", [[0.4] * 100, falling(0.001), falling(-0.005), [0.4] * 3, []])
def test_an_entropy_that_holds_gives_no_alarm(entropies):
    found = collapse.judge_warning(entropies)
    assert (found.warned, found.collapsed, found.lead) == (None, None, None)


def test_one_low_step_is_no_collapse():
    entropies = [0.4] * 30
    entropies[12] = entropies[20] = 0.01
    assert collapse.collapse_step(entropies) is None


def test_golden_of_the_score_of_warnings():
    def one(warned, collapsed, steps=100):
        return collapse.CollapseWarning(warned=warned, collapsed=collapsed, steps=steps)

    found = collapse.score_warnings(
        [
            one(10, 20),
            one(10, 60),  # too early to mean anything
            one(30, 20),  # too late
            one(None, 40),
            one(5, None),
            one(90, None),  # nobody knows what would have come
            one(None, None),
        ]
    )
    assert (found.runs, found.collapsed, found.announced) == (7, 4, 1)
    assert (found.median_lead, found.warned, found.false) == (10, 4, 3)


def test_the_last_steps_say_what_goes_on_now():
    entropies = falling(0.02)
    assert not collapse.is_falling(entropies[:20])
    assert collapse.is_falling(entropies[:66])
    assert not collapse.is_collapsed(entropies[:66])
    assert collapse.is_collapsed(entropies)
    assert not collapse.is_falling(entropies[:66] + [0.3] * 20)  # it has recovered
    assert not collapse.is_falling([])
    assert not collapse.is_collapsed([0.1] * 3)


def test_a_quick_fall_that_ends_at_a_half_gives_no_alarm():
    """Half the entropy lost in ten steps, then none: what most runs of the lab do."""
    entropies = [0.2 + 0.2 * exp(-step / 5) for step in range(100)]
    assert collapse.judge_warning(entropies).warned is None
