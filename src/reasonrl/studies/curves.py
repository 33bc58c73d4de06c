"""The curves of a study: what each seed did, the mean over seeds and its interval. Pure.

Called by `page`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from math import floor

from reasonrl.algo.collapse import EntropyFit, fit_entropy
from reasonrl.algo.stats import t95
from reasonrl.report.drawing.chart import Chart, Color, Mark, Series
from reasonrl.report.run.profile_panels import exchanges
from reasonrl.studies.arms import Arm
from reasonrl.studies.measures import RunRecord, standard_error

COLORS = (Color.BLUE, Color.ORANGE, Color.TEAL, Color.PURPLE, Color.RED, Color.GRAY)
_BIN = 0.02  # nats
_SMOOTH = 5  # steps that an entropy of the picture is the mean of

Runs = Mapping[int, RunRecord]
"""The finished runs of an arm, by seed."""


def runs_of(arm: Arm, records: Mapping[tuple[str, int], RunRecord]) -> dict[int, RunRecord]:
    """Return the runs of one arm."""
    return {seed: run for (name, seed), run in sorted(records.items()) if name == arm.name}


def entropy_chart(arms: Sequence[tuple[Arm, Runs]]) -> Chart:
    """Return entropy over the steps."""
    found = [(arm, [_smooth(run, "entropy/nats") for run in runs.values()]) for arm, runs in arms]
    return _chart("Entropy", "nats per token; mean of five steps", found)


def truncated_chart(arms: Sequence[tuple[Arm, Runs]]) -> Chart:
    """Return the share of truncated rollouts over the steps."""
    found = [
        (arm, [_smooth(run, "rollout/truncated_share") for run in runs.values()])
        for arm, runs in arms
    ]
    return _chart("Truncated", "share of rollouts; mean of five steps", found)


def score_chart(arms: Sequence[tuple[Arm, Runs]]) -> Chart:
    """Return held-out scores over the steps."""
    found = [(arm, [dict(run.scores(run.headline)) for run in runs.values()]) for arm, runs in arms]
    return _chart("Held-out score", "avg@k", found)


def exchange_chart(arms: Sequence[tuple[Arm, Runs]]) -> Chart:
    """Return training accuracy against entropy: what was bought with what."""
    series = []
    for (arm, runs), color in zip(arms, cycle(COLORS), strict=False):
        bins: dict[int, list[float]] = {}
        for run in runs.values():
            for _, nats, accuracy in exchanges(run.rows):
                bins.setdefault(floor(nats / _BIN), []).append(accuracy)
        steps = sorted(bins)
        values = [sum(bins[one]) / len(bins[one]) for one in steps]
        series.append(Series(label=arm.name, color=color, steps=steps, values=values))
    last = max((step for one in series for step in one.steps), default=1)
    names = tuple(f"{step * _BIN:.2f}" for step in range(last + 1))
    return Chart(
        title="Accuracy against entropy",
        unit="mean of the steps with that entropy",
        series=tuple(series),
        borders=(),
        first=0,
        last=last,
        axis="nats",
        names=names,
    )


def fit_of(runs: Runs) -> EntropyFit | None:
    """Fit accuracy by entropy over all steps of an arm's runs."""
    found = [one for run in runs.values() for one in exchanges(run.rows)]
    if not found:
        return None
    _, entropies, accuracies = zip(*found, strict=True)
    return fit_entropy(entropies, accuracies)


def _chart(
    title: str, unit: str, arms: Sequence[tuple[Arm, Sequence[Mapping[int, float]]]]
) -> Chart:
    series: list[Series] = []
    for (arm, seeds), color in zip(arms, cycle(COLORS), strict=False):
        series += [_faint(one, color) for one in seeds]
        series.append(_mean(arm.name, seeds, color))
    steps = [step for one in series for step in one.steps]
    return Chart(
        title=title,
        unit=f"{unit}; band: 95 % interval of the mean over seeds; thin: each seed",
        series=tuple(series),
        borders=(),
        first=min(steps, default=0),
        last=max(steps, default=1),
    )


def _faint(values: Mapping[int, float], color: Color) -> Series:
    return Series(
        label="",
        color=color,
        steps=list(values),
        values=list(values.values()),
        mark=Mark.FAINT,
    )


def _mean(name: str, seeds: Sequence[Mapping[int, float]], color: Color) -> Series:
    """Return the mean over seeds at the steps that all have, with its interval from three seeds."""
    shared = sorted(set.intersection(*(set(one) for one in seeds))) if seeds else []
    columns = [[one[step] for one in seeds] for step in shared]
    means = [sum(column) / len(column) for column in columns]
    intervals: list[tuple[float, float]] = []
    if len(seeds) >= 3:
        t = t95(len(seeds) - 1)
        halves = [t * standard_error(column) for column in columns]
        intervals = [
            (max(0.0, mean - half), mean + half) for mean, half in zip(means, halves, strict=True)
        ]
    return Series(label=name, color=color, steps=shared, values=means, intervals=intervals)


def _smooth(run: RunRecord, key: str) -> dict[int, float]:
    """Return a metric's mean over the last few steps, at every other step."""
    values = [row.get(key) for row in run.rows]
    found = {}
    for end in range(_SMOOTH, len(values) + 1, 2):
        known = [float(one) for one in values[end - _SMOOTH : end] if isinstance(one, int | float)]
        if known:
            found[end] = sum(known) / len(known)
    return found
