"""The axes of a chart follow from its series unless they are given."""

from __future__ import annotations

from dataclasses import replace

from reasonrl.report.drawing.chart import Chart, Color, Series


def series(*steps: int) -> Series:
    return Series(label="", color=Color.BLUE, steps=steps, values=[0.5] * len(steps))


def test_a_chart_reaches_from_the_first_to_the_last_step_of_its_series() -> None:
    chart = Chart(title="t", unit="u", series=(series(3, 9), series(), series(2, 4)))
    assert chart.span == (2, 9)


def test_an_end_that_is_given_holds() -> None:
    chart = Chart(title="t", unit="u", series=(series(3, 9),))
    assert replace(chart, first=0).span == (0, 9)
    assert replace(chart, last=5).span == (3, 5)
    assert replace(chart, last=1).span == (3, 3)  # an axis never ends before it begins


def test_a_chart_without_steps_has_axes_all_the_same() -> None:
    assert Chart(title="t", unit="u", series=()).span == (0, 1)


def test_named_steps_are_counted_from_the_first() -> None:
    chart = Chart(title="t", unit="u", series=(series(4, 6),), names=("a", "b", "c"))
    assert [chart.name(step) for step in (4, 5, 6)] == ["a", "b", "c"]
    assert replace(chart, names=()).name(12_000) == "12k"
