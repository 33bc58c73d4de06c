"""Numbers of verdicts as people read them."""

from math import log

import pytest

from reasonrl.studies import measures as m
from reasonrl.studies.claims import claim
from reasonrl.studies.verdicts import ClaimOutcome, ClaimVerdict
from reasonrl.studies.words import amount_words, difference_words


def told(relation, measure, mean, ci95=None, **more):
    verdict = ClaimVerdict(
        claim=claim("", relation, measure=measure, **more),
        outcome=ClaimOutcome.INCONCLUSIVE,
        why="no finished runs of these arms",
        mean=mean,
        ci95=ci95,
    )
    return difference_words(verdict)


def test_a_difference_is_told_in_the_unit_of_its_measure():
    assert told("a above b", m.SCORE_END, 0.0534, (-0.01, 0.1)) == "+5.3 points [-1.0, +10.0]"
    assert told("a above b", m.ENTROPY_LEVEL, -0.05, (-0.06, 0)) == "-0.050 nats [-0.060, +0.000]"
    halved = (log(0.5), (log(0.4), log(0.75)))
    assert told("a below b", m.COLLAPSE_TIME, *halved) == "0.50 times [0.40, 0.75]"
    assert told("a below b", m.ENTROPY_SWING, -0.2) == "-0.200"
    assert told("a below b", m.ENTROPY_SWING, None) == "no finished runs of these arms"


def test_what_is_left_of_a_start_is_told_as_a_share():
    # the difference is from the level: a quarter of the start is half of the half
    left = told("a below", m.ENTROPY_CHANGE, log(0.5), (log(0.4), log(0.6)), level=log(0.5))
    assert left == "25% of its start [20%, 30%]"


@pytest.mark.parametrize(
    ("measure", "amount", "expected"),
    [
        (m.SCORE_END, 0.02, "2.0 points"),
        (m.COLLAPSE_TIME, log(1.5), "a factor of 1.50"),
        (m.ENTROPY_LEVEL, 0.01, "0.01 nats"),
        (m.ENTROPY_SWING, 0.02, "0.02"),
    ],
)
def test_a_margin_has_its_unit(measure, amount, expected):
    assert amount_words(measure, amount) == expected
