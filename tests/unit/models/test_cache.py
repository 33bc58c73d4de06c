"""Rows of any length attend to their own past, on whatever shelf they stand."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from reasonrl.models.cache import CachedRows, capacity_for
from reasonrl.models.scores import scores_of

LAYERS, HEADS, GROUPS, SIZE = 2, 2, 3, 4


class Rows:
    """A cache, and beside it every row's keys and values in full, one pair a layer."""

    def __init__(self, seed=0):
        self.cache = CachedRows(n_layers=LAYERS, heads=HEADS, head_size=SIZE, like=torch.zeros(0))
        self.full = {}
        self.draw = torch.Generator().manual_seed(seed)

    def random(self, *shape):
        return torch.randn(*shape, generator=self.draw)

    def load(self, *rows):
        prefixes = {
            key: [(self.random(HEADS, n, SIZE), self.random(HEADS, n, SIZE)) for _ in range(LAYERS)]
            for key, n in rows
        }
        self.full |= prefixes
        self.cache.load(list(prefixes.items()))

    def drop(self, *keys):
        self.cache.drop(keys)
        for key in keys:
            del self.full[key]

    def step(self, scores):
        """Take a step; check each row's output in each layer against a softmax over its past."""
        order, positions = self.cache.advance()
        assert sorted(order) == sorted(self.full)
        assert positions.tolist() == [[self.full[key][0][0].shape[1] for key in order]]
        n = len(order)
        for layer in range(LAYERS):
            query = self.random(1, HEADS * GROUPS, n, SIZE)
            key, value = self.random(1, HEADS, n, SIZE), self.random(1, HEADS, n, SIZE)
            out = self.cache.attend(layer, query, key, value, scores)
            assert out.shape == (1, n, HEADS * GROUPS, SIZE)
            for at, name in enumerate(order):
                past = self.full[name][layer]
                self.full[name][layer] = tuple(
                    torch.cat((old, new[0, :, at : at + 1]), dim=1)
                    for old, new in zip(past, (key, value), strict=True)
                )
                expected = self.by_hand(query[0, :, at], *self.full[name][layer], scores)
                torch.testing.assert_close(out[0, at], expected, atol=1e-5, rtol=1e-5)

    @staticmethod
    def by_hand(query_HD, keys, values, scores):
        window = scores.window or keys.shape[1]
        keys, values = keys[:, -window:], values[:, -window:]
        query = query_HD.view(HEADS, GROUPS, SIZE)
        weights = (query @ keys.transpose(1, 2) * scores.scale).softmax(-1)
        return (weights @ values).reshape(HEADS * GROUPS, SIZE)


@pytest.mark.parametrize("window", [None, 9])
def test_rows_of_all_lengths_come_move_and_go(window):
    rows, scores = Rows(), scores_of(0.5, window=window)
    rows.load(("a", 3), ("b", 62), ("c", 62), ("d", 127), ("e", 400))
    for _ in range(4):  # b, c and d outgrow their shelves
        rows.step(scores)
    rows.drop("b")
    rows.load(("f", 65), ("g", 3))
    rows.step(scores)
    rows.drop("e", "a")
    rows.step(scores)
    rows.load(("h", 450))
    rows.step(scores)


def test_rows_of_any_history():
    draws = np.random.default_rng(1)
    rows, scores, names = Rows(seed=2), scores_of(0.3), iter(range(1_000))
    for _ in range(60):
        if len(rows.full) < 12:
            rows.load(*((next(names), int(draws.integers(1, 300))) for _ in range(2)))
        if draws.random() < 0.5:
            rows.drop(int(draws.choice(list(rows.full))))
        rows.step(scores)


def test_the_memory_follows_the_rows_that_are_left():
    rows, scores = Rows(), scores_of(0.3)
    rows.load(*((n, 100) for n in range(8)), ("long", 1_000))
    token_bytes = LAYERS * 2 * HEADS * SIZE * 4
    assert rows.cache.bytes == (8 * 128 + capacity_for(1_001)) * token_bytes
    rows.drop("long", *range(5))
    assert rows.cache.bytes == 3 * 128 * token_bytes
    rows.step(scores)
    rows.drop(*range(5, 8))
    assert rows.cache.bytes == 0


def test_a_shelf_has_a_quarter_more_room_than_the_one_before():
    rooms = sorted({capacity_for(n) for n in range(1, 40_000, 50)})
    assert rooms[:4] == [64, 128, 192, 256]
    assert all(new <= 1.25 * old + 64 for old, new in pairwise(rooms))
    assert all(room >= n for n in (1, 64, 65, 32_768) for room in [capacity_for(n)])
