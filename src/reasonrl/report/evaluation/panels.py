"""What the charts of an evaluation show. Pure: results and lengths in, `Chart` records out.

Called by `eval_page`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from reasonrl.evaluation.score import SuiteResult
from reasonrl.report.drawing.chart import Chart, Color, Mark, Series
from reasonrl.report.evaluation.samples import Length

COLORS = tuple(Color)  # of the models, in order; more than six are not drawn
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
        borders=(),
        first=0,
        last=len(draws) - 1,
        axis="k",
        names=tuple(map(str, draws)),
    )


def limit_chart(lengths: Mapping[str, Sequence[Length]]) -> Chart:
    """Return accuracy, and the share that had ended, under every shorter limit of tokens.

    Sampling runs from left to right, so a completion of n tokens would have been the same under any
    limit of n or more, and cut off under a smaller one.
    """
    longest = max((one.n_tokens for samples in lengths.values() for one in samples), default=1)
    distance = max(1, -(-longest // _LIMITS))
    steps = list(range(0, longest + distance, distance))
    series = []
    for (model, samples), color in zip(lengths.items(), COLORS, strict=False):
        ended = sorted(one.n_tokens for one in samples if one.is_ended)
        judged = sum(one.reward is not None for one in samples)
        right = sorted(one.n_tokens for one in samples if one.reward == 1.0)
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
        borders=(),
        first=0,
        last=steps[-1],
        axis="tokens",
    )


def problem_chart(results: Mapping[str, SuiteResult]) -> Chart:
    """Return each problem's score, in the order of the first model's, best first."""
    first = next(iter(results.values()))
    order = [one.id for one in sorted(first.problems, key=lambda one: -(one.score or 0.0))]
    series = []
    marks = (Mark.LINE, *[Mark.FAINT] * len(COLORS))
    for (model, result), color, mark in zip(results.items(), COLORS, marks, strict=False):
        scores = {one.id: one.score for one in result.problems}
        series.append(
            Series(
                label=model,
                color=color,
                steps=range(1, len(order) + 1),
                values=[scores.get(name) for name in order],
                mark=mark,
            )
        )
    return Chart(
        title="Score by problem",
        unit="share of samples right; best of the first model first",
        series=tuple(series),
        borders=(),
        first=1,
        last=len(order),
        axis="problem",
    )
