"""Lengths: the assumed distribution has its assumed mean, and scales with `max_new_tokens`."""

import pytest

from reasonrl.planning import lengths


@pytest.mark.parametrize("max_new_tokens", [8_192, 16_384, 32_768])
def test_lengths_have_the_assumed_mean_and_end_at_max_new_tokens(max_new_tokens):
    drawn = lengths.response_lengths(4_096, max_new_tokens)
    assert sum(drawn) / len(drawn) == pytest.approx(lengths.mean_tokens(max_new_tokens), rel=1e-3)
    assert max(drawn) == max_new_tokens
    is_cut = [length == max_new_tokens for length in drawn]
    assert sum(is_cut) / len(drawn) == pytest.approx(0.145, abs=0.002)
    assert list(drawn) == sorted(drawn)


def test_one_percent_is_shorter_than_7_percent_of_max_new_tokens():
    drawn = lengths.response_lengths(10_000, 10_000)
    assert sum(length < 700 for length in drawn) / len(drawn) == pytest.approx(0.01, abs=0.002)


def test_a_draw_at_a_quantile_is_the_length_at_that_quantile():
    # With 3 even quantiles the middle one is the median.
    _, median, _ = lengths.response_lengths(3, 8_192)
    assert lengths.draw_length(0.5, 8_192) == pytest.approx(median)
    assert lengths.draw_length(1.0, 8_192) == 8_192
    assert lengths.draw_length(0.0, 8_192) >= 1


def test_the_mean_context_of_a_rollout_is_a_prompt_and_half_of_a_size_biased_response():
    # A rollout of length n has a context of 200 + k at its step k, so its mean over the steps of
    # all rollouts is 200 + sum(n^2 / 2) / sum(n).
    drawn = lengths.response_lengths(1_000, 16_384)
    by_hand = 200 + sum(n * n / 2 for n in drawn) / sum(drawn)
    assert lengths.mean_context(16_384) == pytest.approx(by_hand, rel=1e-3)
