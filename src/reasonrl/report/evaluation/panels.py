"""The charts of an evaluation. Pure: results and lengths in, `Chart` records out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from reasonrl.evaluation.score import SuiteResult
from reasonrl.report.drawing.chart import Chart, Color, Mark, Series
from reasonrl.report.evaluation.samples import Length

COLORS = tuple(Color)
"""The colours of the models, in order; more than six models are not drawn."""

_LIMITS = 60  # token limits at which a curve is computed


def pass_chart(results: Mapping[str, SuiteResult]) -> Chart:
    """Return pass@k against k, with intervals."""
    draws = sorted({k for result in results.values() for k in result.pass_at})
    series = []
    for (model, result), color in zip(results.items(), COLORS, strict=False):
        known = [k for k in draws if k in result.pass_at]
        series.append(
            Series(
                label=model,
                color=color,
                steps=[draws.index(k) for k in known],
                values=[result.pass_at[k].value for k in known],
                mark=Mark.POINTS,
                intervals=[result.pass_at[k].ci95 for k in known],
            )
        )
    return Chart(
        title="pass@k",
        unit="share of problems; bars are 95 % intervals",
        series=tuple(series),
        axis="k",
        names=tuple(map(str, draws)),
    )


def limit_chart(lengths: Mapping[str, Sequence[Length]]) -> Chart:
    """Return accuracy, and the share of samples that had ended, under every shorter token limit.

    Sampling runs from left to right, so a completion of n tokens would have been the same under any
    limit of n or more, and cut off under a smaller limit.
    """
    longest = max((s.n_tokens for samples in lengths.values() for s in samples), default=1)
    distance = max(1, -(-longest // _LIMITS))
    steps = list(range(0, longest + distance, distance))
    series = []
    for (model, samples), color in zip(lengths.items(), COLORS, strict=False):
        ended = sorted(sample.n_tokens for sample in samples if sample.is_ended)
        judged = sum(sample.reward is not None for sample in samples)
        right = sorted(sample.n_tokens for sample in samples if sample.reward == 1.0)
        series += [
            Series(
                label=f"{model}: ended",
                color=color,
                steps=steps,
                values=[bisect_right(ended, step) / len(samples) for step in steps],
                mark=Mark.FAINT,
            ),
            Series(
                label=f"{model}: right",
                color=color,
                steps=steps,
                values=[bisect_right(right, step) / max(1, judged) for step in steps],
            ),
        ]
    return Chart(
        title="Under a shorter limit",
        unit="share of samples right, and ended, by tokens",
        series=tuple(series),
        axis="tokens",
    )


def problem_chart(results: Mapping[str, SuiteResult]) -> Chart:
    """Return the scores of each model's problems, from its best problem to its worst."""
    series = []
    for (model, result), color in zip(results.items(), COLORS, strict=False):
        scores = sorted((problem.score or 0.0 for problem in result.problems), reverse=True)
        series.append(
            Series(label=model, color=color, steps=range(1, len(scores) + 1), values=scores)
        )
    return Chart(
        title="Score by problem",
        unit="share of samples right; each model from its best problem to its worst",
        series=tuple(series),
        axis="problem",
        top=1.0,
        help="A step from 1 to 0: problems are solved always or never. A slope: training has "
        "something to learn from.",
    )
