"""One ratio a rollout (GSPO, arXiv 2507.18071) and lengths that no policy can change (Dr. GRPO)."""

import numpy as np
import pytest
import torch

from reasonrl.algo import sequence
from reasonrl.algo.loss import Objective, loss_sum

LENGTHS = [2, 3]


def test_the_log_ratio_of_a_rollout_is_the_mean_of_its_tokens():
    now = np.array([0.1, 0.3, 0.0, -0.3, 0.0], dtype=np.float32)
    found = sequence.rollout_ratios(now, np.zeros(5, np.float32), LENGTHS)
    np.testing.assert_allclose(found, [0.2, 0.2, -0.1, -0.1, -0.1], atol=1e-7)


def test_ppo_on_these_arrays_is_gspo():
    """Against the paper's objective, written with whole rollouts and differentiated by torch."""
    old = np.full(5, -1.0, dtype=np.float32)  # log s: 0.3, beyond the bound, and -0.02
    now = np.array([-0.5, -0.9, -1.4, -0.7, -0.96], dtype=np.float32)
    advantages = torch.tensor([1.5, -0.5], dtype=torch.float64)
    bounds = (0.9, 1.1)

    dense = torch.tensor(now, dtype=torch.float64, requires_grad=True)
    logs = torch.stack([part.mean() for part in (dense - torch.tensor(old)).split(LENGTHS)])
    ratio = logs.exp()
    expected = -torch.minimum(ratio * advantages, ratio.clamp(*bounds) * advantages).mean()
    expected.backward()

    tokens = torch.tensor(now, dtype=torch.float64, requires_grad=True)
    loss, _ = loss_sum(
        Objective(
            clip_low=0.1, clip_high=0.1, entropy_coefficient=0.0, kl_coefficient=0.0,
            temperature=1.0,
        ),
        logprobs_N=tokens,
        entropy_N=torch.zeros(5),
        old_logprobs_N=torch.tensor(sequence.gspo_old_logprobs(now, old, LENGTHS)),
        advantages_N=advantages.repeat_interleave(torch.tensor(LENGTHS)),
        weights_N=torch.tensor(sequence.equal_rollouts(LENGTHS)),
    )  # fmt: skip
    (loss / 5).backward()
    assert float(loss.detach() / 5) == pytest.approx(float(expected.detach()), rel=1e-6)
    np.testing.assert_allclose(tokens.grad, dense.grad, rtol=1e-5)
    assert (dense.grad == 0).tolist() == [True, True, False, False, False]


def test_dr_grpo_divides_by_max_new_tokens():
    # 5 tokens of 2 rollouts with max_new_tokens = 10: sum / 20 is the mean over tokens times 5 / 20
    assert sequence.per_max_new_tokens(LENGTHS, 10) == pytest.approx(5 / 20)
