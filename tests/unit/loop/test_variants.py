"""What the variants add to a batch, on a learner that is only asked for what it knows."""

import json

import numpy as np
import pytest

from reasonrl.engines.protocols import TrainBatch, TrainGroup
from reasonrl.loop.variants import for_update, needs_old_logprobs, with_focus
from reasonrl.recipe import ClipCov, HighEntropy, KlCov, RolloutConfig, UpdateConfig
from reasonrl.types import Surrogate

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


def focused(chosen, learner=None, given=None):
    update = UpdateConfig(focus=chosen, minibatches=2)
    return with_focus(given or batch(), update, learner or Learner(), temperature=1.0, seed=1)


def test_the_reports_objective_asks_for_nothing():
    plain, given = UpdateConfig(), batch()
    assert not needs_old_logprobs(plain)
    assert focused(None, given=given) is given
    assert for_update(given, plain, ROLLOUT, Learner(), is_first=False) is given


# By hand: log pi less its mean -2 is 1, -1, 1, -1, 0; A less its mean -.2 is 1.2, 1.2, -.8, ...
# so the covariances are 1.2, -1.2, -.8, .8, 0.
def test_the_largest_covariance_is_held():
    found = focused(KlCov(type="kl-cov", share=0.2, coefficient=3.0))
    assert found.anchors_N.tolist() == [3.0, 0, 0, 0, 0]
    assert found.weights_N is None


def test_high_covariances_are_left_out_on_top_of_other_weights():
    given = batch(weights_N=np.full(5, 0.5, dtype=np.float32))
    found = focused(ClipCov(type="clip-cov", share=1.0, low=0.5), given=given)
    assert found.weights_N.tolist() == [0, 0.5, 0.5, 0, 0.5]


def test_tokens_of_high_entropy_are_kept():
    learner = Learner(entropies=np.array([0.1, 0.5, 0.2, 0.9, 0.0], dtype=np.float32))
    found = focused(HighEntropy(type="high-entropy", share=0.4), learner)
    assert found.weights_N.tolist() == [0, 1, 0, 1, 0]


def test_dr_grpo_divides_by_rollouts_times_the_limit():
    found = for_update(batch(), UpdateConfig(average="limit"), ROLLOUT, Learner(), is_first=True)
    assert found.weights_N.tolist() == pytest.approx([5 / 20] * 5)


def test_the_first_update_of_gspo_has_a_ratio_of_exactly_one():
    update = UpdateConfig(surrogate=Surrogate.GSPO, minibatches=2)
    found = for_update(batch(), update, ROLLOUT, Learner(), is_first=True)
    assert found.old_logprobs_N is None
    assert found.weights_N.tolist() == pytest.approx([1.25, 1.25, 5 / 6, 5 / 6, 5 / 6])


def test_later_updates_of_gspo_have_one_ratio_a_rollout():
    given = batch()
    now = given.old_logprobs_N + np.array([0.2, 0.4, 0.0, 0.0, -0.3], dtype=np.float32)
    update = UpdateConfig(surrogate=Surrogate.GSPO, minibatches=2)
    found = for_update(given, update, ROLLOUT, Learner(logprobs=now), is_first=False)
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
