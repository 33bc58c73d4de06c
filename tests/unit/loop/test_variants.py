"""The variants' arrays, on a learner that is only asked for what it knows."""

import json

import numpy as np
import pytest

from reasonrl.algo.choices import Surrogate
from reasonrl.engines.protocols import TrainBatch, TrainGroup
from reasonrl.loop.variants import (
    choose_tokens,
    needs_old_logprobs,
    times,
    with_denominator,
    with_rollout_ratios,
)
from reasonrl.recipe import ClipCov, HighEntropy, KlCov, RolloutConfig, UpdateConfig

ROLLOUT = RolloutConfig(max_new_tokens=10)


class Learner:
    """Know five tokens; fail when asked for more than a test allows."""

    def __init__(self, **known):
        self.known = known

    def at_tokens(self, batch, what, *, temperature):
        return self.known[what]


def batch(**changes) -> TrainBatch:
    tokens = np.zeros(5, dtype=np.int32)
    group = TrainGroup(prompt=tokens, completions=(tokens[:2], tokens[:3]), advantages=(1.0, -1.0))
    old = np.array([-1.0, -3.0, -1.0, -3.0, -2.0], dtype=np.float32)
    return TrainBatch(groups=(group,), rollout_logprobs_N=old, old_logprobs_N=old, **changes)


def choice(chosen, learner=None):
    given = batch()
    return choose_tokens(
        chosen, given, given.old_logprobs_N, learner or Learner(), temperature=1.0, seed=1
    )


def test_the_reports_objective_asks_for_nothing():
    given = batch()
    assert not needs_old_logprobs(None)
    assert (choice(None).weights_N, choice(None).anchors_N) == (None, None)
    assert with_denominator(given, UpdateConfig(), ROLLOUT) is given


def test_a_choice_by_covariance_needs_the_policy_before_the_update():
    with pytest.raises(ValueError, match="kl-cov needs old_logprobs_N"):
        choose_tokens(KlCov(type="kl-cov"), batch(), None, Learner(), temperature=1.0, seed=1)


# By hand: log pi less its mean -2 is 1, -1, 1, -1, 0; A less its mean -.2 is 1.2, 1.2, -.8, ...
# so the covariances are 1.2, -1.2, -.8, .8, 0.
def test_the_largest_covariance_is_held():
    found = choice(KlCov(type="kl-cov", share=0.2, coefficient=3.0))
    assert found.anchors_N.tolist() == [3.0, 0, 0, 0, 0]
    assert found.weights_N is None


def test_high_covariances_are_left_out_on_top_of_other_weights():
    halves = np.full(5, 0.5, dtype=np.float32)
    found = choice(ClipCov(type="clip-cov", share=1.0, low=0.5))
    assert times(found.weights_N, halves).tolist() == [0, 0.5, 0.5, 0, 0.5]
    assert times(None, halves) is times(halves, None) is halves


def test_tokens_of_high_entropy_are_kept():
    learner = Learner(entropies=np.array([0.1, 0.5, 0.2, 0.9, 0.0], dtype=np.float32))
    found = choice(HighEntropy(type="high-entropy", share=0.4), learner)
    assert found.weights_N.tolist() == [0, 1, 0, 1, 0]


def test_dr_grpo_divides_by_rollouts_times_the_limit():
    found = with_denominator(batch(), UpdateConfig(average="limit"), ROLLOUT)
    assert found.weights_N.tolist() == pytest.approx([5 / 20] * 5)


def test_the_first_update_of_gspo_has_a_ratio_of_exactly_one():
    update = UpdateConfig(surrogate=Surrogate.GSPO, minibatches=2)
    given = with_denominator(batch(), update, ROLLOUT)
    found = with_rollout_ratios(given, Learner(), temperature=1.0, is_first=True)
    assert found.old_logprobs_N is None
    assert found.weights_N.tolist() == pytest.approx([1.25, 1.25, 5 / 6, 5 / 6, 5 / 6])


def test_later_updates_of_gspo_have_one_ratio_a_rollout():
    given = batch()
    now = given.old_logprobs_N + np.array([0.2, 0.4, 0.0, 0.0, -0.3], dtype=np.float32)
    found = with_rollout_ratios(given, Learner(logprobs=now), temperature=1.0, is_first=False)
    np.testing.assert_allclose(now - found.old_logprobs_N, [0.3, 0.3, -0.1, -0.1, -0.1], atol=1e-6)


@pytest.mark.parametrize(
    "refused",
    [
        {"surrogate": "gspo", "average": "limit"},
        {"surrogate": "gspo", "minibatches": 2, "focus": {"type": "kl-cov"}},
        {"focus": {"type": "kl-cov"}},
        {"focus": {"type": "clip-cov", "low": 3.0, "high": 1.0}},
    ],
)
def test_what_would_compute_nothing_meaningful_is_refused(refused):
    with pytest.raises(ValueError, match=r"gspo|kl-cov|clip-cov"):
        UpdateConfig.model_validate_json(json.dumps(refused))
