"""The charts of a run are made of its metrics, by name."""

from __future__ import annotations

from math import inf, nan

from reasonrl.report.drawing.chart import Border, Mark
from reasonrl.report.run.panels import build_panels, split_empty, stage_borders, suite_series
from reasonrl.types import Row
from tests.unit.report.support import suite_result


def rows(*stages: str) -> list[Row]:
    return [
        {"step": step, "stage": stage, "accuracy/all": step / 10}
        for step, stage in enumerate(stages, start=1)
    ]


def test_a_border_is_at_the_first_step_of_each_stage() -> None:
    borders = stage_borders(rows("short", "short", "long", "short"))
    assert borders == (
        Border(step=1, label="short"),
        Border(step=3, label="long"),
        Border(step=4, label="short"),
    )
    assert stage_borders([]) == ()


def test_all_charts_share_the_steps_of_rows_and_evaluations() -> None:
    panels = build_panels(rows("s", "s", "s"), [suite_result(0.5, step=0)])
    spans = {chart.span for chart in panels.values()}
    assert spans == {(0, 3)}


def test_a_metric_that_is_no_number_or_missing_is_a_gap() -> None:
    metrics = rows("s", "s", "s", "s")
    metrics[1]["accuracy/all"] = None
    metrics[2]["accuracy/all"] = nan
    metrics[3]["accuracy/all"] = inf
    finished, everything = build_panels(metrics, [])["accuracy"].series
    assert everything.values == [0.1, None, None, None]
    assert finished.values == [None] * 4


def test_only_the_chart_of_accuracy_has_the_evaluations() -> None:
    bare = build_panels(rows("s"), [])
    panels = build_panels(rows("s"), [suite_result(0.5, step=1)])
    assert len(panels["accuracy"].series) == len(bare["accuracy"].series) + 1
    assert panels["accuracy"].unit == "share of rollouts; bars are 95 % intervals"
    assert panels["length"].series == bare["length"].series


def test_verdicts_are_counted_by_status_with_the_rare_ones_together() -> None:
    metrics = rows("s", "s")
    metrics[0] |= {"verify/status/CORRECT": 5, "verify/status/TIMEOUT": 1}
    metrics[1] |= {"verify/status/CORRECT": 6, "verify/status/EMPTY_BOX": 2}
    series = build_panels(metrics, [])["verdicts"].series
    assert {one.label: one.values for one in series} == {"CORRECT": [5, 6], "other": [1, 2]}


def test_charts_without_numbers_are_named_and_not_drawn() -> None:
    shown, empty = split_empty(build_panels(rows("s"), []))
    assert "Accuracy" in [chart.title for chart in shown]
    assert "Clipped" in [chart.title for chart in empty]


def test_a_step_without_a_value_is_missing_and_not_zero() -> None:
    metrics = rows("s", "s", "s")
    metrics[1]["accuracy/all"] = None
    assert build_panels(metrics, [])["accuracy"].missing == [2]
    assert build_panels(rows("s", "s"), [])["entropy"].missing == []


def test_a_suite_is_one_series_over_its_evaluations() -> None:
    results = [
        suite_result(0.2, suite="a", step=0),
        suite_result(0.3, suite="b", step=0, k=8),
        suite_result(0.6, suite="a", step=20),
    ]
    first, second = suite_series(results)
    assert (first.label, first.steps, first.values) == ("a avg@4", [0, 20], [0.2, 0.6])
    assert first.intervals[1] == results[2].accuracy.ci95
    assert (second.label, second.mark) == ("b avg@8", Mark.POINTS)
    assert first.color is not second.color
