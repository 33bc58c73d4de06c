"""The page of studies: verdicts, the numbers behind them, and every seed's curves. One file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import exp
from urllib.parse import quote

from reasonrl.diagnosis.collapse import CollapseWarning, judge_warning, score_warnings
from reasonrl.report.drawing.frame import document, facts, figure, table
from reasonrl.report.drawing.scale import cell_text
from reasonrl.report.drawing.svg import escape_text
from reasonrl.studies.arm import Arm
from reasonrl.studies.claims import Claim
from reasonrl.studies.curves import (
    COLORS,
    Runs,
    entropy_chart,
    exchange_chart,
    fit_of,
    price_chart,
    runs_of,
    score_chart,
    truncated_chart,
)
from reasonrl.studies.forest import forest_figure, power_so_far, what_would_change
from reasonrl.studies.measures import CLIPPED, SCORE_END, TOKENS, mean
from reasonrl.studies.record import Axis, RunRecord
from reasonrl.studies.verdicts import ClaimOutcome, ClaimVerdict, StudyResult
from reasonrl.studies.words import difference_words

_MOST_LISTED = 8  # seeds whose values a table lists
_STAR = "<b>\u2217</b> "
_RULE = (
    "For each seed, the difference of a measure between two arms; over seeds, its mean with "
    "Student\u2019s 95 % interval. \u201cReproduced\u201d: the interval lies on the claimed side "
    "of 0 (or, for claims that two arms are alike, within the margin). \u201cNot "
    "reproduced\u201d: the interval lies within the margin of 0, or on the other side (or, for "
    "claims that two arms are alike, beyond the margin). Otherwise the claim is inconclusive. "
    "Power: the chance that a study of as many seeds decides the claim, if the difference is as "
    "seen. \u201cIt would take\u201d: what would change the verdict. "
    "Signs, margins and measures were fixed before the runs. A star marks the claims that decide "
    "a study; intervals are not corrected for the number of claims."
)


def render_study_page(results: Sequence[StudyResult]) -> str:
    """Return the page as HTML."""
    runs = {(result.world, *key): run for result in results for key, run in result.records.items()}
    reports = [result for result in results if result.study.is_reports]
    body = [
        "<h1>Studies</h1>",
        facts(
            [
                *((f"reproduced{world}", count) for world, count in _reproduced(reports)),
                ("runs", len(runs)),
                ("seeds", len({seed for _, _, seed in runs})),
            ]
        ),
        forest_figure(results),
        _summary(results),
        f'<p class="quiet"><small>{_RULE}</small></p>',
        _early_warning(runs.values()),
        *(part for result in results for part in _study(result)),
    ]
    return document("Studies", body)


def _reproduced(results: Sequence[StudyResult]) -> Iterator[tuple[str, str]]:
    """Yield each world and how many of the report's studies are reproduced in it."""
    for world in dict.fromkeys(result.world for result in results):
        here = [result for result in results if result.world == world]
        n = sum(result.outcome is ClaimOutcome.REPRODUCED for result in here)
        name = f" in {world}" if world else ""
        yield name, f"{n} of {len(here)} of the report\u2019s studies"


def _summary(results: Sequence[StudyResult]) -> str:
    rows = [
        [
            f'<a href="#{_anchor(result)}">{result.study.name}</a>',
            escape_text(result.study.where),
            escape_text(result.world or "-"),
            f"<b>{result.outcome}</b>",
            _counts(result.verdicts, is_score=False),
            _counts(result.verdicts, is_score=True),
        ]
        for result in results
    ]
    return table(
        ["study", "where", "world", "verdict", "entropy and other claims", "score claims"], rows
    )


def _anchor(result: StudyResult) -> str:
    return f"{result.study.name}-{result.world}" if result.world else result.study.name


def _counts(verdicts: Sequence[ClaimVerdict], *, is_score: bool) -> str:
    outcomes = [verdict.outcome for verdict in verdicts if verdict.claim.is_score is is_score]
    counts = {outcome: outcomes.count(outcome) for outcome in ClaimOutcome}
    return ", ".join(f"{number} {outcome}" for outcome, number in counts.items() if number) or "-"


def _study(result: StudyResult) -> Iterator[str]:
    study = result.study
    world = f" ({escape_text(result.world)})" if result.world else ""
    yield f'<h2 id="{_anchor(result)}">{study.name}{world}: <b>{result.outcome}</b></h2>'
    note = f" {study.note}" if study.note else ""
    yield f"<p>{escape_text(study.question)} {escape_text(study.where)}.{escape_text(note)}</p>"
    yield _claims(result)
    arms = [(arm, runs) for arm in result.arms if (runs := runs_of(arm, result.records))]
    for few in _by_color(arms):
        charts = [score_chart(few), entropy_chart(few), exchange_chart(few)]
        if study.name in ("multi-stage", "advantage-mask"):
            charts.append(truncated_chart(few))
        if any(claim.at is Axis.ENTROPY for claim in study.claims):
            charts.append(price_chart(few))
        cards = "".join(f'<div class="card">{figure(chart)}</div>' for chart in charts)
        yield f'<div class="grid-2">{cards}</div>'
    yield _arms(result, arms)
    yield _origins(result)


