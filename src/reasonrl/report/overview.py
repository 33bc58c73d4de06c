"""The page of a directory of runs: how each stands, what is wrong, and their curves together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from reasonrl.evaluation.score import SuiteResult, by_suite
from reasonrl.report.drawing.chart import Chart, Color, Series
from reasonrl.report.drawing.frame import document, facts, figure, share, table
from reasonrl.report.drawing.svg import escape_text
from reasonrl.report.run.panels import step_of
from reasonrl.types import Row

_COLORS = tuple(Color)
"""A colour for each run of the charts; the runs after them are only in the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A metric that is drawn over several runs; `top` is the least height of its axis."""

    key: str
    title: str
    unit: str
    top: float | None = None


COMPARED = (
    Curve(key="accuracy/all", title="Accuracy", unit="share of rollouts", top=1.0),
    Curve(key="reward/mean", title="Reward", unit="mean over rollouts"),
    Curve(key="entropy/nats", title="Entropy", unit="nats per token"),
    Curve(key="rollout/mean_tokens", title="Length", unit="mean tokens"),
    Curve(key="rollout/truncated_share", title="Truncated", unit="share of rollouts", top=1.0),
    Curve(key="update/gradient_norm", title="Gradient norm", unit="before clipping"),
)
"""The curves of several runs over one another, here and where runs are compared."""

_SHOWN = ("Accuracy", "Entropy", "Length", "Truncated")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """A run of the overview: its name, the address of its page, and what it recorded.

    `findings` are the doctor's sentences.
    """

    name: str
    page: str
    phase: str
    step: int
    total: int
    metrics: Sequence[Row]
    evaluations: Sequence[SuiteResult]
    findings: Sequence[str]


def render_overview(title: str, runs: Sequence[RunLine]) -> str:
    """Return the page as HTML, the runs in the given order."""
    sick = sum(bool(run.findings) for run in runs)
    known = [("runs", len(runs)), ("with findings", sick)]
    charts = "\n".join(f'<div class="card">{figure(chart)}</div>' for chart in _charts(runs))
    rest = ""
    if len(runs) > len(_COLORS):
        rest = f'<p class="quiet">The charts show the first {len(_COLORS)} runs.</p>'
    return document(
        title,
        [
            f"<h1>{escape_text(title)}</h1>",
            facts(known),
            table(["run", "status", "steps", "first suite", "findings"], map(_row, runs)),
            f'<h2>Together</h2>\n<div class="grid-2">\n{charts}\n</div>{rest}',
        ],
    )


def _row(run: RunLine) -> list[str]:
    return [
        f'<a href="{escape_text(run.page)}">{escape_text(run.name)}</a>',
        escape_text(run.phase),
        f"{run.step} of {run.total}",
        _scores(run.evaluations),
        "<br>".join(f"<small>{escape_text(text)}</small>" for text in run.findings) or "none",
    ]


def _scores(evaluations: Sequence[SuiteResult]) -> str:
    """Return the first suite's scores before and after."""
    if not evaluations:
        return "-"
    results = next(iter(by_suite(evaluations).values()))
    ends = [results[0], *results[1:][-1:]]
    return " → ".join(share(result.accuracy).replace("<br>", " ") for result in ends)


def _charts(runs: Sequence[RunLine]) -> list[Chart]:
    charts = []
    for curve in COMPARED:
        if curve.title not in _SHOWN:
            continue
        series = [
            Series(label=run.name, color=color, steps=steps, values=values)
            for run, color in zip(runs, _COLORS, strict=False)
            if (column := _column(run.metrics, curve.key))
            for steps, values in [column]
        ]
        charts.append(
            Chart(title=curve.title, unit=curve.unit, series=tuple(series), top=curve.top)
        )
    return charts


def _column(metrics: Sequence[Row], key: str) -> tuple[list[int], list[float | None]] | None:
    """Return a metric by step, None for a run without steps."""
    steps = [step_of(row) for row in metrics]
    if not steps or any(after <= before for before, after in pairwise(steps)):
        return None
    values = (row.get(key) for row in metrics)
    return steps, [float(value) if isinstance(value, int | float) else None for value in values]
