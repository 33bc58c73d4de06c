"""From judged samples to results: what counts, what does not, and what is said of it."""

import pytest

from reasonrl.errors import DataError
from reasonrl.evaluation.paired import Gain
from reasonrl.evaluation.score import (
    JudgedSample,
    compare_suites,
    describe,
    describe_gain,
    score_suite,
)
from reasonrl.types import Kind, Sampling, Status, Verdict


def sample(reward, *, answer="", n=5, cut=False, kind=Kind.MATH):
    status = {None: Status.INFRA_ERROR, 1.0: Status.CORRECT}.get(reward, Status.WRONG)
    verdict = Verdict(reward=reward, status=status, extracted=answer)
    return JudgedSample(kind=kind, n_tokens=n, is_truncated=cut, verdict=verdict)


def scored(samples, k=4):
    sampling = Sampling(max_new_tokens=9, group_size=k)
    return score_suite("s", samples, sampling, step=0)


MIXED = {
    "a": [sample(1.0, answer="4"), sample(0.0, answer="5"), sample(1.0, answer="4.0"),
          sample(0.0, n=9, cut=True)],
    "b": [sample(0.0, answer="1/2"), sample(0.0, answer="0.5"), sample(1.0, answer="2"),
          sample(None)],
}  # fmt: skip


def test_every_number_of_a_small_suite_by_hand():
    result = scored(MIXED)
    # a: 2 of 4; b: 1 of 3 judged
    assert result.accuracy.value == pytest.approx((2 / 4 + 1 / 3) / 2)
    assert result.pass_at[1].value == pytest.approx(result.accuracy.value)
    # pass@2: a 1 - C(2,2)/C(4,2) = 5/6; b 1 - C(2,2)/C(3,2) = 2/3
    assert result.pass_at[2].value == pytest.approx((5 / 6 + 2 / 3) / 2)
    # pass@4: b has only 3 judged samples and is left out
    assert result.pass_at[4].value == 1.0
    # a: 4 has two votes, 5 one, the cut one none; b: 1/2 and 0.5 are one answer and win
    assert result.consensus.value == pytest.approx((1 + 0) / 2)
    assert result.accuracy_finished == pytest.approx(3 / 6)
    assert result.truncated_share == pytest.approx(1 / 8)
    assert result.mean_tokens == pytest.approx((7 * 5 + 9) / 8)
    assert (result.n_problems, result.failed) == (2, 1)
    assert result.statuses == {"CORRECT": 3, "INFRA_ERROR": 1, "WRONG": 4}
    assert [one.right for one in result.problems] == [2, 1]


def test_the_order_of_problems_and_samples_changes_no_estimate():
    turned = {name: group[::-1] for name, group in reversed(MIXED.items())}
    one, two = scored(MIXED), scored(turned)
    assert (one.accuracy, one.pass_at, one.consensus) == (two.accuracy, two.pass_at, two.consensus)


def test_a_problem_that_could_not_be_judged_is_no_problem_with_score_zero():
    result = scored({"a": [sample(1.0)] * 2, "b": [sample(None)] * 2}, k=2)
    assert result.accuracy.value == 1.0
    assert result.n_problems == 1
    with pytest.raises(DataError, match="no sample could be judged"):
        scored({"a": [sample(None)]}, k=1)


def test_programs_have_no_consensus_and_one_sample_is_none():
    assert scored({"a": [sample(1.0, kind=Kind.CODE)] * 4}).consensus is None
    assert scored({"a": [sample(1.0, answer="4")]}, k=1).consensus is None


def test_pass_at_k_of_three_samples_is_there_for_one_two_and_three():
    assert list(scored({"a": [sample(1.0)] * 3}, k=3).pass_at) == [1, 2, 3]


def test_comparison_needs_the_same_problems_and_leaves_out_the_unjudged():
    before = scored({"a": [sample(0.0)], "b": [sample(0.0)], "c": [sample(1.0)]}, k=1)
    after = scored({"a": [sample(1.0)], "b": [sample(None)], "c": [sample(1.0)]}, k=1)
    gain = compare_suites(before, after)
    assert (gain.value, gain.n_problems) == (0.5, 2)
    with pytest.raises(DataError, match="1 problems are in only one of the evaluations"):
        compare_suites(before, scored({"a": [sample(1.0)], "b": [sample(1.0)]}, k=1))


@pytest.mark.parametrize(
    ("gain", "text"),
    [
        (Gain(value=0.031, ci95=(0.004, 0.058), is_shown=True, n_problems=30),
         "gain 3.1 points, 95 % interval 0.4 to 5.8"),
        (Gain(value=-0.02, ci95=(-0.03, -0.01), is_shown=True, n_problems=30),
         "loss 2.0 points, 95 % interval 1.0 to 3.0"),
        (Gain(value=0.007, ci95=(-0.011, 0.025), is_shown=False, n_problems=30),
         "no difference shown: +0.7 points, 95 % interval -1.1 to +2.5"),
    ],
)  # fmt: skip
def test_the_verdict_on_a_gain_is_plain(gain, text):
    assert describe_gain(gain) == text


def test_the_line_about_a_result_holds_what_matters():
    line = describe(scored(MIXED))
    assert line.startswith("eval step=0 suite=s avg@4=0.417 ci95=[")
    assert "pass@4=1.000 cons@4=0.500 failed=1 problems=2 truncated=0.125" in line
