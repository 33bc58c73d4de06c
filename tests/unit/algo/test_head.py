"""The streamed head against the full form: all logits at once, differentiated by autograd."""

import pytest
import torch

from reasonrl.algo import head
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


def test_a_narrow_type_rounds_the_two_gradients_and_no_value(case, monkeypatch):
    monkeypatch.setattr(head, "_BLOCK_ROWS", 3)

    def step(compute):
        weight = case["weight"].float().requires_grad_()
        values = []

        def loss(_part, logprobs, entropies):
            values.append(torch.stack([logprobs.detach(), entropies.detach()]))
            return (logprobs + 0.1 * entropies).sum()

        at_hidden = head.backward_through_head(
            case["hidden"].float(), weight, case["tokens"], 1.0, loss, compute=compute
        )
        return torch.cat(values, 1), at_hidden, weight.grad

    (values, *exact), (same, *narrow) = step(torch.float32), step(torch.bfloat16)
    assert torch.equal(values, same)
    for right, rounded in zip(exact, narrow, strict=True):
        assert not torch.equal(right, rounded)
        assert float((right - rounded).norm() / right.norm()) < 0.01
