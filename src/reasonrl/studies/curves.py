"""The curves of a study: each seed, the mean over seeds, and its interval. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import cycle
from math import ceil, floor, isfinite

from reasonrl.algo.stats import t95
from reasonrl.diagnosis.collapse import EntropyFit, fit_entropy
from reasonrl.report.drawing.chart import Chart, Color, Mark, Series
from reasonrl.report.run.profile_panels import exchanges
from reasonrl.studies.arm import Arm
from reasonrl.studies.measures import SCORE_LAST, mean, standard_error
from reasonrl.studies.record import SMOOTH, Axis, RunRecord

COLORS = (Color.BLUE, Color.ORANGE, Color.TEAL, Color.PURPLE, Color.RED, Color.GRAY)
_BIN = 0.02  # nats

Runs = Mapping[int, RunRecord]
"""The finished runs of an arm, by seed."""


def runs_of(arm: Arm, records: Mapping[tuple[str, int], RunRecord]) -> dict[int, RunRecord]:
    """Return the runs of one arm."""
    return {seed: run for (name, seed), run in sorted(records.items()) if name == arm.name}


def entropy_chart(arms: Sequence[tuple[Arm, Runs]]) -> Chart:
    """Return entropy over the steps."""
    curves = [(arm, [_smooth(run, "entropy/nats") for run in runs.values()]) for arm, runs in arms]
    return _chart("Entropy", "nats per token; mean of five steps", curves)


def truncated_chart(arms: Sequence[tuple[Arm, Runs]]) -> Chart:
    """Return the share of truncated rollouts over the steps."""
    curves = [
        (arm, [_smooth(run, "rollout/truncated_share") for run in runs.values()])
        for arm, runs in arms
    ]
    return _chart("Truncated", "share of rollouts; mean of five steps", curves)


def score_chart(arms: Sequence[tuple[Arm, Runs]]) -> Chart:
    """Return held-out scores over the steps."""
    curves = [
        (arm, [{one.step: one.value for one in run.scores(run.headline)} for run in runs.values()])
        for arm, runs in arms
    ]
    return _chart("Held-out score", "avg@k", curves)


def exchange_chart(arms: Sequence[tuple[Arm, Runs]]) -> Chart:
    """Return training accuracy against entropy: the accuracy that was paid for with entropy."""
    series = []
    for (arm, runs), color in zip(arms, cycle(COLORS), strict=False):
        bins: dict[int, list[float]] = {}
        for run in runs.values():
            for _, nats, accuracy in exchanges(run.rows):
                bins.setdefault(floor(nats / _BIN), []).append(accuracy)
        steps = sorted(bins)
        values = [mean(bins[step]) for step in steps]
        series.append(Series(label=arm.name, color=color, steps=steps, values=values))
    last = max((step for curve in series for step in curve.steps), default=1)
    names = tuple(f"{step * _BIN:.2f}" for step in range(last + 1))
    return Chart(
        title="Accuracy against entropy",
        unit="mean of the steps with that entropy",
        series=tuple(series),
        first=0,
        axis="nats",
        names=names,
    )


def price_chart(arms: Sequence[tuple[Arm, Runs]], title: str = "What entropy buys") -> Chart:
    """Return the held-out score at which runs come down to an entropy, from high to low.

    An arm's curve ends where one of its runs came no further down.
    """
    curves = [(arm, [_prices(run) for run in runs.values()]) for arm, runs in arms]
    levels = [level for _, seeds in curves for curve in seeds for level in curve]
    highest = max(levels, default=1)
    lowest = min([highest - 1, *levels])
    turned = [
        (arm, [{highest - level: value for level, value in curve.items()} for curve in seeds])
        for arm, seeds in curves
    ]
    names = tuple(f"{level * _BIN:.2f}" for level in range(highest, lowest - 1, -1))
    chart = _chart(title, "avg@k where entropy has come down to", turned)
    return replace(chart, first=0, axis="nats", names=names)


def _prices(run: RunRecord) -> dict[int, float]:
    """Return the held-out score at each entropy that the run came down to, in steps of `_BIN`."""
    depths = run.amounts(Axis.ENTROPY)
    known = [-depth for depth in depths if isfinite(depth)]
    if not known:
        return {}
    levels = range(ceil(known[-1] / _BIN), floor(known[0] / _BIN) + 1)
    return {
        level: SCORE_LAST.take(run.until(Axis.ENTROPY, -level * _BIN)) for level in reversed(levels)
    }


def fit_of(runs: Runs) -> EntropyFit | None:
    """Fit accuracy by entropy over all steps of an arm's runs."""
    points = [point for run in runs.values() for point in exchanges(run.rows)]
    if not points:
        return None
    _, entropies, accuracies = zip(*points, strict=True)
    return fit_entropy(entropies, accuracies)


def _chart(
    title: str, unit: str, arms: Sequence[tuple[Arm, Sequence[Mapping[int, float]]]]
) -> Chart:
    series: list[Series] = []
    for (arm, seeds), color in zip(arms, cycle(COLORS), strict=False):
        series += [_thin_line(curve, color) for curve in seeds]
        series.append(_mean_line(arm.name, seeds, color))
    return Chart(
        title=title,
        unit=f"{unit}; band: 95 % interval of the mean over seeds; thin: each seed",
        series=tuple(series),
    )


def _thin_line(values: Mapping[int, float], color: Color) -> Series:
    return Series(
        label="",
        color=color,
        steps=list(values),
        values=list(values.values()),
        mark=Mark.FAINT,
    )


def _mean_line(name: str, seeds: Sequence[Mapping[int, float]], color: Color) -> Series:
    """Return the mean over seeds at the steps that all seeds have.

    From three seeds on it has an interval.
    """
    shared = sorted(set.intersection(*(set(curve) for curve in seeds))) if seeds else []
    columns = [[curve[step] for curve in seeds] for step in shared]
    means = [mean(column) for column in columns]
    intervals: list[tuple[float, float]] = []
    if len(seeds) >= 3:
        t = t95(len(seeds) - 1)
        halves = [t * standard_error(column) for column in columns]
        intervals = [
            (max(0.0, center - half), center + half)
            for center, half in zip(means, halves, strict=True)
        ]
    return Series(label=name, color=color, steps=shared, values=means, intervals=intervals)


def _smooth(run: RunRecord, key: str) -> dict[int, float]:
    """Return a metric's mean over the last few steps, at every other step."""
    values = [row.get(key) for row in run.rows]
    means = {}
    for end in range(SMOOTH, len(values) + 1, 2):
        window = values[end - SMOOTH : end]
        known = [float(value) for value in window if isinstance(value, int | float)]
        if known:
            means[end] = mean(known)
    return means
