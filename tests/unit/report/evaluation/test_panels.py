"""The charts of an evaluation."""

from __future__ import annotations

from reasonrl.report.evaluation.panels import limit_chart, pass_chart, problem_chart
from reasonrl.report.evaluation.samples import Length
from tests.unit.report.support import problem, suite_result


def test_models_with_other_k_share_one_axis_of_draws() -> None:
    chart = pass_chart({"base": suite_result(0.5, k=4), "new": suite_result(0.7, k=8)})
    assert chart.names == ("1", "4", "8")
    assert [list(series.steps) for series in chart.series] == [[0, 1], [0, 2]]
    assert chart.series[1].values[0] == 0.7


def test_golden_of_the_curves_under_a_shorter_limit() -> None:
    lengths = [
        Length(2, True, 1.0),
        Length(3, True, 0.0),
        Length(4, False, 0.0),
        Length(3, True, None),
    ]
    ended, right = limit_chart({"m": lengths}).series
    assert list(ended.steps) == [0, 1, 2, 3, 4]
    assert ended.values == [0, 0, 0.25, 0.75, 0.75]  # the fourth sample was cut off
    assert right.values == [0, 0, 1 / 3, 1 / 3, 1 / 3]  # three samples were judged


def test_a_long_answer_does_not_make_a_curve_of_thousands_of_points() -> None:
    chart = limit_chart({"m": [Length(32_768, False, 0.0)]})
    assert len(chart.series[0].steps) <= 62
    assert chart.span[1] >= 32_768


def test_each_model_has_its_problems_from_its_best_to_its_worst() -> None:
    first = suite_result(0.5, problems=[problem("a", 1), problem("b", 4), problem("c", 0)])
    other = suite_result(0.5, problems=[problem("a", 2), problem("c", 3)])
    mine, theirs = problem_chart({"first": first, "other": other}).series
    assert mine.values == [1.0, 0.25, 0.0]
    assert theirs.values == [0.75, 0.5]
