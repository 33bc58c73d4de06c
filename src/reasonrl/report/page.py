"""The page of a run: one HTML file that needs no network, script or font of its own.

Everything that comes from the run is text and is escaped; the page's policy also forbids scripts.
Called by `summary` when a run ends or stops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reasonrl.metrics import Row
from reasonrl.report.chart import STYLE, Chart, Mark, draw, escape_text
from reasonrl.report.colors import DARK, LIGHT, color_rules, variables
from reasonrl.report.panels import build_panels, stage_borders, step_of
from reasonrl.report.samples import Sample
from reasonrl.score import SuiteResult, by_suite

_WIDTH, _HEIGHT = 440, 220  # a chart's own units; it is scaled to its card
_MAX_SHOWN = 20_000  # characters of a rollout; a runaway one would make the page unusable

_STYLE = """
*{box-sizing:border-box}
body{margin:0 auto;max-width:66rem;padding:2.2rem 1.2rem 4rem;background:var(--ground);
color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:2.2rem 0 .7rem}
h3{font-size:.95rem;margin:0}
.quiet,figcaption small,.facts dt,th{color:var(--quiet);font-weight:400}
.facts{display:flex;flex-wrap:wrap;gap:.1rem 1.6rem;margin:0 0 1.3rem}
.facts div{display:flex;gap:.45rem}
.facts dd{margin:0;overflow-wrap:anywhere}
.card{background:var(--paper);border:1px solid var(--grid);border-radius:10px;padding:.9rem 1rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.3rem .7rem;white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0}
th:last-child,td:last-child{padding-right:0}
thead th{border-bottom:1px solid var(--grid);font-size:.85rem}
td{vertical-align:top}
td:first-child{white-space:normal;min-width:7rem;overflow-wrap:anywhere}
td small{color:var(--quiet);font-size:.82rem}
.grid-2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));gap:1rem}
figure{margin:0}
figcaption{display:flex;flex-wrap:wrap;align-items:baseline;gap:0 .6rem}
figcaption small{font-size:.82rem}
.legend{display:flex;flex-wrap:wrap;gap:0 .9rem;width:100%;font-size:.82rem}
.legend i{display:inline-block;width:.65rem;height:.65rem;border-radius:2px;margin-right:.35rem;
background:currentColor}
.legend i.faint{opacity:.6}
figure svg{display:block;width:100%;height:auto}
details{margin:0 0 .7rem}
summary{cursor:pointer}
.sample{border-top:1px solid var(--grid);margin-top:.8rem;padding-top:.7rem}
.sample p{margin:0;font-size:.88rem;overflow-wrap:anywhere}
pre{margin:.5rem 0 0;padding:.6rem .7rem;background:var(--ground);border-radius:6px;
font:13px/1.45 ui-monospace,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere;
max-height:24rem;overflow-y:auto}
@media (max-width:30rem){body{padding:1.2rem .7rem 3rem}.card{padding:.7rem .6rem}
th,td{padding:.3rem .4rem}}
"""


def render_page(
    *,
    title: str,
    metrics: Sequence[Row],
    evaluations: Sequence[SuiteResult],
    summary: Mapping[str, object] | None = None,
    samples: Sequence[Sample] = (),
) -> str:
    """Return the page as HTML. `summary` is that of a finished run, None while it is under way."""
    colors = (
        f":root{{color-scheme:light dark;{variables(LIGHT)}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{variables(DARK)}}}}}\n"
    )
    body = [
        f"<h1>{escape_text(title)}</h1>",
        _facts(metrics, summary),
        _results(evaluations),
        _charts(metrics, evaluations),
        _samples(samples),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape_text(title)}</title>\n"
        f"<style>\n{colors}{_STYLE}{STYLE}{color_rules()}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body>\n</html>\n"
    )


# the head


def _facts(metrics: Sequence[Row], summary: Mapping[str, object] | None) -> str:
    """Say what ran, how long, and through which stages."""
    facts: list[tuple[str, object]] = []
    if summary is None:
        facts.append(("status", "not finished"))
        facts.append(("steps", step_of(metrics[-1]) if metrics else 0))
    else:
        facts += [(key, summary[key]) for key in ("model", "seed", "steps") if key in summary]
        wall_s = summary.get("train_wall_s")
        if isinstance(wall_s, int | float):
            facts.append(("training time", _duration(wall_s)))
        known = (("threads", "threads"), ("reasonrl", "reasonrl"), ("finished_at", "finished"))
        facts += [(label, summary[key]) for key, label in known if key in summary]
    borders = stage_borders(metrics)
    if borders:
        ends = [border.step - 1 for border in borders[1:]] + [step_of(metrics[-1])]
        spans = zip(borders, ends, strict=True)
        stages = ", ".join(f"{border.label} ({border.step} to {end})" for border, end in spans)
        facts.append(("stages", stages))
    items = "".join(
        f"<div><dt>{label}</dt><dd>{escape_text(value)}</dd></div>" for label, value in facts
    )
    return f'<dl class="facts">{items}</dl>'


def _results(evaluations: Sequence[SuiteResult]) -> str:
    """Set each suite's first and last evaluation side by side."""
    if not evaluations:
        return '<p class="card quiet">No evaluation yet.</p>'
    rows = "".join(
        _result_row(results[0], results[-1]) for results in by_suite(evaluations).values()
    )
    return (
        '<div class="card scroll"><table><thead><tr><th>suite</th><th>before</th><th>after</th>'
        "<th>change</th><th>truncated</th><th>mean tokens</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
        '<p class="quiet"><small>Accuracy is avg@k with its 95 % interval over problems; '
        "truncated share and mean tokens go from before to after.</small></p>"
    )


