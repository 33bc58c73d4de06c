"""The streamed head against the full form: all logits at once, differentiated by autograd."""

import pytest
import torch

from reasonrl.algo import head
from reasonrl.algo.logprobs import sample_tokens, token_logprobs
from reasonrl.algo.loss import Objective, loss_sum

N, D, V = 11, 6, 17


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)

    def draw(*size):
        return torch.randn(*size, generator=generator, dtype=torch.float64)

    return {
        "hidden": draw(N, D), "weight": draw(V, D), "advantages": draw(N),
        "old": -draw(N).abs() - 2, "ref": -draw(N).abs() - 2,
        "tokens": torch.randint(V, (N,), generator=generator),
    }  # fmt: skip


def full_form(case, objective):
    """Return the loss's gradients through plain log-softmax in float64."""
    hidden = case["hidden"].clone().requires_grad_()
    weight = case["weight"].clone().requires_grad_()
    logprobs_NV = torch.log_softmax(hidden @ weight.T / objective.temperature, -1)
    loss, _ = loss_sum(
        objective,
        logprobs_N=logprobs_NV.gather(-1, case["tokens"][:, None]).squeeze(-1),
        entropy_N=-(logprobs_NV.exp() * logprobs_NV).sum(-1),
        old_logprobs_N=case["old"],
        advantages_N=case["advantages"],
        ref_logprobs_N=case["ref"],
    )
    loss.backward()
    return float(loss.detach()), hidden.grad, weight.grad


@pytest.mark.parametrize("chunk", [1, 4, 256])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
@pytest.mark.parametrize("entropy_coefficient", [0.0, 0.3])
def test_streamed_gradients_equal_the_full_form(
    case, chunk, temperature, entropy_coefficient, monkeypatch
):
    monkeypatch.setattr(head, "CHUNK_TOKENS", chunk)
    monkeypatch.setattr(head, "_BLOCK_TOKENS", 3)
    objective = Objective(
        clip_low=0.2, clip_high=0.3, entropy_coefficient=entropy_coefficient,
        kl_coefficient=0.1, temperature=temperature,
    )  # fmt: skip
    total = []

    def chunk_loss(part, logprobs, entropy):
        loss, _ = loss_sum(
            objective, logprobs_N=logprobs, entropy_N=entropy, old_logprobs_N=case["old"][part],
            advantages_N=case["advantages"][part], ref_logprobs_N=case["ref"][part],
        )  # fmt: skip
        total.append(float(loss.detach()))
        return loss

    weight = case["weight"].clone().requires_grad_()
    at_hidden = head.backward_through_head(
        case["hidden"], weight, case["tokens"], temperature, chunk_loss
    )
    loss, expected_hidden, expected_weight = full_form(case, objective)
    assert sum(total) == pytest.approx(loss, rel=1e-12)
    torch.testing.assert_close(at_hidden, expected_hidden, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(weight.grad, expected_weight, rtol=1e-10, atol=1e-12)


def test_the_heads_gradient_adds_to_what_is_there(case):
    def step(weight):
        head.backward_through_head(
            case["hidden"], weight, case["tokens"], 1.0, lambda _part, lp, _h: lp.sum()
        )

    once, twice = (case["weight"].clone().requires_grad_() for _ in range(2))
    step(once)
    step(twice)
    step(twice)
    torch.testing.assert_close(twice.grad, 2 * once.grad)


@pytest.mark.parametrize("temperature", [1.0, 0.6, 2.0])
def test_token_logprobs_are_a_log_softmax_at_the_temperature(case, temperature):
    logits = (case["hidden"] @ case["weight"].T).float()
    expected = torch.log_softmax(logits / temperature, -1)
    found = token_logprobs(logits, case["tokens"], temperature)
    torch.testing.assert_close(found, expected.gather(-1, case["tokens"][:, None]).squeeze(-1))


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
    # four standard errors of a share are at most 0.0142
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
    # the uniform lies between the token's ends of the CDF, up to float32 block totals
    assert torch.all(uniforms < cdf[rows, tokens] + 1e-6)
    assert torch.all(uniforms >= cdf[rows, tokens] - probs[rows, tokens] - 1e-6)
    torch.testing.assert_close(logprobs, probs[rows, tokens].log().float(), rtol=1e-5, atol=1e-6)


def test_temperature_zero_is_greedy_and_reports_logprobs_at_one(case):
    logits = (case["hidden"] @ case["weight"].T).float()
    tokens, logprobs = sample_tokens(logits, torch.zeros(N, dtype=torch.float64), 0.0)
    assert torch.equal(tokens, logits.argmax(-1))
    torch.testing.assert_close(logprobs, token_logprobs(logits, tokens, 1.0))


def test_a_uniform_number_next_to_one_never_picks_what_has_no_probability():
    logits = torch.tensor([[0.0, 0.0, -1e9]])
    tokens, logprobs = sample_tokens(logits, torch.tensor([1 - 2**-53], dtype=torch.float64), 1.0)
    assert tokens.tolist() == [1]
    assert torch.isfinite(logprobs).all()
