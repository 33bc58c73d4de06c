"""The page of a comparison of runs: verdict, curves over one another, and what differs."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from reasonrl.diagnose.diff import Diff
from reasonrl.recipe.tables import short
from reasonrl.report.drawing.chart import Chart, Color, Series
from reasonrl.report.drawing.frame import document, facts, figure, table
from reasonrl.report.drawing.svg import escape_text
from reasonrl.report.overview import COMPARED, Curve
from reasonrl.types import Row


def render_diff(found: Diff) -> str:
    """Return the comparison as a page: the verdict, the curves with bands, and what differs."""
    title = f"{found.a[0].name} and {found.b[0].name}"
    kind = "finding" if found.shown or not found.knows_seeds else "fine"
    made = (_chart(found, curve) for curve in COMPARED)
    charts = [figure(chart) for chart in made if chart is not None]
    rows = [
        [
            escape_text(one.label),
            f"{fmean(one.a):.4g}",
            f"{fmean(one.b):.4g}",
            "-"
            if one.difference is None
            else f"{one.difference.value:+.3g} [{one.difference.low:+.3g}, "
            f"{one.difference.high:+.3g}]",
        ]
        for one in found.measures
    ]
    pairs = [(key, short(a), short(b)) for key, a, b in found.recipe] + list(found.facts)
    body = [
        f"<h1>{escape_text(title)}</h1>",
        facts(
            [
                ("A", ", ".join(map(str, found.a))),
                ("B", ", ".join(map(str, found.b))),
                ("common steps", found.steps),
            ]
        ),
        f'<p class="card {kind}">{escape_text(found.verdict)}</p>',
        table(["measure", "A", "B", "difference"], rows),
        *(f"<p>{escape_text(sentence)}</p>" for sentence in found.suites),
        '<h2>Curves</h2><p class="quiet">Lines are means of a side, bands reach from its lowest to '
        "its highest run.</p>",
        '<div class="grid-2">' + "".join(f'<div class="card">{c}</div>' for c in charts) + "</div>",
        "<h2>What differs</h2>",
        table(["key", "A", "B"], [[escape_text(cell) for cell in pair] for pair in pairs])
        if pairs
        else '<p class="quiet">Recipes, versions, machines and problems are the same.</p>',
        *(
            f'<p class="card finding">{escape_text(f"{run}: {sentence}")}</p>'
            for run, sentences in found.findings.items()
            for sentence in sentences
        ),
    ]
    return document(title, body)


def _chart(found: Diff, curve: Curve) -> Chart | None:
    """Return the chart of one curve, both sides with their bands; None without a value."""
    sides = zip(("A", "B"), (Color.BLUE, Color.ORANGE), found.rows, strict=True)
    series = [_series(label, color, runs, curve.key) for label, color, runs in sides]
    if not any(value is not None for one in series for value in one.values):
        return None
    return Chart(title=curve.title, unit=curve.unit, series=tuple(series), top=curve.top)


def _series(label: str, color: Color, runs: Sequence[Sequence[Row]], key: str) -> Series:
    """Return the mean of a side's runs at each step that all of them have, with its band."""
    n = min(map(len, runs))
    columns = [[row.get(key) for row in rows[:n]] for rows in runs]
    values: list[float | None] = []
    bands: list[tuple[float, float]] = []
    for at in range(n):
        known = [float(value) for c in columns if isinstance(value := c[at], int | float)]
        values.append(fmean(known) if known else None)
        bands.append((min(known), max(known)) if known else (0.0, 0.0))
    has_bands = len(runs) > 1 and None not in values
    return Series(
        label=label,
        color=color,
        steps=[int(row["step"] or 0) for row in runs[0][:n]],
        values=values,
        intervals=bands if has_bands else (),
    )
