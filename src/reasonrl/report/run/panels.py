"""The charts of a run: rows of metrics and evaluations in, `Chart` records out. Pure.

The keys are metrics of docs/metrics.md; a row that lacks a metric, because an older version wrote
it, leaves a gap.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle, pairwise
from math import isfinite

from reasonrl.evaluation.score import SuiteResult, by_suite
from reasonrl.report.drawing.chart import Border, Chart, Color, Mark, Series
from reasonrl.types import Row

_COMPONENT_COLORS = (Color.TEAL, Color.ORANGE, Color.PURPLE, Color.RED, Color.GRAY)
_IS_COMPONENT = re.compile(r"reward/[^/]+/mean$")
_SUITE_COLORS = (Color.ORANGE, Color.PURPLE, Color.RED, Color.GRAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panels:
    """The charts of a run, in the order in which they are read."""

    accuracy: Chart
    entropy: Chart
    coefficient: Chart
    length: Chart
    truncated: Chart
    groups: Chart
    gradient: Chart
    gap: Chart
    time: Chart
    rewards: Chart | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """The metric that a series shows, and its form."""

    key: str
    label: str
    color: Color
    mark: Mark = Mark.LINE


@dataclass(frozen=True, slots=True)
class _Panel:
    """The title and the series of a chart, without values."""

    title: str
    unit: str
    lines: tuple[_Line, ...]
    is_log: bool = False


_PANELS = {
    "accuracy": _Panel(
        "Accuracy",
        "share of rollouts",
        (
            _Line("accuracy/finished", "finished rollouts", Color.TEAL, Mark.FAINT),
            _Line("accuracy/all", "all rollouts", Color.BLUE),
        ),
    ),
    "entropy": _Panel("Entropy", "nats per token", (_Line("entropy/nats", "sampled", Color.BLUE),)),
    "coefficient": _Panel(
        "Entropy coefficient", "", (_Line("entropy/alpha", "applied", Color.PURPLE),)
    ),
    "length": _Panel(
        "Length",
        "tokens per rollout",
        (
            _Line("rollout/max_tokens", "longest", Color.GRAY, Mark.FAINT),
            _Line("rollout/mean_tokens", "mean", Color.BLUE),
        ),
    ),
    "truncated": _Panel(
        "Truncated",
        "share of rollouts",
        (_Line("rollout/truncated_share", "cut off at the limit", Color.ORANGE),),
    ),
    "groups": _Panel(
        "Groups by signal",
        "groups",
        (
            _Line("groups/kept", "kept", Color.BLUE, Mark.STACK),
            _Line("groups/solved", "solved", Color.TEAL, Mark.STACK),
            _Line("groups/unsolved", "unsolved", Color.ORANGE, Mark.STACK),
            _Line("groups/flat", "flat", Color.GRAY, Mark.STACK),
            _Line("groups/failed", "failed", Color.RED, Mark.STACK),
        ),
    ),
    "gradient": _Panel(
        "Gradient norm",
        "before clipping",
        (_Line("update/gradient_norm", "mean over updates", Color.BLUE),),
    ),
    "gap": _Panel(
        "Sampler to learner gap",
        "nats per token, absolute",
        (
            _Line("update/gap_max", "largest", Color.GRAY, Mark.FAINT),
            _Line("update/gap_mean", "mean", Color.BLUE),
        ),
        is_log=True,
    ),
    "time": _Panel(
        "Time",
        "seconds per step",
        (
            _Line("time/rollout_s", "rollout", Color.BLUE, Mark.STACK),
            _Line("time/update_s", "update", Color.ORANGE, Mark.STACK),
            _Line("time/sync_s", "sync", Color.TEAL, Mark.STACK),
            _Line("time/other_s", "other", Color.GRAY, Mark.STACK),
        ),
    ),
}


def build_panels(metrics: Sequence[Row], evaluations: Sequence[SuiteResult]) -> Panels:
    """Return all charts of a run; they share their steps, so that they can be read together."""
    steps = [step_of(row) for row in metrics]
    known = steps + [result.step for result in evaluations]
    borders = stage_borders(metrics)

    def chart(panel: _Panel) -> Chart:
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
        )

    panels = Panels(**{name: chart(panel) for name, panel in _PANELS.items()})
    if components := _components(metrics):
        panels = replace(panels, rewards=chart(_rewards_panel(components)))
    if not evaluations:
        return panels
    accuracy = replace(
        panels.accuracy,
        unit=f"{panels.accuracy.unit}; bars are 95 % intervals",
        series=(*panels.accuracy.series, *suite_series(evaluations)),
    )
    return replace(panels, accuracy=accuracy)


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


def _components(metrics: Sequence[Row]) -> list[str]:
    """Return the names of the reward components that any step has."""
    names = (key.split("/")[1] for row in metrics for key in row if _IS_COMPONENT.match(key))
    return list(dict.fromkeys(names))


def _rewards_panel(components: Sequence[str]) -> _Panel:
    lines = [_Line("reward/mean", "total", Color.BLUE)]
    colors = cycle(_COMPONENT_COLORS)
    lines += [_Line(f"reward/{name}/mean", name, next(colors), Mark.FAINT) for name in components]
    return _Panel("Reward", "mean over rollouts", tuple(lines))


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
