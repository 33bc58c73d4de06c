"""Log-probabilities against a softmax, and sampling as the inversion of the CDF."""

from math import log

import pytest
import torch

from reasonrl.algo.logprobs import cut_support, sample_tokens, token_entropies, token_logprobs
from reasonrl.errors import NotFiniteError

TOKENS = torch.tensor([3, 0, 16, 7, 7, 1, 2, 12, 9, 5, 4])


@pytest.fixture
def logits():
    return 2 * torch.randn(11, 17, generator=torch.Generator().manual_seed(0))


def test_a_golden_logprob_and_entropy():
    # By hand: weights 1, 3 at temperature 1 are 1/4, 3/4; logits halved by temperature 2 have the
    # weights 1, sqrt(3), and the share of the second is sqrt(3) / (1 + sqrt(3)) = 0.633975.
    logits = torch.tensor([[0.0, log(3)]])
    token = torch.tensor([1])
    assert token_logprobs(logits, token, 1.0).item() == pytest.approx(log(0.75))
    assert token_logprobs(logits, token, 2.0).item() == pytest.approx(log(0.633975), abs=1e-6)
    entropy = -(0.25 * log(0.25) + 0.75 * log(0.75))
    assert token_entropies(logits, 1.0).item() == pytest.approx(entropy)


def test_equal_logits_have_the_entropy_of_their_number():
    assert token_entropies(torch.zeros(2, 8), 0.6).tolist() == pytest.approx([log(8)] * 2)


def test_bfloat16_logits_are_widened_before_the_softmax(logits):
    narrow = logits.bfloat16()
    wide = token_logprobs(narrow.float(), TOKENS, 0.6)
    assert torch.equal(token_logprobs(narrow, TOKENS, 0.6), wide)


def test_a_sampled_tokens_logprob_is_its_token_logprob(logits):
    uniforms = torch.linspace(0, 0.99, 11, dtype=torch.float64)
    tokens, logprobs = sample_tokens(logits.clone(), uniforms, 0.7)
    torch.testing.assert_close(logprobs, token_logprobs(logits, tokens, 0.7))


@pytest.mark.parametrize("temperature", [1.0, 0.6, 2.0])
def test_token_logprobs_are_a_log_softmax_at_the_temperature(logits, temperature):
    expected = torch.log_softmax(logits / temperature, -1)
    logprobs = token_logprobs(logits, TOKENS, temperature)
    torch.testing.assert_close(logprobs, expected.gather(-1, TOKENS[:, None]).squeeze(-1))


def test_a_uniform_number_picks_the_token_whose_share_of_the_cdf_holds_it():
    logits = torch.tensor([[0.5, 0.25, 0.25]]).log().repeat(4, 1)
    uniforms = torch.tensor([0.0, 0.49, 0.51, 0.9999999], dtype=torch.float64)
    tokens, _ = sample_tokens(logits, uniforms, 1.0)
    assert tokens.tolist() == [0, 0, 1, 2]


def test_sampled_frequencies_follow_the_tempered_softmax():
    logits = torch.tensor([1.0, 0.0, -1.0, -30.0]).repeat(20_000, 1)
    uniforms = torch.rand(20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.softmax(logits[0] / 0.7, -1)
    tokens, _ = sample_tokens(logits, uniforms, 0.7)
    shares = torch.bincount(tokens, minlength=4) / 20_000
    # Four standard errors of a share are at most 0.0142.
    torch.testing.assert_close(shares, expected, rtol=0, atol=0.0142)


@pytest.mark.parametrize("vocabulary", [5, 128, 640, 1000])
def test_sampling_in_blocks_is_the_inversion_of_the_whole_cdf(vocabulary):
    generator = torch.Generator().manual_seed(vocabulary)
    logits = 4 * torch.randn(4000, vocabulary, generator=generator)
    uniforms = torch.rand(4000, generator=generator, dtype=torch.float64)
    uniforms[0], uniforms[1] = 0.0, 1 - 2**-53
    probs = torch.softmax(logits.double(), -1)
    cdf = probs.cumsum(-1)
    tokens, logprobs = sample_tokens(logits, uniforms, 1.0)
    rows = torch.arange(4000)
    # The uniform lies between the token's ends of the CDF, up to float32 block totals.
    assert torch.all(uniforms < cdf[rows, tokens] + 1e-6)
    assert torch.all(uniforms >= cdf[rows, tokens] - probs[rows, tokens] - 1e-6)
    torch.testing.assert_close(logprobs, probs[rows, tokens].log().float(), rtol=1e-5, atol=1e-6)


def test_temperature_zero_is_greedy_and_reports_logprobs_at_one(logits):
    tokens, logprobs = sample_tokens(logits, torch.zeros(11, dtype=torch.float64), 0.0)
    assert torch.equal(tokens, logits.argmax(-1))
    torch.testing.assert_close(logprobs, token_logprobs(logits, tokens, 1.0))


def test_a_uniform_number_next_to_one_never_picks_a_token_without_probability():
    logits = torch.tensor([[0.0, 0.0, -1e9]])
    tokens, logprobs = sample_tokens(logits, torch.tensor([1 - 2**-53], dtype=torch.float64), 1.0)
    assert tokens.tolist() == [1]
    assert torch.isfinite(logprobs).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("temperature", [0, 1.0])
def test_logits_that_are_not_finite_are_an_error_and_no_token(logits, bad, temperature):
    logits[4, 2] = bad
    with pytest.raises(NotFiniteError, match="logits are not finite"):
        sample_tokens(logits, torch.rand(11, dtype=torch.float64), temperature)


@pytest.mark.parametrize(
    ("cuts", "left"),
    [
        # By hand, from the shares .4, .3, .2, .1 in the order below.
        ({"top_p": 0.7}, {0.4, 0.3}),
        ({"top_p": 0.71}, {0.4, 0.3, 0.2}),
        ({"top_p": 0.01}, {0.4}),
        ({"top_k": 3}, {0.4, 0.3, 0.2}),
        ({"top_k": 9}, {0.4, 0.3, 0.2, 0.1}),
        ({"min_p": 0.5}, {0.4, 0.3, 0.2}),
        ({"min_p": 0.51}, {0.4, 0.3}),
        # Of the two largest the first has 4/7.
        ({"top_k": 2, "top_p": 0.57}, {0.4}),
        ({"min_p": 0.5, "top_k": 3, "top_p": 0.5}, {0.4, 0.3}),
    ],
)
def test_the_support_is_cut_as_asked(cuts, left):
    shares = torch.tensor([[0.1, 0.4, 0.2, 0.3], [0.3, 0.2, 0.4, 0.1]])
    weights = shares / shares.amax(-1, keepdim=True)
    cut_support(weights, **{"top_p": 1.0, "top_k": 0, "min_p": 0.0, **cuts})
    for row, kept in zip(shares, weights > 0, strict=True):
        assert {round(share, 1) for share in row[kept].tolist()} == left


def test_tokens_of_a_cut_support_have_the_logprobs_of_the_rest():
    logits = torch.tensor([[0.1, 0.4, 0.2, 0.3]]).log().repeat(50, 1)
    uniforms = torch.linspace(0, 0.99, 50, dtype=torch.float64)
    tokens, logprobs = sample_tokens(logits, uniforms, 1.0, top_k=2)
    assert set(tokens.tolist()) == {1, 3}
    expected = [log({1: 4 / 7, 3: 3 / 7}[token]) for token in tokens.tolist()]
    assert logprobs.tolist() == pytest.approx(expected, abs=1e-6)
