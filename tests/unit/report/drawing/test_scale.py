"""Ticks of axes, and numbers and texts as people write them."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonrl.report.drawing.scale import (
    cell_text,
    decade_text,
    decade_ticks,
    duration_text,
    linear_ticks,
    short_text,
    shorten,
    spread,
    step_ticks,
    tick_text,
)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 8))
def test_ticks_are_few_equal_and_cover_the_range(low: float, span: float, at_most: int) -> None:
    span = max(span, abs(low) * 1e-6)  # below that, float64 has no room for ticks
    ticks = linear_ticks(low, low + span, at_most=at_most)
    distance = ticks[1] - ticks[0]
    assert ticks[0] <= low + 1e-6 * distance
    assert ticks[-1] >= low + span - 1e-6 * distance
    assert 2 <= len(ticks) <= at_most + 2
    assert distance > 0


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.0, 1.0, ["0", "0.25", "0.50", "0.75", "1.00"]),
        (0.0, 0.0, ["0", "0.25", "0.50", "0.75", "1.00"]),
        (0.0, 16.0, ["0", "5", "10", "15", "20"]),
        (0.0, 0.0019, ["0", "0.0005", "0.0010", "0.0015", "0.0020"]),
        (0.0, 31_000.0, ["0", "10k", "20k", "30k", "40k"]),
        (0.0, 4e-5, ["0", "1e-5", "2e-5", "3e-5", "4e-5"]),
    ],
)
def test_labels_are_what_a_person_would_write(low: float, high: float, labels: list[str]) -> None:
    ticks = linear_ticks(low, high, at_most=4)
    assert [tick_text(tick, ticks[1] - ticks[0]) for tick in ticks] == labels


def test_steps_are_whole_and_inside() -> None:
    assert step_ticks(0, 25, at_most=6) == [0, 5, 10, 15, 20, 25]
    assert step_ticks(1, 1, at_most=6) == [1]
    assert step_ticks(1, 3, at_most=6) == [1, 2, 3]
    assert step_ticks(1, 1600, at_most=6) == [500, 1000, 1500]


def test_decades_span_the_values() -> None:
    assert [decade_text(tick) for tick in decade_ticks([8e-7, 2.6e-5])] == [
        "1e-7",
        "1e-6",
        "1e-5",
        "1e-4",
    ]
    assert decade_ticks([1.0]) == [1.0, 10.0]
    assert len(decade_ticks([1e-12, 1e3])) <= 7


def test_short_numbers() -> None:
    assert [short_text(value) for value in (0.84961, 12.5, 3e-7, 0)] == [
        "0.8496",
        "12.5",
        "3e-7",
        "0",
    ]


def test_a_cell_has_three_decimals_below_ten_and_none_above() -> None:
    texts = [cell_text(value) for value in (0.12345, -9.9994, 10.0, 123.6, nan, inf)]
    assert texts == ["0.123", "-9.999", "10", "124", "nan", "inf"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (60.0, "1 min 0 s"),
        (200.4, "3 min 20 s"),
        (3599.6, "1 h 0 min"),
        (3725.2, "1 h 2 min"),
        (100_000.0, "27 h 46 min"),
    ],
)
def test_a_duration_has_the_two_units_that_matter(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_a_long_text_ends_in_an_ellipsis_within_its_limit() -> None:
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde\u2026"


def test_a_few_items_are_spread_over_all_and_keep_their_order() -> None:
    assert spread(range(10), 4) == [0, 2, 5, 7]
    assert spread("abc", 9) == ["a", "b", "c"]
    assert spread((), 3) == []
