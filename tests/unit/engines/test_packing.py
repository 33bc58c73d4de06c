"""Shares of a batch for many ranks: nothing lost, nothing doubled, no budget broken."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonrl.engines.packing import batch_of_pairs, first_completions, pack, share_out
from reasonrl.engines.protocols import TrainBatch, TrainGroup

GROUPS = st.lists(
    st.tuples(st.integers(1, 12), st.lists(st.integers(1, 30), min_size=1, max_size=6)),
    min_size=1, max_size=8,
)  # fmt: skip


def batch_with(lengths) -> TrainBatch:
    """Groups whose tokens are all different, so that each can be followed."""
    counter = iter(range(10**6))

    def take(n: int) -> np.ndarray:
        return np.array([next(counter) for _ in range(n)], dtype=np.int32)

    groups = tuple(
        TrainGroup(
            prompt=take(prompt),
            completions=tuple(take(n) for n in completions),
            advantages=tuple(float(n) for n in completions),
        )
        for prompt, completions in lengths
    )
    total = sum(n for _, completions in lengths for n in completions)
    return TrainBatch(groups=groups, rollout_logprobs_N=np.zeros(total, np.float32))


@settings(max_examples=100, deadline=None)
@given(lengths=GROUPS, budget=st.integers(1, 120), ranks=st.integers(1, 5))
def test_every_token_is_in_one_share_of_one_round(lengths, budget, ranks):
    batch = batch_with(lengths)
    whole = np.concatenate([c for group in batch.groups for c in group.completions])
    rounds = share_out(batch, token_budget=budget, ranks=ranks)
    assert all(len(shares) == ranks for shares in rounds)
    computed = []
    for shares in rounds:
        for share in shares:
            micro = pack(share, device="cpu", multiple_of=4)
            assert micro.tokens_1L.shape[1] % 4 == 0
            assert micro.tokens_1L.shape[1] > 0
            assert sum(p.n_fed for p in share) <= budget or len(share) == 1
            np.testing.assert_array_equal(whole[micro.index_N.numpy()], micro.targets_N.numpy())
            computed += micro.index_N.tolist()
    assert sorted(computed) == list(range(batch.n_tokens))


@settings(max_examples=50, deadline=None)
@given(lengths=GROUPS, ranks=st.integers(1, 4))
def test_shares_of_a_round_are_about_as_long(lengths, ranks):
    """Ranks wait for the longest: no share exceeds the mean by more than the largest piece."""
    batch = batch_with(lengths)
    [shares] = share_out(batch, token_budget=10_000, ranks=ranks)
    sizes = [sum(piece.n_fed for piece in share) for share in shares]
    largest = max(piece.n_fed for share in shares for piece in share)
    assert max(sizes) <= sum(sizes) / ranks + largest


def test_what_is_scored_in_an_audit_leaves_room_for_one_token():
    batch = batch_with([(3, [5, 9]), (2, [1]), (4, [600])])
    sample = batch_of_pairs(first_completions(batch, n=4, max_tokens=512))
    assert [len(group.completions[0]) for group in sample.groups] == [4, 1, 512]
    assert sample.n_tokens == 517
