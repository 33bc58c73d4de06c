"""The charts of a run's entropy profile, and a text on the accuracy that entropy pays for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reasonrl.diagnosis.collapse import fit_entropy
from reasonrl.report.drawing.chart import Chart, Color, Mark, Series
from reasonrl.report.run.panels import step_of
from reasonrl.report.run.profile import PARTS, EntropyProfile
from reasonrl.types import Row

_GOOD = 0.5
"""The share of the variance that a fit must explain to be told."""

_COLORS = (Color.BLUE, Color.ORANGE, Color.TEAL, Color.PURPLE)


def profile_charts(profile: EntropyProfile) -> list[Chart]:
    """Return entropy by verdict, by kind of token and by place."""
    return [
        _over_steps("Entropy by verdict", profile.steps, profile.by_verdict),
        _over_steps("Entropy by kind of token", profile.steps, profile.by_class),
        _by_place(profile),
    ]


def _over_steps(
    title: str, steps: Sequence[int], values: Mapping[str, Sequence[float | None]]
) -> Chart:
    series = tuple(
        Series(label=name, color=color, steps=steps, values=column)
        for (name, column), color in zip(values.items(), _COLORS, strict=False)
    )
    last = max(steps[-1], steps[0] + 1)
    return Chart(title=title, unit="nats per token", series=series, last=last)


def _by_place(profile: EntropyProfile) -> Chart:
    places = list(range(1, PARTS + 1))
    series = tuple(
        Series(
            label=f"step {step}",
            color=color,
            steps=places,
            values=values,
            mark=mark,
        )
        for (step, values), color, mark in zip(
            profile.by_place.items(),
            (Color.GRAY, Color.BLUE),
            (Mark.FAINT, Mark.LINE),
            strict=False,
        )
    )
    return Chart(
        title="Entropy by place",
        unit="nats per token, tenths of an answer",
        series=series,
        axis="tenth",
    )


def exchanges(metrics: Sequence[Row]) -> list[tuple[int, float, float]]:
    """Return the number, entropy and accuracy of each step that has both."""
    return [
        (step_of(row), float(nats), float(accuracy))
        for row in metrics
        if (nats := row.get("entropy/nats")) is not None
        and (accuracy := row.get("accuracy/all")) is not None
    ]


def exchange_text(metrics: Sequence[Row]) -> str:
    """Return what accuracy the entropy that is left may still pay for; empty where none is seen.

    Nothing is said where the fit of `diagnosis.collapse` explains less than half of the variance,
    or ends at no accuracy that could be.
    """
    points = exchanges(metrics)
    _, entropies, accuracies = zip(*points, strict=True) if points else ((), (), ())
    fit = fit_entropy(entropies, accuracies)
    if fit is None or fit.r2 < _GOOD or fit.a <= 0 or not 0 < fit.ceiling <= 1:
        return ""
    return (
        f"In this run accuracy rose while entropy fell. If that goes on, about {fit.ceiling:.0%} "
        "of the answers will be right when no entropy is left; more would need new entropy, or "
        "other problems."
    )
