"""The charts of a run: rows of metrics and evaluations in, `Chart` records out. Pure.

The keys are metrics of docs/metrics.md; a row that lacks a metric, because an older version wrote
it, leaves a gap.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import cycle, pairwise
from math import isfinite

from reasonrl.evaluation.score import SuiteResult, by_suite
from reasonrl.report.drawing.chart import Border, Chart, Color, Mark, Series
from reasonrl.report.run.catalog import PANELS, Line, Panel
from reasonrl.types import Row

_COMPONENT_COLORS = (Color.TEAL, Color.ORANGE, Color.PURPLE, Color.RED, Color.GRAY)
_IS_COMPONENT = re.compile(r"reward/[^/]+/mean$")
_STATUS = "verify/status/"
_STATUS_COLORS = {
    "CORRECT": Color.TEAL, "PASS": Color.TEAL, "WRONG": Color.ORANGE, "WRONG_ANSWER": Color.ORANGE,
    "TRUNCATED": Color.GRAY, "NO_ANSWER": Color.PURPLE, "NO_CODE": Color.PURPLE,
}  # fmt: skip
_OTHER_STATUS = "other"
_ALWAYS = ("accuracy", "length", "truncated", "groups")
_SUITE_COLORS = (Color.ORANGE, Color.PURPLE, Color.RED, Color.GRAY)


def build_panels(metrics: Sequence[Row], evaluations: Sequence[SuiteResult]) -> dict[str, Chart]:
    """Return all charts of a run by name, in the order in which they are read.

    They share their steps, so that they can be read together.
    """
    steps = [step_of(row) for row in metrics]
    known = steps + [result.step for result in evaluations]
    borders = stage_borders(metrics)

    def chart(panel: Panel) -> Chart:
        return Chart(
            title=panel.title,
            unit=panel.unit,
            series=tuple(
                Series(
                    label=line.label,
                    color=line.color,
                    steps=steps,
                    values=[_number(row, line.key) for row in metrics],
                    mark=line.mark,
                )
                for line in panel.lines
            ),
            borders=borders,
            first=min(known, default=0),
            last=max(known, default=1),
            is_log=panel.is_log,
            help=panel.healthy,
            top=panel.top,
        )

    charts = {name: chart(panel) for name, panel in PANELS.items()}
    charts["reward"] = chart(_with_components(PANELS["reward"], metrics))
    if statuses := _statuses(metrics):
        verdicts = _verdict_chart(charts["groups"], metrics, statuses)
        charts = {"accuracy": charts.pop("accuracy"), "verdicts": verdicts, **charts}
    if evaluations:
        accuracy = charts["accuracy"]
        charts["accuracy"] = replace(
            accuracy,
            unit=f"{accuracy.unit}; bars are 95 % intervals",
            series=(*accuracy.series, *suite_series(evaluations)),
        )
    return charts


def suite_series(evaluations: Sequence[SuiteResult]) -> list[Series]:
    """Return one series of avg@k with its intervals for each suite."""
    return [
        Series(
            label=f"{suite} avg@{results[0].k}",
            color=color,
            steps=[result.step for result in results],
            values=[one.accuracy.value for one in results if one.accuracy],
            mark=Mark.POINTS,
            intervals=[one.accuracy.ci95 for one in results if one.accuracy],
        )
        for (suite, results), color in zip(
            by_suite(evaluations).items(), cycle(_SUITE_COLORS), strict=False
        )
        if all(result.accuracy for result in results)
    ]


def _with_components(panel: Panel, metrics: Sequence[Row]) -> Panel:
    """Add a line for each component of the reward that any step has."""
    keys = dict.fromkeys(key for row in metrics for key in row if _IS_COMPONENT.match(key))
    lines = [
        Line(key, key.split("/")[1], color, Mark.FAINT)
        for key, color in zip(keys, cycle(_COMPONENT_COLORS), strict=False)
    ]
    return replace(panel, lines=(*panel.lines, *lines))


def _statuses(metrics: Sequence[Row]) -> list[str]:
    """Return the statuses of verdicts that any step has, the most frequent one first."""
    counts: dict[str, float] = {}
    for row in metrics:
        for key in row:
            if key.startswith(_STATUS):
                counts[key] = counts.get(key, 0.0) + (_number(row, key) or 0.0)
    return [key.removeprefix(_STATUS) for key in sorted(counts, key=lambda key: -counts[key])]


def _verdict_chart(like: Chart, metrics: Sequence[Row], statuses: Sequence[str]) -> Chart:
    """Return the verdicts of each step by status; statuses without a colour are added up."""
    columns: dict[tuple[str, Color], list[float]] = {}
    for status in statuses:
        color = _STATUS_COLORS.get(status, Color.RED)
        label = status if status in _STATUS_COLORS else _OTHER_STATUS
        values = columns.setdefault((label, color), [0.0] * len(metrics))
        for n, row in enumerate(metrics):
            values[n] += _number(row, _STATUS + status) or 0.0
    series = tuple(
        replace(like.series[0], label=label, color=color, values=values, mark=Mark.STACK)
        for (label, color), values in columns.items()
    )
    return replace(
        like,
        title="Verdicts",
        unit="rollouts by status",
        series=series,
        help="Healthy: CORRECT or PASS grows. Many NO_ANSWER: the model was not asked for a box.",
    )


def split_empty(charts: Mapping[str, Chart]) -> tuple[list[Chart], list[Chart]]:
    """Return the charts that show something, and those in which everything is 0 or missing.

    Accuracy, lengths and groups are shown in any case: there 0 says much.
    """
    shown = [
        name
        for name, chart in charts.items()
        if name in _ALWAYS or any(value for series in chart.series for value in series.values)
    ]
    empty = [chart for name, chart in charts.items() if name not in shown]
    return [charts[name] for name in shown], empty


def stage_borders(metrics: Sequence[Row]) -> tuple[Border, ...]:
    """Return the first step and the name of each stage."""
    first = [Border(step=step_of(row), label=str(row["stage"])) for row in metrics[:1]]
    later = [
        Border(step=step_of(row), label=str(row["stage"]))
        for before, row in pairwise(metrics)
        if row["stage"] != before["stage"]
    ]
    return (*first, *later)


def step_of(row: Row) -> int:
    """Return the number of a row's step."""
    return int(row["step"] or 0)


def _number(row: Row, key: str) -> float | None:
    value = row.get(key)
    if isinstance(value, bool | str) or value is None or not isfinite(value):
        return None
    return float(value)
