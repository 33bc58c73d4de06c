"""All headline claims in one picture, and what would change each verdict. Pure.

A claim's axis is the difference in units of its margin, turned so that the right side is what the
report claims.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt

from reasonrl.report.drawing.chart import Color
from reasonrl.report.drawing.forest import (
    FOREST_STYLE,
    WIDTH,
    ForestRow,
    draw_forest,
    forest_height,
)
from reasonrl.report.drawing.picture import standalone
from reasonrl.studies.claims import Sign
from reasonrl.studies.noise import noise_of
from reasonrl.studies.power import Power, power_of
from reasonrl.studies.verdicts import ClaimOutcome, ClaimVerdict, StudyResult
from reasonrl.studies.words import amount_words

_COLORS = {
    ClaimOutcome.REPRODUCED: Color.TEAL,
    ClaimOutcome.NOT_REPRODUCED: Color.RED,
}
_AXIS = {"left": "against the claim", "right": "as claimed"}
HELP = (
    "Each bar is the 95 % interval of a difference over seeds, in units of the claim\u2019s "
    "margin. The band holds what counts as no difference. Right of it lies what the report claims; "
    "a claim that two arms are alike holds where its bar stays in the band."
)


def forest_figure(results: Sequence[StudyResult]) -> str:
    """Return the picture as a card of a page."""
    rows = list(_rows(results))
    height = forest_height(rows)
    return (
        f'<div class="card scroll"><figure><svg viewBox="0 0 {WIDTH} {height}" '
        f'style="min-width:44rem" role="img" aria-label="All claims">'
        f'{draw_forest(rows, **_AXIS)}</svg><p class="help">{HELP}</p></figure></div>'
    )


def forest_picture(results: Sequence[StudyResult]) -> str:
    """Return the picture as an SVG file of its own."""
    rows = list(_rows(results))
    edge = 16
    drawn = f'<g transform="translate({edge} {edge})">{draw_forest(rows, **_AXIS)}</g>'
    return standalone(
        drawn, width=WIDTH + 2 * edge, height=forest_height(rows) + 2 * edge, style=FOREST_STYLE
    )


def power_so_far(result: StudyResult, verdict: ClaimVerdict) -> Power | None:
    """Return the power of a claim at its seeds; None with fewer than three."""
    noise = noise_of(verdict.claim, result.records)
    if noise is None or verdict.mean is None:
        return None
    return power_of(
        verdict.claim, mean=verdict.mean, spread=sqrt(noise.total), seeds=len(verdict.seeds)
    )


def what_would_change(verdict: ClaimVerdict, power: Power | None) -> str:
    """Return what would turn a verdict over: a margin, a mean, or more seeds."""
    if verdict.ci95 is None or power is None:
        return "three seeds or more"
    low, high = verdict.ci95
    widest = max(abs(low), abs(high))
    nearest = min(abs(low), abs(high))
    is_alike, measure = verdict.claim.sign is Sign.ALIKE, verdict.claim.measure
    if verdict.outcome is ClaimOutcome.INCONCLUSIVE:
        needed = power.needed_as_seen
        return f"about {needed} seeds" if needed else "no number of seeds up to 1000"
    if widest <= verdict.claim.within:
        return f"a margin below {amount_words(measure, widest)}"
    if is_alike:
        return f"a margin above {amount_words(measure, nearest)}"
    return f"a mean that is {amount_words(measure, nearest)} nearer to no difference"


def _rows(results: Sequence[StudyResult]) -> Iterator[ForestRow]:
    for result in results:
        headlines = [verdict for verdict in result.verdicts if verdict.claim.is_headline]
        world = f" ({result.world})" if result.world else ""
        yield ForestRow(label=f"{result.study.name}{world}")
        for verdict in headlines:
            yield _row(verdict)


def _row(verdict: ClaimVerdict) -> ForestRow:
    claim, note = verdict.claim, f"{verdict.outcome}"
    if verdict.mean is None or verdict.ci95 is None:
        return ForestRow(label=claim.text, note=note)
    unit = (-1 if claim.sign is Sign.BELOW else 1) / (claim.within or 1.0)
    low, high = sorted(unit * edge for edge in verdict.ci95)
    return ForestRow(
        label=claim.text,
        color=_COLORS.get(verdict.outcome, Color.GRAY),
        value=unit * verdict.mean,
        interval=(low, high),
        note=note,
    )
