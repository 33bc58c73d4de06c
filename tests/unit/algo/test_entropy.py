"""The entropy controller; report eq. 3.2 and the released code's version of it."""

from math import exp

import pytest

from reasonrl.algo.choices import EntropyMode
from reasonrl.algo.entropy import EntropyControl, EntropyState, adapt, alpha, initial_state


def control(mode, **changes):
    constants = {
        "target_nats": 0.2,
        "target_share": 0.5,
        "delta": 0.25,
        "minimum": 0.0,
        "maximum": 1.0,
        "initial": 0.0,
    }
    return EntropyControl(mode=mode, **{**constants, **changes})


def trajectory(rule, entropies):
    """Return the weights that a run with these entropies would have used."""
    state, weights = initial_state(rule), []
    for nats in entropies:
        weights.append(alpha(rule, state, nats))
        state = adapt(rule, state, nats)
    return weights


# Worked by hand from eq. 3.2: c is 0, .25, .5, .5, .25, .5 and the gate reads this step's entropy.
def test_report_golden_trajectory():
    weights = trajectory(control(EntropyMode.REPORT), [0.1, 0.1, 0.2, 0.3, 0.1, 0.1])
    assert weights == [0.0, 0.25, 0.5, 0.0, 0.25, 0.5]


# Worked by hand from the released controller: equality counts as above the target, and the gate
# of a step was set by the step before it. c is 0, .25, .5, .25, 0, .25.
def test_release_golden_trajectory():
    weights = trajectory(control(EntropyMode.RELEASE), [0.1, 0.1, 0.2, 0.3, 0.1, 0.1])
    assert weights == [0.0, 0.25, 0.5, 0.0, 0.0, 0.25]


def test_at_the_target_the_report_holds_and_the_release_falls():
    state = EntropyState(c=0.5, is_open=True)
    assert adapt(control(EntropyMode.REPORT), state, 0.2).c == 0.5
    assert adapt(control(EntropyMode.RELEASE), state, 0.2).c == 0.25


@pytest.mark.parametrize("mode", [EntropyMode.REPORT, EntropyMode.RELEASE])
def test_the_coefficient_stays_within_its_bounds(mode):
    rule = control(mode, minimum=0.1, maximum=0.6, initial=0.5)
    up = adapt(rule, adapt(rule, initial_state(rule), 0.0), 0.0)
    down = adapt(rule, adapt(rule, initial_state(rule), 9.0), 9.0)
    assert (up.c, down.c) == (0.6, 0.1)


def test_the_released_scripts_need_fifty_steps_to_the_cap():
    rule = control(EntropyMode.RELEASE, delta=1e-4, maximum=5e-3)
    weights = trajectory(rule, [0.1] * 60)
    assert weights[49] == pytest.approx(4.9e-3)
    assert weights[50:] == pytest.approx([5e-3] * 10)


def test_fixed_and_none_ignore_the_entropy():
    assert trajectory(control(EntropyMode.FIXED, initial=0.01), [0.0, 9.0]) == [0.01, 0.01]
    assert trajectory(control(EntropyMode.NONE, initial=0.01), [0.0, 9.0]) == [0.0, 0.0]


def test_the_report_refuses_to_gate_without_this_steps_entropy():
    rule = control(EntropyMode.REPORT)
    with pytest.raises(ValueError, match="this step's entropy"):
        alpha(rule, initial_state(rule), None)


def test_a_coefficient_carried_from_other_bounds_is_brought_within_these():
    state = EntropyState(c=0.2, is_open=True)
    assert alpha(control(EntropyMode.RELEASE, maximum=5e-3), state, 0.1) == 5e-3
    assert alpha(control(EntropyMode.REPORT, maximum=5e-3), state, 0.1) == 5e-3


# By hand: the target is half of the first 0.4; the coefficients are 0.1 times exp(-0.25), then
# exp(0.25 / 2), and the weights answer with exp(4 (1 - e / 0.2)).
def test_relative_golden_trajectory():
    rule = control(EntropyMode.RELATIVE, initial=0.1)
    c_1 = 0.1 * exp(-0.25)
    expected = [0.1 * exp(-4.0), c_1 * exp(2.0), min(1.0, c_1 * exp(0.125) * exp(4 * 0.25))]
    assert trajectory(rule, [0.4, 0.1, 0.15]) == pytest.approx(expected)


def test_relative_does_not_see_the_unit_of_entropy():
    rule = control(EntropyMode.RELATIVE, initial=0.1)
    entropies = [0.4, 0.1, 0.3, 0.2]
    larger = [7 * nats for nats in entropies]
    assert trajectory(rule, entropies) == pytest.approx(trajectory(rule, larger))
