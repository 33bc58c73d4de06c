"""The page of a run: one HTML file that needs no network, script or font of its own.

All text of the run is escaped; the page's policy also forbids scripts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reasonrl.algo.stats import Estimate
from reasonrl.evaluation.score import SuiteResult, by_suite
from reasonrl.report.drawing.frame import amount, cut, document, facts, figure, share, table
from reasonrl.report.drawing.scale import duration_text
from reasonrl.report.drawing.svg import escape_text
from reasonrl.report.run.panels import build_panels, stage_borders, step_of
from reasonrl.report.run.profile import EntropyProfile
from reasonrl.report.run.profile_panels import exchange_text, profile_charts
from reasonrl.report.run.samples import ShownRollout
from reasonrl.types import Row


def render_page(
    *,
    title: str,
    metrics: Sequence[Row],
    evaluations: Sequence[SuiteResult],
    summary: Mapping[str, object] | None = None,
    samples: Sequence[ShownRollout] = (),
    profile: EntropyProfile | None = None,
) -> str:
    """Return the page as HTML. `summary` is None while the run is not finished."""
    body = [
        f"<h1>{escape_text(title)}</h1>",
        _facts(metrics, summary),
        _results(evaluations) + _rewards(evaluations),
        _charts(metrics, evaluations),
        _entropy(metrics, profile),
        _samples(samples),
    ]
    return document(title, body)


# the head


def _facts(metrics: Sequence[Row], summary: Mapping[str, object] | None) -> str:
    """Return what ran, for how long, and through which stages."""
    shown: list[tuple[str, object]] = []
    if summary is None:
        shown.append(("status", "not finished"))
        shown.append(("steps", step_of(metrics[-1]) if metrics else 0))
    else:
        shown += [(key, summary[key]) for key in ("model", "seed", "steps") if key in summary]
        wall_s = summary.get("train_wall_s")
        if isinstance(wall_s, int | float):
            shown.append(("training time", duration_text(wall_s)))
        known = (("threads", "threads"), ("reasonrl", "reasonrl"), ("finished_at", "finished"))
        shown += [(label, summary[key]) for key, label in known if key in summary]
    borders = stage_borders(metrics)
    if borders:
        ends = [border.step - 1 for border in borders[1:]] + [step_of(metrics[-1])]
        spans = zip(borders, ends, strict=True)
        stages = ", ".join(f"{border.label} ({border.step} to {end})" for border, end in spans)
        shown.append(("stages", stages))
    return facts(shown)


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
    panels = build_panels(metrics, evaluations)
    cards = [
        figure(panels.accuracy),
        *([figure(panels.rewards)] if panels.rewards else []),
        figure(panels.entropy, height=128, legend=False)
        + figure(panels.coefficient, height=92, legend=False),
        figure(panels.length),
        figure(panels.truncated),
        figure(panels.groups),
        figure(panels.gradient),
        figure(panels.gap),
        figure(panels.time),
    ]
    shown = "\n".join(f'<div class="card">{card}</div>' for card in cards)
    return f'<h2>Over the run</h2>\n<div class="grid-2">\n{shown}\n</div>'


def _entropy(metrics: Sequence[Row], profile: EntropyProfile | None) -> str:
    """Show where the entropy is, and what accuracy it pays for."""
    text = exchange_text(metrics)
    charts = [] if profile is None else profile_charts(profile)
    if not text and not charts:
        return ""
    cards = "\n".join(f'<div class="card">{figure(chart)}</div>' for chart in charts)
    paragraph = f"<p>{escape_text(text)}</p>" if text else ""
    return f'<h2>Entropy</h2>\n{paragraph}<div class="grid-2">\n{cards}\n</div>'


# the rollouts


def _samples(samples: Sequence[ShownRollout]) -> str:
    """Show the rollouts of the first and of the last step, folded."""
    if not samples:
        return ""
    steps = sorted({sample.step for sample in samples})
    ends = steps[:1] + steps[1:][-1:]
    parts = ["<h2>Rollouts</h2>"]
    for step in ends:
        chosen = [sample for sample in samples if sample.step == step]
        shown = "".join(_sample(sample) for sample in chosen)
        parts.append(
            f'<details class="card"><summary>Step {step} '
            f'<span class="quiet">({len(chosen)} of its rollouts)</span></summary>{shown}</details>'
        )
    return "\n".join(parts)


def _sample(sample: ShownRollout) -> str:
    reward = "not judged" if sample.reward is None else f"reward {sample.reward:g}"
    advantage = "" if not sample.advantage else f", advantage {sample.advantage:+.2f}"
    prompt = "" if sample.prompt is None else f"<pre>{cut(sample.prompt)}</pre>"
    return (
        f'<div class="sample"><p><b>{escape_text(sample.problem_id)}</b> '
        f'<span class="quiet">{escape_text(sample.status)}, {reward}{advantage}; '
        f"answer key:</span> {cut(sample.answer)}</p>{prompt}<pre>{cut(sample.text)}</pre></div>"
    )
