"""Weights cut as ranks hold them, carried over a wire, and put together again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest
import torch

from reasonrl.engines.checksums import added, checksum
from reasonrl.engines.transfer import ShareLayout, Slot, Wire, WireSeat, layout_of, meeting, share

RANKS = 3


@pytest.fixture
def weights():
    """Weights of several types and shapes: fewer rows than ranks, a scalar, odd sizes."""
    draw = torch.Generator().manual_seed(0)
    return {
        "embedding": torch.randn(7, 5, generator=draw).bfloat16(),
        "norm": torch.randn(2, generator=draw),
        "scale": torch.randn((), generator=draw),
        "experts": torch.randn(4, 3, 2, generator=draw),
        "bias": torch.randn(1, generator=draw).bfloat16(),
    }


@pytest.fixture
def layout(weights):
    slots = [Slot.of(name, value) for name, value in weights.items()]
    return layout_of(slots, {"head": "embedding"}, ranks=RANKS, bucket_bytes=64)


def held_by(rank, weights, layout):
    """The rows of each weight that a rank holds: those that torch gives it."""
    mine = {}
    for slot in (slot for bucket in layout.buckets for slot in bucket):
        value = weights[slot.name]
        parts = torch.chunk(value, RANKS) if value.ndim else [value]
        if rank < len(parts):
            mine[slot.name] = parts[rank]
    return mine


def shares_of(rank, weights, layout):
    mine = held_by(rank, weights, layout)
    return [share(layout, number, rank, mine) for number in range(len(layout.buckets))]


def test_shares_of_all_ranks_put_together_are_the_weights(weights, layout):
    assert len(layout.buckets) > 1
    by_rank = [shares_of(rank, weights, layout) for rank in range(RANKS)]
    opened = {}
    for number in range(len(layout.buckets)):
        opened |= layout.opened(number, [shares[number] for shares in by_rank])
    assert list(opened) == list(layout.names)
    for name, value in (weights | {"head": weights["embedding"]}).items():
        assert opened[name].dtype == value.dtype
        assert torch.equal(opened[name], value)


def test_a_layout_survives_being_made_plain(layout):
    plain = asdict(layout)
    plain["buckets"] = [
        [dict(slot, shape=list(slot["shape"])) for slot in bucket] for bucket in plain["buckets"]
    ]
    assert ShareLayout.from_plain(plain) == layout


def test_checksums_of_rows_add_up_to_those_of_weights(weights, layout):
    for name, value in weights.items():
        held = [held_by(rank, weights, layout).get(name) for rank in range(RANKS)]
        parts = [checksum(rows, rows.dtype) for rows in held if rows is not None]
        assert added(parts) == checksum(value, value.dtype)


def members(n, work):
    """Let `n` members of a wire work at the same time; return what each returns."""
    store, address = meeting("127.0.0.1")

    def be(number):
        seat = WireSeat(address=address, number=number, world=n, timeout_s=20.0)
        return work(number, Wire(seat, device="cpu"))

    with ThreadPoolExecutor(n) as pool:
        calls = [pool.submit(be, number) for number in range(n)]
        results = [call.exception() or call.result() for call in calls]
    del store
    return results


def test_weights_that_cross_a_wire_are_the_same_at_every_receiver(weights, layout):
    def work(number, wire):
        if number < RANKS:
            return wire.send(layout, shares_of(number, weights, layout))
        with wire.receiving(layout) as incoming:
            return dict(incoming.items())

    *sent, first, second = members(RANKS + 2, work)
    assert sent == [""] * RANKS
    for received in (first, second):
        assert list(received) == list(layout.names)
        for name, value in weights.items():
            assert torch.equal(received[name], value)


def test_a_receiver_that_fails_leaves_nobody_waiting(weights, layout):
    """All members fail at once; they waited for their timeout while only one of them left."""

    def work(number, wire):
        if number < RANKS:
            return wire.send(layout, shares_of(number, weights, layout)) or wire.send(
                layout, shares_of(number, weights, layout)
            )
        with wire.receiving(layout) as incoming:
            raise ValueError(next(incoming.items()))

    *sent, receiver = members(RANKS + 1, work)
    assert isinstance(receiver, ValueError)
    assert any(sent)
    assert not [text for text in sent if "Timed out" in text]


def opened_by_all(weights, layout):
    """The arrays of all ranks of the first bucket."""
    return [shares_of(rank, weights, layout)[0] for rank in range(RANKS)]


def test_a_broken_wire_ends_the_weights_early_and_says_why(weights, layout):
    read = []

    def work(number, wire):
        if number < RANKS:
            wire.send(layout, shares_of(number, weights, layout)[:1])
            return wire.leave()
        with wire.receiving(layout) as incoming:
            read.extend(name for name, _ in incoming.items())
            return incoming.broken

    *_, broken = members(RANKS + 1, work)
    assert broken
    assert read == [name for name, _ in layout.opened(0, opened_by_all(weights, layout))]


def test_a_rank_makes_all_of_its_shares_though_the_wire_is_broken(weights, layout):
    made = []

    def work(number, wire):
        if number == RANKS:
            return wire.leave()
        shares = shares_of(number, weights, layout)
        return wire.send(layout, (made.append(number) or array for array in shares))

    assert any(members(RANKS + 1, work))
    assert sorted(made) == sorted(list(range(RANKS)) * len(layout.buckets))
