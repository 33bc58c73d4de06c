"""The objective; report eq. 3.1 and the k3 penalty of eq. 2.4."""

import math

import pytest
import torch

from reasonrl.algo.choices import Surrogate
from reasonrl.algo.loss import Objective, k3, loss_sum


def objective(**changes):
    plain = {"clip_low": 0.2, "clip_high": 0.2, "entropy_coefficient": 0.0,
             "kl_coefficient": 0.0, "temperature": 1.0}  # fmt: skip
    return Objective(**{**plain, **changes})


def sums(settings, *, ratios, advantages, entropies=None, ref=None, anchors=None):
    old = torch.zeros(len(ratios), dtype=torch.float64)
    return loss_sum(
        settings,
        logprobs_N=torch.tensor(ratios, dtype=torch.float64).log(),
        entropy_N=torch.tensor(entropies or [0.0] * len(ratios), dtype=torch.float64),
        old_logprobs_N=old,
        advantages_N=torch.tensor(advantages, dtype=torch.float64),
        ref_logprobs_N=None if ref is None else torch.tensor(ref, dtype=torch.float64),
        anchors_N=None if anchors is None else torch.tensor(anchors, dtype=torch.float64),
    )


# By hand, eps = 0.2. A > 0: min(1.5 * 2, 1.2 * 2) = 2.4; min(0.5 * 2, 0.8 * 2) = 1.0.
# A < 0: min(1.5 * -2, 1.2 * -2) = -3.0; min(0.5 * -2, 0.8 * -2) = -1.6. Sum -1.2.
def test_golden_of_the_clipped_objective():
    loss, recorded = sums(
        objective(), ratios=[1.5, 0.5, 1.5, 0.5], advantages=[2.0, 2.0, -2.0, -2.0]
    )
    assert float(loss) == pytest.approx(1.2)
    assert float(recorded.policy) == pytest.approx(-1.2)
    assert float(recorded.clipped) == 2  # the first and the last
    assert float(recorded.ratio) == pytest.approx(4.0)


def test_clip_higher_moves_only_the_upper_bound():
    wide = objective(clip_high=0.4)
    loss, _ = sums(wide, ratios=[1.5, 0.5, 1.5, 0.5], advantages=[2.0, 2.0, -2.0, -2.0])
    assert float(loss) == pytest.approx(-(2.8 + 1.0 - 3.0 - 1.6))


def test_the_entropy_term_is_a_bonus_on_every_token():
    loss, recorded = sums(
        objective(entropy_coefficient=0.1), ratios=[1.0, 1.0], advantages=[0.0, 0.0],
        entropies=[0.5, 1.5],
    )  # fmt: skip
    assert float(loss) == pytest.approx(-0.2)
    assert float(recorded.entropy) == pytest.approx(2.0)


# By hand: d = ref - policy = -log 2, so exp(d) - d - 1 = 0.5 + log 2 - 1.
def test_golden_of_the_kl_penalty():
    expected = math.log(2) - 0.5
    estimate = k3(torch.tensor([0.0]), torch.tensor([-math.log(2)]))
    assert float(estimate) == pytest.approx(expected, rel=1e-6)
    loss, recorded = sums(
        objective(kl_coefficient=0.01), ratios=[1.0], advantages=[0.0], ref=[-math.log(2)]
    )
    assert float(loss) == pytest.approx(0.01 * expected)
    assert float(recorded.kl) == pytest.approx(expected)


def test_a_penalty_without_a_reference_is_refused():
    with pytest.raises(ValueError, match="reference"):
        sums(objective(kl_coefficient=0.01), ratios=[1.0], advantages=[0.0])


def test_on_policy_the_clipped_surrogate_is_reinforce():
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    advantages = torch.tensor([1.0, -1.0, 0.5, 0.0, -2.0], dtype=torch.float64)

    def gradient(loss_of):
        leaf = logits.clone().requires_grad_()
        logprobs = torch.log_softmax(leaf, -1)[:, 0]
        loss_of(logprobs).backward()
        return leaf.grad

    def surrogate(logprobs):
        return loss_sum(
            objective(), logprobs_N=logprobs, entropy_N=logprobs * 0,
            old_logprobs_N=logprobs.detach(), advantages_N=advantages,
        )[0]  # fmt: skip

    reinforce = gradient(lambda logprobs: -(logprobs * advantages).sum())
    torch.testing.assert_close(gradient(surrogate), reinforce, rtol=0, atol=0)


def test_the_gradient_of_cispo_is_the_clipped_ratio_times_the_advantage():
    logprobs = torch.tensor([1.5, 0.5, 1.1], dtype=torch.float64).log().requires_grad_()
    loss, recorded = loss_sum(
        objective(surrogate=Surrogate.CISPO, clip_low=1.0),
        logprobs_N=logprobs,
        entropy_N=torch.zeros(3),
        old_logprobs_N=torch.zeros(3, dtype=torch.float64),
        advantages_N=torch.tensor([2.0, -1.0, 1.0], dtype=torch.float64),
    )
    loss.backward()
    # by hand: the ratios 1.5, 0.5, 1.1 bounded by [0, 1.2]; no token loses its gradient
    assert logprobs.grad.tolist() == pytest.approx([-1.2 * 2.0, 0.5, -1.1])
    assert float(recorded.clipped) == 1


def test_an_anchor_adds_the_distance_from_the_old_log_probability():
    free, _ = sums(objective(), ratios=[1.1, 0.9], advantages=[1.0, 1.0])
    held, _ = sums(objective(), ratios=[1.1, 0.9], advantages=[1.0, 1.0], anchors=[0.0, 2.0])
    assert float(held - free) == pytest.approx(-2.0 * math.log(0.9))
