"""Claims are written as relations in words."""

from math import log

import pytest

from reasonrl.studies import measures as m
from reasonrl.studies.claims import ALIKE_LEFT, ALIKE_SCORE, Sign, Study, claim, entropy, headline
from reasonrl.studies.claims import score as score_claim
from reasonrl.studies.record import Axis


def test_a_relation_names_arm_sign_and_other_arm():
    kept = entropy("more", "kl-kept above kl-dropped", at=Axis.UPDATES)
    assert (kept.arm, kept.sign, kept.other) == ("kl-kept", Sign.ABOVE, "kl-dropped")
    assert (kept.measure, kept.at, kept.is_headline) == (m.ENTROPY_LEVEL, Axis.UPDATES, False)


def test_a_relation_without_another_arm_is_to_a_number():
    half = claim("half is lost", "fixed-0.001 below", measure=m.ENTROPY_CHANGE, level=log(0.5))
    assert (half.arm, half.other, half.level) == ("fixed-0.001", "", log(0.5))


def test_a_relation_that_is_none_is_refused():
    with pytest.raises(ValueError, match="over"):
        claim("", "a over b", measure=m.TOKENS)


@pytest.mark.parametrize(
    ("sign", "measure", "margin"),
    [
        ("alike", m.SCORE_END, ALIKE_SCORE),
        ("alike", m.TRAINING, ALIKE_SCORE),
        ("alike", m.ENTROPY_CHANGE, ALIKE_LEFT),
        ("alike", m.TOKENS, m.TOKENS.margin),
        ("above", m.SCORE_END, m.SCORE_END.margin),
        ("below", m.ENTROPY_CHANGE, m.ENTROPY_CHANGE.margin),
    ],
)
def test_arms_that_are_claimed_to_be_alike_have_wider_margins(sign, measure, margin):
    assert claim("", f"a {sign} b", measure=measure).within == margin


def test_a_headline_is_the_same_claim_with_a_star():
    plain = score_claim("higher", "a above b")
    assert headline(plain).is_headline
    assert headline(plain).text == plain.text
    assert plain.is_score
    assert not entropy("more", "a above b").is_score


def test_a_study_names_each_arm_once_the_compared_ones_first():
    claims = (entropy("", "b above a"), score_claim("", "c below a"), entropy("", "b below"))
    assert Study(name="s", where="", question="", claims=claims).arms == ["a", "b", "c"]
