"""Long completions attend in parts, and get what one call with a whole mask gives."""

import pytest
import torch

from reasonrl.models import attention
from reasonrl.models.attention import Branches, PackedGroups
from reasonrl.models.scores import scores_of

HEADS, KV_HEADS, SIZE = 6, 2, 8
GROUPS = [Branches(5, (70, 33)), Branches(40), Branches(1, (64,))]


def attended(scores, parts, monkeypatch):
    """Return the output and the gradients of queries, keys and values."""
    monkeypatch.setattr(attention, "_QUERIES", parts)
    draw = torch.Generator().manual_seed(0)
    length = sum(group.length for group in GROUPS)
    tensors = [
        torch.randn(1, heads, length, SIZE, generator=draw, requires_grad=True)
        for heads in (HEADS, KV_HEADS, KV_HEADS)
    ]
    out = PackedGroups(GROUPS).attend(0, *tensors, scores)
    out.backward(torch.randn(out.shape, generator=draw))
    return [out.detach(), *(tensor.grad for tensor in tensors)]


@pytest.mark.parametrize("options", [{}, {"window": 12}, {"window": 60}, {"cap": 5.0}])
def test_parts_change_nothing(options, monkeypatch):
    scores = scores_of(0.3, **options)
    whole, parts = (attended(scores, n, monkeypatch) for n in (1_000, 16))
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("share", [2, 0])
def test_a_long_completion_needs_no_mask(share, monkeypatch):
    whole = attended(scores_of(0.3), 1_000, monkeypatch)
    monkeypatch.setattr(attention, "_KEPT_MASK", 50)
    monkeypatch.setattr(attention, "_PADDED_PAST", share)
    for one, other in zip(whole, attended(scores_of(0.3), 1_000, monkeypatch), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_no_mask_of_a_whole_long_row_is_kept():
    tensors = [torch.randn(1, heads, 3_100, 4) for heads in (2, 1, 1)]
    layout = PackedGroups([Branches(100, (3_000,))])
    layout.attend(0, *tensors, scores_of(0.5))
    assert not layout._masks
    layout.attend(1, *tensors, scores_of(0.5, window=1_000))
    assert layout._masks
    assert all(mask.numel() <= attention._KEPT_MASK for mask in layout._masks.values())
    assert max(mask.shape[0] for mask in layout._masks.values()) <= attention._QUERIES


def test_short_narrow_rows_attend_in_float32():
    draw = torch.Generator().manual_seed(0)
    narrow = [
        torch.randn(1, heads, 20, 16, generator=draw).bfloat16().requires_grad_()
        for heads in (HEADS, KV_HEADS, KV_HEADS)
    ]
    wide = [each.detach().float().requires_grad_() for each in narrow]
    weights = torch.randn(1, 20, HEADS, 16, generator=draw).bfloat16()
    layout, scores = PackedGroups([Branches(8, (12,))]), scores_of(0.25)
    out, exact = (layout.attend(0, *tensors, scores) for tensors in (narrow, wide))
    assert torch.equal(out, exact.bfloat16())
    out.backward(weights)
    exact.backward(weights.float())
    for one, other in zip(narrow, wide, strict=True):
        # The prompt's keys add up two rounded gradients.
        torch.testing.assert_close(one.grad.float(), other.grad, atol=0.01, rtol=0.01)
