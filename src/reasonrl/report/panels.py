"""What the charts of a run show: metrics rows and evaluations in, `Chart` records out. Pure.

Names the metrics of docs/metrics.md; a row without one, as an older version wrote it, leaves a gap.
Called by `page` and `curves`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, pairwise
from math import isfinite

from reasonrl.evaluate import SuiteResult, by_suite
from reasonrl.metrics import Row
from reasonrl.report.chart import Border, Chart, Color, Mark, Series

_SUITE_COLORS = (Color.ORANGE, Color.PURPLE, Color.RED, Color.GRAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panels:
    """Hold the charts of a run, in the order in which they are read."""

    accuracy: Chart
    entropy: Chart
    coefficient: Chart
    length: Chart
    truncated: Chart
    groups: Chart
    gradient: Chart
    gap: Chart
    time: Chart


def build_panels(metrics: Sequence[Row], evaluations: Sequence[SuiteResult]) -> Panels:
    """Return all charts of a run; they share their steps, so that they can be read together."""
    known = [step_of(row) for row in metrics] + [result.step for result in evaluations]
    first, last = min(known, default=0), max(known, default=1)
    steps = [step_of(row) for row in metrics]
    borders = stage_borders(metrics)

    def line(key: str, label: str, color: Color, mark: Mark = Mark.LINE) -> Series:
        values = [_number(row, key) for row in metrics]
        return Series(label=label, color=color, steps=steps, values=values, mark=mark)

    def chart(title: str, unit: str, *series: Series, is_log: bool = False) -> Chart:
        return Chart(
            title=title,
            unit=unit,
            series=series,
            borders=borders,
            first=first,
            last=last,
            is_log=is_log,
        )

    return Panels(
        accuracy=chart(
            "Accuracy",
            "share of rollouts" + ("; bars are 95 % intervals" if evaluations else ""),
            line("accuracy/finished", "finished rollouts", Color.TEAL, Mark.FAINT),
            line("accuracy/all", "all rollouts", Color.BLUE),
            *suite_series(evaluations),
        ),
        entropy=chart("Entropy", "nats per token", line("entropy/nats", "sampled", Color.BLUE)),
        coefficient=chart(
            "Entropy coefficient", "", line("entropy/coefficient", "applied", Color.PURPLE)
        ),
        length=chart(
            "Length",
            "tokens per rollout",
            line("rollout/max_tokens", "longest", Color.GRAY, Mark.FAINT),
            line("rollout/mean_tokens", "mean", Color.BLUE),
        ),
        truncated=chart(
            "Truncated",
            "share of rollouts",
            line("rollout/truncated_share", "cut off at the limit", Color.ORANGE),
        ),
        groups=chart(
            "Groups by signal",
            "groups",
            line("groups/kept", "kept", Color.BLUE, Mark.STACK),
            line("groups/solved", "solved", Color.TEAL, Mark.STACK),
            line("groups/unsolved", "unsolved", Color.ORANGE, Mark.STACK),
            line("groups/flat", "flat", Color.GRAY, Mark.STACK),
            line("groups/failed", "failed", Color.RED, Mark.STACK),
        ),
        gradient=chart(
            "Gradient norm",
            "before clipping",
            line("update/gradient_norm", "mean over updates", Color.BLUE),
        ),
        gap=chart(
            "Sampler to learner gap",
            "nats per token, absolute",
            line("update/gap_max", "largest", Color.GRAY, Mark.FAINT),
            line("update/gap_mean", "mean", Color.BLUE),
            is_log=True,
        ),
        time=chart(
            "Time",
            "seconds per step",
            line("time/rollout_s", "rollout", Color.BLUE, Mark.STACK),
            line("time/update_s", "update", Color.ORANGE, Mark.STACK),
            line("time/other_s", "other", Color.GRAY, Mark.STACK),
        ),
    )


def suite_series(evaluations: Sequence[SuiteResult]) -> list[Series]:
    """Return one series of avg@k with its intervals for each suite."""
    return [
        Series(
            label=f"{suite} avg@{results[0].k}",
            color=color,
            steps=[result.step for result in results],
            values=[result.accuracy.value for result in results],
            mark=Mark.POINTS,
            intervals=[result.accuracy.ci95 for result in results],
        )
        for (suite, results), color in zip(
            by_suite(evaluations).items(), cycle(_SUITE_COLORS), strict=False
        )
    ]


def stage_borders(metrics: Sequence[Row]) -> tuple[Border, ...]:
    """Return the first step of each stage."""
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
