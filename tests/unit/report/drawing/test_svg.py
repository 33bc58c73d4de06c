"""What is drawn, and what is not."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from reasonrl.report.drawing.chart import Border, Chart, Color, Mark, Series
from reasonrl.report.drawing.svg import draw, escape_text

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
