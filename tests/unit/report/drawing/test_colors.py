"""The colours of pages and pictures."""

from __future__ import annotations

from reasonrl.report.drawing.chart import Color
from reasonrl.report.drawing.colors import DARK, LIGHT, color_rules


def test_every_colour_has_a_light_and_a_dark_form() -> None:
    assert LIGHT.keys() == DARK.keys() >= set(Color)


def test_the_class_of_a_series_has_the_colour_of_its_ground() -> None:
    assert ".teal{color:var(--teal)}" in color_rules().splitlines()
    assert len(color_rules().splitlines()) == len(Color)