def _result_row(before: SuiteResult, after: SuiteResult) -> str:
    steps = f"step {before.step}" + (f" to {after.step}" if after.step > before.step else "")
    settings = f"avg@{before.k}, {before.n_problems} problems, {steps}"
    cells = [f"{escape_text(before.suite)}<br><small>{settings}</small>", _accuracy(before)]
    if after.step == before.step:
        cells += ["-", "-", f"{before.truncated_share:.1%}", f"{before.mean_tokens:.1f}"]
    else:
        change = 100 * (after.accuracy.value - before.accuracy.value)
        cells += [
            _accuracy(after),
            f"{change:+.1f} points",
            f"{before.truncated_share:.1%} → {after.truncated_share:.1%}",
            f"{before.mean_tokens:.1f} → {after.mean_tokens:.1f}",
        ]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _accuracy(result: SuiteResult) -> str:
    low, high = (100 * edge for edge in result.accuracy.ci95)
    return f"<b>{result.accuracy.value:.1%}</b><br><small>[{low:.1f}, {high:.1f}]</small>"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


# the charts


def _charts(metrics: Sequence[Row], evaluations: Sequence[SuiteResult]) -> str:
    panels = build_panels(metrics, evaluations)
    cards = [
        _figure(panels.accuracy),
        _figure(panels.entropy, height=128, legend=False)
        + _figure(panels.coefficient, height=92, legend=False),
        _figure(panels.length),
        _figure(panels.truncated),
        _figure(panels.groups),
        _figure(panels.gradient),
        _figure(panels.gap),
        _figure(panels.time),
    ]
    shown = "\n".join(f'<div class="card">{card}</div>' for card in cards)
    return f'<h2>Over the run</h2>\n<div class="grid-2">\n{shown}\n</div>'


def _figure(chart: Chart, *, height: int = _HEIGHT, legend: bool = True) -> str:
    """Return a chart with its title, and its legend where one is wanted."""
    keys = "".join(
        f'<span><i class="{series.color}{" faint" if series.mark is Mark.FAINT else ""}"></i>'
        f"{escape_text(series.label)}</span>"
        for series in chart.series
    )
    named = f'<span class="legend">{keys}</span>' if legend else ""
    return (
        f"<figure><figcaption><h3>{chart.title}</h3><small>{chart.unit}</small>"
        f'{named}</figcaption><svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{chart.title}">{draw(chart, width=_WIDTH, height=height)}</svg></figure>'
    )


# the rollouts


def _samples(samples: Sequence[Sample]) -> str:
    """Show the rollouts of the first and the last step that there are, folded."""
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


def _sample(sample: Sample) -> str:
    reward = "not judged" if sample.reward is None else f"reward {sample.reward:g}"
    advantage = "" if not sample.advantage else f", advantage {sample.advantage:+.2f}"
    prompt = "" if sample.prompt is None else f"<pre>{_cut(sample.prompt)}</pre>"
    return (
        f'<div class="sample"><p><b>{escape_text(sample.problem_id)}</b> '
        f'<span class="quiet">{escape_text(sample.status)}, {reward}{advantage}; '
        f"answer key:</span> {_cut(sample.answer)}</p>{prompt}<pre>{_cut(sample.text)}</pre></div>"
    )


def _cut(text: str) -> str:
    if len(text) <= _MAX_SHOWN:
        return escape_text(text)
    return escape_text(f"{text[:_MAX_SHOWN]}… ({len(text) - _MAX_SHOWN} characters more)")
