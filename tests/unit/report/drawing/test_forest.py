"""Intervals in rows."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from reasonrl.report.drawing.chart import Color
from reasonrl.report.drawing.forest import WIDTH, ForestRow, draw_forest

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*rows: ForestRow) -> ElementTree.Element:
    plot = draw_forest(rows, left="no", right="yes")
    return ElementTree.fromstring(f'<svg xmlns="http://www.w3.org/2000/svg">{plot}</svg>')


def dots(root: ElementTree.Element) -> list[float]:
    return [float(one.attrib["cx"]) for one in root.iter(f"{SVG}circle")]


def row(value: float, low: float, high: float, label: str = "a") -> ForestRow:
    return ForestRow(
        label=label, color=Color.TEAL, value=value, interval=(low, high), note="reproduced"
    )


def test_larger_values_lie_further_right_and_the_band_is_around_zero() -> None:
    root = drawn(row(-1.0, -2, 0), row(0.0, -1, 1), row(1.0, 0, 2))
    left, middle, right = dots(root)
    [band] = [one for one in root.iter(f"{SVG}rect") if one.attrib["class"] == "band"]
    x, width = float(band.attrib["x"]), float(band.attrib["width"])
    assert (x, x + width) == (pytest.approx(left, abs=0.2), pytest.approx(right, abs=0.2))
    assert middle == pytest.approx(x + width / 2, abs=0.2)


def test_what_lies_beyond_the_axis_stays_on_it_and_has_an_arrow() -> None:
    root = drawn(row(9.0, 3.0, 30.0))
    assert 0 < dots(root)[0] < WIDTH
    kinds = [one.attrib["class"] for one in root.iter(f"{SVG}path")]
    assert kinds.count("beyond") == 1


def test_a_heading_has_no_bar_and_text_is_escaped() -> None:
    root = drawn(ForestRow(label="<b>n-sgd</b>"), ForestRow(label="not run yet", note="not run"))
    assert dots(root) == []
    texts = [one.text for one in root.iter(f"{SVG}text")]
    assert "<b>n-sgd</b>" in texts
    assert "not run" in texts
