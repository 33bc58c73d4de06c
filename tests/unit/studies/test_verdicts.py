"""When a direction counts as reproduced."""

from math import log

import pytest

from reasonrl.studies import measures as m
from reasonrl.studies.claims import Claim, Sign, Study
from reasonrl.studies.record import Axis
from reasonrl.studies.verdicts import ClaimOutcome, judge_claim, judge_study, overall
from tests.unit.studies.support import run


def claim(sign=Sign.BELOW, **changes):
    plain = {"text": "", "measure": m.SCORE_END, "arm": "a", "sign": sign, "other": "b",
             "margin": 0.01}  # fmt: skip
    return Claim(**{**plain, **changes})


def scored(mine, theirs):
    """Runs of two arms that ended with these scores, by seed."""
    records = {}
    for arm, scores in (("a", mine), ("b", theirs)):
        for seed, score in enumerate(scores, start=1):
            records[arm, seed] = run([0.4], {1: score})
    return records


# By hand: differences -.2, -.3, -.4; mean -.3, s = .1, so half the interval is 4.303 * .1 / 3^.5.
def test_golden_of_an_interval():
    verdict = judge_claim(claim(), scored([0.5, 0.4, 0.4], [0.7, 0.7, 0.8]))
    assert verdict.mean == pytest.approx(-0.3)
    assert verdict.ci95 == (pytest.approx(-0.5484, abs=1e-4), pytest.approx(-0.0516, abs=1e-4))
    assert verdict.outcome is ClaimOutcome.REPRODUCED
    assert (verdict.values, verdict.others) == ((0.5, 0.4, 0.4), (0.7, 0.7, 0.8))


@pytest.mark.parametrize(
    ("sign", "differences", "expected"),
    [
        (Sign.ABOVE, [0.2, 0.21, 0.22], ClaimOutcome.REPRODUCED),
        (Sign.ABOVE, [-0.2, -0.21, -0.22], ClaimOutcome.NOT_REPRODUCED),
        (Sign.ABOVE, [0.001, 0.0, -0.001], ClaimOutcome.NOT_REPRODUCED),  # within the margin
        (Sign.ABOVE, [0.004, 0.005, 0.006], ClaimOutcome.NOT_REPRODUCED),  # however sure
        (Sign.ABOVE, [0.3, -0.3, 0.1], ClaimOutcome.INCONCLUSIVE),
        (Sign.BELOW, [0.2, 0.21, 0.22], ClaimOutcome.NOT_REPRODUCED),
        (Sign.BELOW, [0.3, -0.3, 0.1], ClaimOutcome.INCONCLUSIVE),
        (Sign.ALIKE, [0.001, 0.0, -0.001], ClaimOutcome.REPRODUCED),
        (Sign.ALIKE, [0.2, 0.21, 0.22], ClaimOutcome.NOT_REPRODUCED),
        (Sign.ALIKE, [0.02, 0.0, -0.02], ClaimOutcome.INCONCLUSIVE),
        (Sign.DIFFERENT, [-0.2, -0.21, -0.22], ClaimOutcome.REPRODUCED),
        (Sign.DIFFERENT, [0.001, 0.0, -0.001], ClaimOutcome.NOT_REPRODUCED),
        (Sign.DIFFERENT, [0.3, -0.3, 0.1], ClaimOutcome.INCONCLUSIVE),
    ],
)
def test_the_rule_of_verdicts(sign, differences, expected):
    records = scored([0.5 + one for one in differences], [0.5] * 3)
    assert judge_claim(claim(sign), records).outcome is expected


def test_two_seeds_decide_nothing_and_none_is_not_run():
    assert judge_claim(claim(), scored([0.1] * 2, [0.9] * 2)).outcome is ClaimOutcome.INCONCLUSIVE
    assert judge_claim(claim(), {}).outcome is ClaimOutcome.MISSING
    unmeasured = {(arm, seed): run([0.4]) for arm in "ab" for seed in (1, 2, 3)}
    assert judge_claim(claim(), unmeasured).why == "its runs do not have the measure"
    only_one_arm = {("a", seed): run([0.4], {1: 0.5}) for seed in (1, 2, 3)}
    assert judge_claim(claim(), only_one_arm).outcome is ClaimOutcome.MISSING


def test_seeds_are_paired_by_number_and_not_by_place():
    records = scored([0.1, 0.5, 0.9, 0.3], [0.2, 0.6, 1.0])
    del records["a", 1]
    verdict = judge_claim(claim(), records)
    assert verdict.seeds == (2, 3)
    assert verdict.mean == pytest.approx(-0.1)


def test_a_level_stands_for_the_other_arm():
    records = {("a", seed): run([0.4, 0.4, 0.4, 0.04]) for seed in (1, 2, 3)}
    half = claim(measure=m.ENTROPY_CHANGE, other="", level=log(0.5), margin=0.05)
    verdict = judge_claim(half, records)
    assert verdict.mean == pytest.approx(log(0.1) - log(0.5))
    assert verdict.others == ()


def test_runs_are_lined_up_by_what_the_claim_says():
    """Four updates a step: after 2 steps it has taken as many as the other in 8."""
    fast, slow = [8 - step for step in range(8)], [8 - step / 10 for step in range(8)]
    records = {}
    for seed in (1, 2, 3):
        records["a", seed] = run(fast, updates=4)
        records["b", seed] = run(slow, updates=1)
    level = {"measure": m.ENTROPY_LEVEL, "margin": 0.0}
    at_steps = judge_claim(claim(**level), records)
    at_updates = judge_claim(claim(at=Axis.UPDATES, **level), records)
    assert at_steps.values[0] == pytest.approx(4.5)  # the mean of 8 to 1
    assert at_updates.values[0] == pytest.approx(7.5)  # steps 1 and 2
    assert at_updates.others[0] == pytest.approx(7.65)  # all eight


@pytest.mark.parametrize(("share", "expected"), [(0.002, "void"), (0.02, "reproduced")])
def test_a_claim_on_clipping_is_void_where_the_baseline_hardly_clips(share, expected):
    records = {}
    for seed in (1, 2, 3):
        records["a", seed] = run([0.4, 0.4], update__clipped_share=[0.0, 0.0])
        records["b", seed] = run([0.4, 0.1 + seed / 100], update__clipped_share=[share, share])
    clip = claim(Sign.ABOVE, measure=m.ENTROPY_LEVEL, is_about_clipping=True)
    assert judge_claim(clip, records).outcome == expected


def test_a_study_stands_and_falls_with_its_headlines():
    records = scored([0.5, 0.51, 0.52], [0.7] * 3)
    good, bad = claim(Sign.BELOW), claim(Sign.ABOVE)
    for headline, expected in ((good, ClaimOutcome.REPRODUCED), (bad, ClaimOutcome.NOT_REPRODUCED)):
        other = good if headline is bad else bad
        claims = (Claim(**{**_fields(headline), "is_headline": True}), other)
        study = Study(name="s", where="", question="", claims=claims)
        assert overall(judge_study(study, records)) is expected


def _fields(one):
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


def test_arms_that_begin_beyond_an_entropy_are_not_compared_at_it():
    at_entropy = claim(at=Axis.ENTROPY)
    scores = {0: 0.1, 20: 0.5}
    falling, low, short = run([0.4] * 10 + [0.3] * 10, scores), run([0.2] * 20, scores), run([0.4])
    for other in (low, short):
        records = {
            (arm, seed): one for seed in (1, 2, 3) for arm, one in (("a", falling), ("b", other))
        }
        assert judge_claim(at_entropy, records).outcome is ClaimOutcome.MISSING
