"""Laws of axes and of what is drawn."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonrl.report.drawing.chart import Border, Chart, Color, Mark, Series, draw, escape_text
from reasonrl.report.drawing.colors import DARK, LIGHT
from reasonrl.report.drawing.scale import (
    decade_text,
    decade_ticks,
    linear_ticks,
    short_text,
    step_ticks,
    tick_text,
)

SVG = "{http://www.w3.org/2000/svg}"


def chart(*series: Series, is_log: bool = False, last: int = 5) -> Chart:
    return Chart(title="t", unit="u", series=series, borders=(), first=1, last=last, is_log=is_log)


def line(*values: float | None, mark: Mark = Mark.LINE, label: str = "a") -> Series:
    steps = range(1, len(values) + 1)
    return Series(label=label, color=Color.BLUE, steps=steps, values=values, mark=mark)


def drawn(given: Chart, *, hover: bool = True) -> ElementTree.Element:
    plot = draw(given, width=440, height=220, hover=hover)
    return ElementTree.fromstring(f'<svg xmlns="http://www.w3.org/2000/svg">{plot}</svg>')


def paths(root: ElementTree.Element, kind: str) -> list[str]:
    found = root.iter(f"{SVG}path")
    return [one.attrib["d"] for one in found if one.attrib["class"].split()[0] == kind]


def texts(root: ElementTree.Element) -> list[str]:
    return [one.text or "" for one in root.iter(f"{SVG}text")]


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


def test_none_is_a_gap_and_not_a_zero() -> None:
    (path,) = paths(drawn(chart(line(0.5, 0.6, None, 0.7, 0.8))), "line")
    assert path.count("M") == 2
    assert path.count("L") == 2


def test_a_value_between_gaps_is_a_dot() -> None:
    root = drawn(chart(line(None, 0.6, None, 0.7, 0.8)))
    assert len(list(root.iter(f"{SVG}circle"))) == 1


def test_what_is_not_positive_is_a_gap_on_a_log_axis() -> None:
    (path,) = paths(drawn(chart(line(1e-6, 1e-5, 0.0, 1e-6, 1e-5), is_log=True)), "line")
    assert path.count("M") == 2
    assert not paths(drawn(chart(line(1e-6, 1e-5, 0.0, 1e-6), is_log=True)), "bars")


@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize("values", [(), (None,), (None, None)])
def test_nothing_to_draw_is_said(values: tuple[None, ...], is_log: bool) -> None:
    assert "no data" in texts(drawn(chart(line(*values), is_log=is_log)))


def test_only_zeros_on_a_log_axis_are_nothing_to_draw() -> None:
    assert "no data" in texts(drawn(chart(line(0.0, 0.0), is_log=True)))


def test_stacked_bars_stand_on_each_other_and_skip_gaps() -> None:
    lower, upper = line(2, None, 3, mark=Mark.STACK), line(4, None, 3, mark=Mark.STACK)
    first, second = paths(drawn(chart(lower, upper, last=3)), "bars")
    assert first.count("M") == second.count("M") == 2
    tops = re.findall(r"V([\d.]+)H", first)
    bases = re.findall(r"M[\d.]+ ([\d.]+)", second)
    assert tops == bases


def test_each_point_has_its_whisker() -> None:
    points = replace(
        line(0.5, 0.6, mark=Mark.POINTS), intervals=((0.4, 0.6), (0.5, 0.7)), label="suite"
    )
    root = drawn(chart(points))
    assert len(paths(root, "whisker")) == len(list(root.iter(f"{SVG}circle"))) == 2


def test_a_line_with_intervals_has_one_band_behind_it() -> None:
    band = replace(line(0.5, 0.6, 0.7), intervals=((0.4, 0.6), (0.5, 0.7), (0.7, 0.7)))
    root = drawn(chart(band))
    [outline] = paths(root, "band")
    assert outline.count(" ") == 6  # up one side, down the other
    assert not paths(root, "whisker")
    assert [one.attrib["class"] for one in root.iter(f"{SVG}path")][-2:] == [
        "band blue",
        "line blue",
    ]


def test_a_series_without_a_label_is_drawn_and_not_named() -> None:
    root = drawn(chart(line(0.1, 0.2, label="named"), line(0.3, 0.4, label="")))
    said = [one.text or "" for one in root.iter(f"{SVG}title")]
    assert len(paths(root, "line")) == 2
    assert said[0].splitlines()[1:] == ["named: 0.1"]


def test_everything_drawn_is_inside_the_box() -> None:
    points = replace(line(0.99, 0.01, mark=Mark.POINTS), intervals=((0.9, 1.0), (0.0, 0.2)))
    root = drawn(chart(points, line(1, 20, 3, mark=Mark.STACK), line(None, 7.3)))
    for path in root.iter(f"{SVG}path"):
        for x, y in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", path.attrib["d"]):
            assert 0 <= float(x) <= 440
            assert 0 <= float(y) <= 220


def test_a_pointer_on_a_step_shows_all_its_numbers() -> None:
    root = drawn(chart(line(0.25, None, label="all"), line(8, 9, label="mean")))
    titles = [one.text for one in root.iter(f"{SVG}title")]
    assert titles == ["step 1\nall: 0.25\nmean: 8", "step 2\nall: -\nmean: 9"]
    assert not list(drawn(chart(line(0.25)), hover=False).iter(f"{SVG}title"))


def test_long_runs_have_a_bounded_number_of_columns() -> None:
    long = line(*[0.5] * 2000)
    assert len(list(drawn(chart(long, last=2000)).iter(f"{SVG}title"))) <= 150


def test_a_stage_whose_name_finds_no_room_keeps_its_line() -> None:
    borders = tuple(Border(step=step, label=f"stage-{step}") for step in (1, 2, 3))
    root = drawn(replace(chart(line(*[0.5] * 100), last=100), borders=borders))
    assert len(paths(root, "border")) == 3
    assert [text for text in texts(root) if text.startswith("stage")] == ["stage-1"]


def test_escaped_text_is_safe_and_never_breaks_xml() -> None:
    hostile = "<script>&\"'\x00\x0b\ud800\uffff]]>"
    root = ElementTree.fromstring(f'<a b="{escape_text(hostile)}">{escape_text(hostile)}</a>')
    assert root.text == root.attrib["b"] == "<script>&\"'����]]>"


def test_every_colour_has_a_light_and_a_dark_form() -> None:
    assert LIGHT.keys() == DARK.keys() >= set(Color)