def _origins(result: StudyResult) -> str:
    """Return which commits made the runs on which machines, and the command that repeats them."""
    counts = Counter(run.origin for run in result.records.values())
    made = "; ".join(
        f"{n} by {escape_text(origin.commit or 'several commits')} on "
        f"{escape_text(origin.machine or 'several machines')}"
        for origin, n in counts.items()
    )
    seeds = {seed for _, seed in result.records}
    text = f"Registration {result.registration or '-'}. Runs: {made}."
    if result.world:
        text += (
            f" On other seeds: <code>reasonrl study {result.study.name} --starred "
            f"--world {result.world} --seeds {len(seeds)} --first-seed {max(seeds) + 1}</code>."
        )
    return f'<p class="quiet"><small>{text}</small></p>'


def _by_color(arms: Sequence[tuple[Arm, Runs]]) -> Iterator[Sequence[tuple[Arm, Runs]]]:
    """Yield the arms in parts with a colour for each arm; the first arm is in every part."""
    most = len(COLORS)
    if len(arms) <= most:
        yield arms
        return
    for start in range(1, len(arms), most - 1):
        yield [arms[0], *arms[start : start + most - 1]]


def _claims(result: StudyResult) -> str:
    rows = []
    for verdict in result.verdicts:
        power = power_so_far(result, verdict)
        rows.append(
            [
                (_STAR if verdict.claim.is_headline else "")
                + f"{escape_text(verdict.claim.text)}<br><small>{_relation(verdict.claim)}</small>",
                f"<b>{verdict.outcome}</b><br><small>{escape_text(verdict.why)}</small>",
                escape_text(difference_words(verdict)),
                "-" if power is None else f"{power.as_seen:.0%}",
                what_would_change(verdict, power),
                _seeds(verdict),
            ]
        )
    head = ["claim", "verdict", "difference [95 %]", "power", "it would take", "by seed"]
    return table(head, rows)


def _relation(claim: Claim) -> str:
    start = f"{claim.measure.name} of {claim.arm} {claim.sign}"
    if not claim.other:
        return escape_text(f"{start} {claim.level:.3g}")
    at = "" if claim.at is Axis.STEPS else f" at equal {claim.at}"
    return escape_text(f"{start} that of {claim.other}{at}")


def _seeds(verdict: ClaimVerdict) -> str:
    if len(verdict.seeds) > _MOST_LISTED:
        return f"{len(verdict.seeds)} seeds"
    if verdict.others:
        pairs = zip(verdict.values, verdict.others, strict=True)
        return "<br>".join(f"<small>{cell_text(a)} / {cell_text(b)}</small>" for a, b in pairs)
    return "<br>".join(f"<small>{cell_text(value)}</small>" for value in verdict.values)


def _pages(result: StudyResult, arm: Arm, seeds: Sequence[int]) -> str:
    """Return the seeds of an arm, each with a link to the page of its run."""
    links = []
    for seed in seeds:
        page = result.pages.get((arm.name, seed), "")
        links.append(f'<a href="{quote(page)}">{seed}</a>' if page else str(seed))
    return ", ".join(links)


def _arms(result: StudyResult, arms: Sequence[tuple[Arm, Runs]]) -> str:
    """Return the table of arms: their settings, their cost, and their accuracy without entropy."""
    rows = []
    for arm, runs in arms:
        records = list(runs.values())
        fit = fit_of(runs)
        rows.append(
            [
                f"{arm.name}<br><small>{escape_text(arm.what)}</small>",
                _pages(result, arm, list(runs)),
                cell_text(mean([SCORE_END.take(run) for run in records])),
                f"{mean([CLIPPED.take(run) for run in records]):.2%}",
                f"{mean([_tokens_m(run) for run in records]):.2f}",
                cell_text(mean([_seconds(run) for run in records])),
                "-" if fit is None else f"{fit.ceiling:.3f} <small>(r\u00b2 {fit.r2:.2f})</small>",
            ]
        )
    head = ["arm", "seeds", "score", "clipped", "tokens, millions", "s a run", "ceiling"]
    return table(head, rows) + (
        '<p class="quiet"><small>Ceiling: the accuracy without entropy, by the fit '
        "R = \u2212a e^H + b over all steps.</small></p>"
    )


def _early_warning(records: Iterable[RunRecord]) -> str:
    """Score the warning of collapse on all runs, apart for runs with and without entropy term."""
    free: list[CollapseWarning] = []
    held: list[CollapseWarning] = []
    for run in records:
        (held if run.has_entropy_term else free).append(judge_warning(run.column("entropy/nats")))
    rows = []
    for what, judged in (("without an entropy term", free), ("with an entropy term", held)):
        score = score_warnings(judged)
        lead = "-" if score.median_lead is None else f"{score.median_lead:g} steps"
        rows.append(
            [
                what,
                str(score.runs),
                str(score.collapsed),
                f"{score.announced} <small>({lead} ahead)</small>",
                f"{score.false} of {score.warned}",
            ]
        )
    head = ["runs", "number", "collapsed", "announced 1 to 30 steps ahead", "false alarms"]
    return (
        "<h2>Warning of collapse</h2><p>Collapsed: entropy is at a quarter of its start. Warned: "
        "entropy is down to 40 % of its start, and a line through the logarithms of the last 15 "
        "steps reaches the quarter within 15 more steps.</p>"
    ) + table(head, rows)


def _tokens_m(run: RunRecord) -> float:
    return exp(TOKENS.take(run)) / 1e6


def _seconds(run: RunRecord) -> float:
    return sum(run.column("time/step_s"))
