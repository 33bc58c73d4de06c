"""The charts of a run's entropy profile, and a text on the accuracy that entropy pays for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reasonrl.diagnosis.collapse import COLLAPSED, fit_entropy, judge_warning
from reasonrl.report.drawing.chart import Chart, Color, Mark, Series
from reasonrl.report.run.panels import step_of
from reasonrl.report.run.profile import PARTS, EntropyProfile
from reasonrl.types import Row

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
    """Return how accuracy follows entropy, and when entropy collapsed, as far as both are known."""
    points = exchanges(metrics)
    if not points:
        return ""
    steps, entropies, accuracies = zip(*points, strict=True)
    sentences = []
    if (fit := fit_entropy(entropies, accuracies)) is not None:
        sentences.append(
            f"Accuracy follows {-fit.a:+.2f} e^H {fit.b:+.2f} (r\u00b2 {fit.r2:.2f}): "
            f"{fit.ceiling:.2f} where no entropy is left."
        )
    warning = judge_warning(entropies)
    if warning.collapsed is not None:
        early = f", announced {warning.lead} steps ahead" if warning.is_timely else ""
        step = steps[warning.collapsed]
        sentences.append(f"Entropy was down to {COLLAPSED:.0%} of its start at step {step}{early}.")
    return " ".join(sentences)
