"""Importance weights, by hand."""

import numpy as np
import pytest

from reasonrl.algo.choices import Correction
from reasonrl.algo.correction import importance_weights

ROLLOUT = np.log(np.array([0.5, 0.2, 0.4, 0.1, 0.5], dtype=np.float32))
OLD = np.log(np.array([0.5, 0.6, 0.1, 0.1, 0.75], dtype=np.float32))
RATIOS = [1.0, 3.0, 0.25, 1.0, 1.5]  # of two rollouts, of 3 and 2 tokens


def weights(kind, cap=2.0, lengths=(3, 2)):
    found = importance_weights(
        kind, old_logprobs_N=OLD, rollout_logprobs_N=ROLLOUT, lengths=lengths, cap=cap
    )
    return None if found is None else found.tolist()


def test_without_correction_there_are_no_weights():
    assert weights(Correction.NONE) is None


def test_truncated_weights_are_ratios_up_to_the_cap():
    assert weights(Correction.TRUNCATED) == pytest.approx([1.0, 2.0, 0.25, 1.0, 1.5])


def test_masked_weights_are_ratios_within_the_band_and_0_outside():
    assert weights(Correction.MASKED) == pytest.approx([1.0, 0.0, 0.0, 1.0, 1.5])


def test_a_rollout_is_masked_by_the_geometric_mean_of_its_ratios():
    # geometric means: (1 * 3 * 0.25)^(1/3) = 0.909, (1 * 1.5)^(1/2) = 1.225
    assert weights(Correction.MASKED_ROLLOUT, cap=1.2) == pytest.approx([1.0, 1.2, 0.25, 0, 0])
    assert weights(Correction.MASKED_ROLLOUT, cap=1.05) == pytest.approx([0.0] * 5)


@pytest.mark.parametrize("kind", list(Correction)[1:])
def test_the_samplers_own_policy_weighs_1(kind):
    found = importance_weights(
        kind, old_logprobs_N=OLD, rollout_logprobs_N=OLD, lengths=[3, 2], cap=2.0
    )
    assert found.tolist() == [1.0] * 5


@pytest.mark.parametrize("kind", list(Correction)[1:])
def test_no_tokens_have_no_weights(kind):
    none = np.zeros(0, dtype=np.float32)
    found = importance_weights(
        kind, old_logprobs_N=none, rollout_logprobs_N=none, lengths=[], cap=2.0
    )
    assert found.shape == (0,)


def test_truncated_weights_are_unbiased_below_the_cap():
    """Over all tokens of a distribution, E_rollout[w f] = E_old[f]."""
    rng = np.random.default_rng(0)
    rollout, old = rng.dirichlet(np.ones(7)), rng.dirichlet(np.ones(7))
    values = rng.normal(size=7)
    w = importance_weights(
        Correction.TRUNCATED,
        old_logprobs_N=np.log(old).astype(np.float32),
        rollout_logprobs_N=np.log(rollout).astype(np.float32),
        lengths=[7],
        cap=1e6,
    )
    assert (rollout * w * values).sum() == pytest.approx((old * values).sum(), rel=1e-5)
