"""The page of a run: one HTML file that needs no network, script or font of its own.

All text of the run is escaped; the page's policy also forbids scripts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from reasonrl.algo.stats import Estimate
from reasonrl.evaluation.score import SuiteResult, by_suite
from reasonrl.report.drawing.frame import amount, cut, document, figure, share, table
from reasonrl.report.drawing.svg import escape_text
from reasonrl.report.run.findings import findings_html
from reasonrl.report.run.head import Standing, head_html
from reasonrl.report.run.panels import build_panels, split_empty
from reasonrl.report.run.profile import EntropyProfile
from reasonrl.report.run.profile_panels import exchange_text, profile_charts
from reasonrl.report.run.samples import ShownRollout
from reasonrl.run.prescriptions import Prescription
from reasonrl.types import Row


def render_page(
    *,
    title: str,
    metrics: Sequence[Row],
    evaluations: Sequence[SuiteResult],
    summary: Mapping[str, object] | None = None,
    samples: Sequence[ShownRollout] = (),
    profile: EntropyProfile | None = None,
    found: Sequence[Prescription] = (),
    notes: Sequence[str] = (),
    standing: Standing | None = None,
    sessions: Sequence[Mapping[str, object]] = (),
    recipe: str = "",
) -> str:
    """Return the page as HTML. `summary` is None while the run is not finished.

    `found` are the doctor's findings, `notes` sentences on what else to look at, `sessions` the
    run's sittings, and `recipe` its config as text.
    """
    body = [
        f"<h1>{escape_text(title)}</h1>",
        head_html(metrics, summary, standing, sessions),
        findings_html(found, notes, n_steps=len(metrics)),
        _results(evaluations) + _rewards(evaluations),
        _charts(metrics, evaluations),
        _entropy(metrics, profile),
        _samples(samples),
        _recipe(recipe),
    ]
    return document(title, body)


def _results(evaluations: Sequence[SuiteResult]) -> str:
    """Set each suite's first and last evaluation side by side."""
    if not evaluations:
        return '<p class="card quiet">No evaluation yet.</p>'
    rows = [_result_row(results[0], results[-1]) for results in by_suite(evaluations).values()]
    head = ["suite", "before", "after", "change", "truncated", "mean tokens"]
    return table(head, rows) + (
        '<p class="quiet"><small>Accuracy is avg@k with its 95 % interval over problems; '
        "truncated share and mean tokens go from before to after.</small></p>"
    )


def _result_row(before: SuiteResult, after: SuiteResult) -> list[str]:
    steps = f"step {before.step}" + (f" to {after.step}" if after.step > before.step else "")
    settings = f"avg@{before.k}, {before.n_problems} problems, {steps}"
    cells = [f"{escape_text(before.suite)}<br><small>{settings}</small>", share(before.accuracy)]
    if after.step == before.step:
        cells += ["-", "-", f"{before.truncated_share:.1%}", f"{before.mean_tokens:.1f}"]
    else:
        cells += [
            share(after.accuracy),
            _change(before.accuracy, after.accuracy),
            f"{before.truncated_share:.1%} → {after.truncated_share:.1%}",
            f"{before.mean_tokens:.1f} → {after.mean_tokens:.1f}",
        ]
    return cells


def _change(before: Estimate | None, after: Estimate | None) -> str:
    if before is None or after is None:
        return "-"
    return f"{100 * (after.value - before.value):+.1f} points"


def _rewards(evaluations: Sequence[SuiteResult]) -> str:
    """Set the mean rewards of each suite's first and last evaluation side by side."""
    rows = []
    for suite, results in by_suite(evaluations).items():
        before, after = results[0], results[-1]
        pairs = {"total": (before.reward, after.reward)} | {
            name: (before.components.get(name), mean) for name, mean in after.components.items()
        }
        if after.components:
            rows += [
                [escape_text(f"{suite}: {name}"), amount(first), amount(last)]
                for name, (first, last) in pairs.items()
            ]
    if not rows:
        return ""
    return table(["mean reward", "before", "after"], rows) + (
        '<p class="quiet"><small>Means over problems with 95 % intervals, of the total and of each '
        "component of the reward.</small></p>"
    )


# the charts


def _charts(metrics: Sequence[Row], evaluations: Sequence[SuiteResult]) -> str:
    shown, empty = split_empty(build_panels(metrics, evaluations))
    cards = "\n".join(f'<div class="card">{figure(chart)}</div>' for chart in shown)
    rest = ""
    if metrics and empty:
        names = ", ".join(chart.title for chart in empty)
        rest = f'<p class="quiet"><small>0 or not measured in every step: {names}.</small></p>'
    return f'<h2>Over the run</h2>\n<div class="grid-2">\n{cards}\n</div>{rest}'


def _entropy(metrics: Sequence[Row], profile: EntropyProfile | None) -> str:
    """Show where the entropy is, and what accuracy it pays for."""
    text = exchange_text(metrics)
    charts = [] if profile is None else profile_charts(profile)
    if not text and not charts:
        return ""
    cards = "\n".join(f'<div class="card">{figure(chart)}</div>' for chart in charts)
    paragraph = f"<p>{escape_text(text)}</p>" if text else ""
    return f'<h2>Entropy</h2>\n{paragraph}<div class="grid-2">\n{cards}\n</div>'


# the rollouts and the recipe


def _samples(samples: Sequence[ShownRollout]) -> str:
    """Show rollouts of some steps, each step folded."""
    if not samples:
        return ""
    parts = ["<h2>Rollouts</h2>"]
    for step in sorted({sample.step for sample in samples}):
        chosen = [sample for sample in samples if sample.step == step]
        shown = "".join(_sample(sample) for sample in chosen)
        parts.append(
            f'<details class="card" id="step-{step}"><summary>Step {step} '
            f'<span class="quiet">({len(chosen)} of its rollouts)</span></summary>{shown}</details>'
        )
    return "\n".join(parts)


def _sample(sample: ShownRollout) -> str:
    reward = "not judged" if sample.reward is None else f"reward {sample.reward:g}"
    advantage = "" if not sample.advantage else f", advantage {sample.advantage:+.2f}"
    cut_off = ", cut off" if sample.stop == "length" else ""
    signal = f", group {sample.signal}" if sample.signal else ""
    why = f" ({cut(sample.reason, 500)})" if sample.reason else ""
    read = f"; read: {cut(sample.extracted, 500)}" if sample.extracted else ""
    prompt = "" if sample.prompt is None else f"<pre>{cut(sample.prompt)}</pre>"
    name = escape_text(sample.rollout_id)
    return (
        f'<div class="sample" id="{name}"><p><b>{escape_text(sample.problem_id)}</b> '
        f'<a href="#{quote(sample.rollout_id)}">{name}</a> '
        f'<span class="quiet">{escape_text(sample.status)}{why}, {reward}{advantage}{cut_off}'
        f"{signal}; answer key:</span> {cut(sample.answer)}{read}</p>{prompt}"
        f"<pre>{cut(sample.text)}</pre></div>"
    )


def _recipe(recipe: str) -> str:
    if not recipe:
        return ""
    return (
        '<h2>Recipe</h2><details class="card"><summary>config.toml, everything resolved</summary>'
        f"<pre>{cut(recipe)}</pre></details>"
    )
