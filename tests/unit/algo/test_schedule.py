"""The learning rate: by hand, and where its parts meet."""

import pytest

from reasonrl.algo.schedule import learning_rate_at


def rates(schedule, *, steps=8, warmup_steps=0, peak=1.0):
    return [
        learning_rate_at(n, steps=steps, peak=peak, warmup_steps=warmup_steps, schedule=schedule)
        for n in range(steps)
    ]


def test_without_anything_the_rate_is_the_peak_to_the_bit():
    assert rates("constant", peak=1e-6) == [1e-6] * 8


def test_a_warm_up_rises_in_equal_parts_to_the_peak():
    assert rates("constant", warmup_steps=4) == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("linear", [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]),
        ("cosine", [0.5, 1.0, 1.0, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2]),
    ],
)
def test_a_schedule_falls_from_the_peak_towards_zero(schedule, expected):
    assert rates(schedule, steps=6, warmup_steps=2) == pytest.approx(expected)


def test_a_warm_up_longer_than_the_stage_never_ends():
    assert rates("linear", steps=3, warmup_steps=6) == pytest.approx([1 / 6, 2 / 6, 3 / 6])
