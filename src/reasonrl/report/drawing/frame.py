"""What every page shares: the document with its style and policy, figures, tables, long texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reasonrl.algo.stats import Estimate
from reasonrl.report.drawing.chart import Chart, Mark
from reasonrl.report.drawing.colors import DARK, LIGHT, color_rules, variables
from reasonrl.report.drawing.forest import FOREST_STYLE
from reasonrl.report.drawing.svg import STYLE, draw, escape_text

_WIDTH, _HEIGHT = 440, 220  # units inside a chart, which is scaled to its card
# A runaway rollout would make the page unusable.
_MAX_SHOWN = 20_000  # characters

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
.scroll{overflow-x:auto;background:linear-gradient(to left,var(--paper) 50%,transparent) right/2rem
100% no-repeat local,linear-gradient(to left,var(--quiet),transparent) right/.8rem 100% no-repeat
scroll,var(--paper)}
.help{margin:.3rem 0 0;font-size:.82rem;color:var(--quiet)}
.finding{border-left:4px solid var(--orange);margin:.7rem 0}
.finding.grave{border-left-color:var(--red)}
.finding p{margin:.15rem 0}
.finding pre{max-height:none}
.fine{border-left:4px solid var(--teal);margin:.7rem 0}
a{color:var(--blue)}
:target{outline:2px solid var(--orange);outline-offset:4px;border-radius:4px}
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
details{margin:.7rem 0}
summary{cursor:pointer}
.sample{border-top:1px solid var(--grid);margin-top:.8rem;padding-top:.7rem}
.sample p{margin:0;font-size:.88rem;overflow-wrap:anywhere}
pre{margin:.5rem 0 0;padding:.6rem .7rem;background:var(--ground);border-radius:6px;
font:13px/1.45 ui-monospace,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere;
max-height:24rem;overflow-y:auto}
@media (max-width:30rem){body{padding:1.2rem .7rem 3rem}.card{padding:.7rem .6rem}
th,td{padding:.3rem .4rem}}
"""


def document(title: str, body: Sequence[str]) -> str:
    """Return a page as HTML: one file without network or script. Empty parts are left out."""
    colors = (
        f":root{{color-scheme:light dark;{variables(LIGHT)}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{variables(DARK)}}}}}\n"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape_text(title)}</title>\n"
        f"<style>\n{colors}{_STYLE}{STYLE}{FOREST_STYLE}{color_rules()}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body>\n</html>\n"
    )


def figure(chart: Chart, *, height: int = _HEIGHT, legend: bool = True) -> str:
    """Return a chart with its title and, if wanted, its legend."""
    keys = "".join(
        f'<span><i class="{series.color}{" faint" if series.mark is Mark.FAINT else ""}"></i>'
        f"{escape_text(series.label)}</span>"
        for series in chart.series
        if series.label
    )
    named = f'<span class="legend">{keys}</span>' if legend else ""
    return (
        f"<figure><figcaption><h3>{chart.title}</h3><small>{chart.unit}</small>"
        f'{named}</figcaption><svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{chart.title}">{draw(chart, width=_WIDTH, height=height)}</svg>'
        f"{_help(chart)}</figure>"
    )


def _help(chart: Chart) -> str:
    """Return how to read a chart, and what its shaded steps mean."""
    missing = " Shaded steps have no value." if chart.missing else ""
    text = chart.help + missing
    return f'<p class="help">{escape_text(text.strip())}</p>' if text else ""


def facts(known: Sequence[tuple[str, object]]) -> str:
    """Return labels and values as the list at the head of a page."""
    items = "".join(
        f"<div><dt>{escape_text(label)}</dt><dd>{escape_text(value)}</dd></div>"
        for label, value in known
    )
    return f'<dl class="facts">{items}</dl>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in a card; head and cells are HTML."""
    heads = "".join(f"<th>{name}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="card scroll"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def share(estimate: Estimate | None) -> str:
    """Return a cell of a table: an estimate in percent above its interval."""
    if estimate is None:
        return "-"
    low, high = (100 * edge for edge in estimate.ci95)
    return f"<b>{estimate.value:.1%}</b><br><small>[{low:.1f}, {high:.1f}]</small>"


def amount(estimate: Estimate | None) -> str:
    """Return a cell of a table: an estimate of any size above its interval."""
    if estimate is None:
        return "-"
    low, high = estimate.ci95
    return f"<b>{estimate.value:.3g}</b><br><small>[{low:.3g}, {high:.3g}]</small>"


def cut(text: str, most: int = _MAX_SHOWN) -> str:
    """Return a text, escaped, cut after `most` characters."""
    if len(text) <= most:
        return escape_text(text)
    return escape_text(f"{text[:most]}… ({len(text) - most} characters more)")
