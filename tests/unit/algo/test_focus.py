"""Choosing among a step's tokens; arXiv 2505.22617 and 2506.01939."""

import numpy as np
import pytest

from reasonrl.algo import focus

LOGPROBS = np.array([-3.0, -1.0, -1.0, -3.0], dtype=np.float32)
ADVANTAGES = np.array([1.0, 1.0, -1.0, -1.0], dtype=np.float32)


# By hand: means -2 and 0, so the products of the differences are -1, 1, -1, 1.
def test_golden_of_the_covariances():
    assert focus.covariances(LOGPROBS, ADVANTAGES).tolist() == [-1.0, 1.0, -1.0, 1.0]


def test_the_mean_of_the_covariances_is_the_covariance():
    random = np.random.default_rng(0)
    logprobs, advantages = random.normal(size=(2, 50)).astype(np.float32)
    expected = np.cov(logprobs, advantages, bias=True)[0, 1]
    assert focus.covariances(logprobs, advantages).mean() == pytest.approx(expected, rel=1e-5)


def test_clip_cov_leaves_out_a_share_of_the_tokens_between_the_bounds():
    def left_out(share, **bounds):
        found = focus.clip_cov(LOGPROBS, ADVANTAGES, share=share, seed=3, **bounds)
        return np.flatnonzero(found).tolist()

    assert left_out(1.0, low=0.5, high=5.0) == [1, 3]
    assert left_out(1.0, low=1.5, high=5.0) == []
    assert left_out(0.25, low=0.5, high=5.0) in ([1], [3])
    assert left_out(0.01, low=0.5, high=5.0) in ([1], [3])  # at least one, as ceil(share N)


def test_the_draw_of_clip_cov_depends_on_the_seed_alone():
    logprobs = np.linspace(-2, 0, 40, dtype=np.float32)
    draws = [
        focus.clip_cov(logprobs, logprobs, share=0.1, low=0.0, high=9.0, seed=seed).tolist()
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]


def test_kl_cov_holds_the_largest_covariances():
    held = focus.kl_cov(np.array([0.0, -9.0, -1.0]), np.array([1.0, -1.0, 0.0]), share=0.3)
    assert held.tolist() == [False, True, False]


def test_high_entropy_keeps_the_most_undecided_tokens():
    kept = focus.high_entropy(np.array([0.1, 0.9, 0.5, 0.0, 0.7]), share=0.4)
    assert kept.tolist() == [False, True, False, False, True]
