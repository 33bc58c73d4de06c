"""How the local engine keeps weights and moments: what is exact, and what is close."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from reasonrl.algo.loss import Objective
from reasonrl.engines.local import LocalEngine
from reasonrl.engines.local.codes import from_codes, to_codes
from reasonrl.engines.local.optimizer import Optimizer
from reasonrl.engines.weights import CODED_MOMENT
from reasonrl.models.hf import load_model
from reasonrl.types import Sampling
from tests.conftest import OPTIMIZER, TEXTS, batch_of, prompts_of

PLAIN = Objective(
    clip_low=0.2, clip_high=0.2, entropy_coefficient=0.01, kl_coefficient=0.0, temperature=1.0
)
EIGHT_BITS = replace(OPTIMIZER, eight_bits=True)
OFFLOADED = replace(OPTIMIZER, offload=True)
SPLIT = replace(OPTIMIZER, splits=True)
ALL = replace(OPTIMIZER, eight_bits=True, offload=True, splits=True)
KINDS = {"plain": OPTIMIZER, "8 bits": EIGHT_BITS, "offloaded": OFFLOADED, "all": ALL}


def engine(settings=OPTIMIZER, **options) -> LocalEngine:
    if settings.splits:
        options["compute"] = "bfloat16"
    model = load_model("tiny", seed=1)
    return LocalEngine(model, settings, token_budget=4096, max_rows=64, **options)


def trained(of: LocalEngine, batch, steps: int) -> LocalEngine:
    for _ in range(steps):
        of.update(batch, PLAIN, learning_rate=3e-3)
    return of


@pytest.fixture(scope="module")
def batch():
    of = engine()
    prompts = prompts_of(of, TEXTS)
    return batch_of(prompts, of.generate(prompts, Sampling(max_new_tokens=12, group_size=6)))


def same(one: LocalEngine, other: LocalEngine) -> bool:
    mine, yours = one.state_dict(), other.state_dict()
    return mine.keys() == yours.keys() and all(torch.equal(mine[k], yours[k]) for k in mine)


def distance(one: LocalEngine, other: LocalEngine, start: LocalEngine) -> float:
    """The distance of two policies' weights, as a share of the way that the second one went."""
    mine, yours, before = (
        torch.cat([value.float().ravel() for _, value in of.weights().tensors.items()])
        for of in (one, other, start)
    )
    return float((mine - yours).norm() / (yours - before).norm())


def test_it_is_torchs_adamw_to_the_bit(batch):
    of, settings = engine(), OPTIMIZER
    copies = [value.detach().clone().requires_grad_() for value in of._parameters.values()]
    torchs = torch.optim.AdamW(
        copies, lr=3e-3, betas=settings.betas, eps=settings.epsilon,
        weight_decay=settings.weight_decay, fused=True,
    )  # fmt: skip
    for _ in range(3):
        of.update(batch, PLAIN, learning_rate=3e-3)
        for copy, value in zip(copies, of._parameters.values(), strict=True):
            copy.grad = value.grad
        torchs.step()
    for copy, value in zip(copies, of._parameters.values(), strict=True):
        assert torch.equal(copy, value)


def test_offloaded_moments_change_no_bit(batch):
    assert same(trained(engine(OFFLOADED), batch, 4), trained(engine(), batch, 4))


@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)
def test_a_resumed_optimizer_goes_on_as_if_it_had_not_stopped(settings, batch, tmp_path):
    whole = trained(engine(settings), batch, 3)
    whole.save(tmp_path)
    resumed = engine(settings)
    resumed.load(tmp_path)
    assert same(resumed, whole)
    assert same(trained(resumed, batch, 3), trained(whole, batch, 3))


def test_moments_of_8_bits_learn_as_float32_ones_do(batch):
    mine, other = (trained(engine(settings), batch, 8) for settings in (EIGHT_BITS, OPTIMIZER))
    assert distance(mine, other, engine()) < 0.1
    codes = {name: value for name, value in mine.state_dict().items() if name.startswith("adam8.")}
    assert {value.dtype for name, value in codes.items() if "scales" not in name} == {
        torch.uint8, torch.float32,
    }  # fmt: skip


@pytest.mark.parametrize("kinds", [(EIGHT_BITS, OPTIMIZER), (OPTIMIZER, EIGHT_BITS)])
def test_one_form_of_moments_is_read_as_the_other(kinds, batch, tmp_path):
    first, second = kinds
    before = trained(engine(first), batch, 3)
    before.save(tmp_path)
    after = engine(second)
    after.load(tmp_path)
    is_coded = any(name.startswith(CODED_MOMENT) for name in after.state_dict())
    assert is_coded == second.eight_bits
    start = trained(engine(first), batch, 3)
    assert distance(trained(after, batch, 3), trained(before, batch, 3), start) < 0.2


def test_codes_keep_three_orders_of_magnitude_in_a_block():
    values = 10.0 ** -torch.linspace(0, 3, 256)
    for is_signed, share in ((False, 0.12), (True, 0.2)):
        back = from_codes(to_codes(values, is_signed=is_signed))
        assert ((back - values).abs() / values).max() < share


def test_a_split_weight_is_the_float32_weight():
    """Every bit comes back, and the upper half is the nearest bfloat16, ties upwards."""
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(300, 200, generator=generator) * 10.0 ** torch.randint(
        -9, 4, (300, 200), generator=generator
    )
    parameter = torch.nn.Parameter(weight.clone())
    optimizer = Optimizer({"model.layers.0.weight": parameter}, SPLIT)
    assert parameter.dtype == torch.bfloat16
    assert torch.equal(optimizer.weight("model.layers.0.weight"), weight)
    assert (parameter != weight.bfloat16()).float().mean() < 1e-3


def test_split_weights_learn_as_float32_weights_that_layers_compute_with_in_bfloat16(batch):
    mine, other = (
        trained(engine(settings, compute="bfloat16"), batch, 6) for settings in (SPLIT, OPTIMIZER)
    )
    # Ties are rounded in another way, and AdamW makes whole steps of gradients that are rounding.
    assert distance(mine, other, engine()) < 0.02
    matrices = [value for value in mine._parameters.values() if value.dtype == torch.bfloat16]
    assert len(matrices) == 2 * 7
