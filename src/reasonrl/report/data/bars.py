"""The bars of a data card: what every step kept, and how often a model fails.

Pure: counts in, SVG out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from reasonrl.curation.ratings.difficulty import WHOLE
from reasonrl.curation.store import StepCounts
from reasonrl.report.drawing.chart import Color
from reasonrl.report.drawing.colors import LIGHT
from reasonrl.report.drawing.svg import escape_text

_ROW = 30  # height of a row of the funnel
_WIDTH, _LABEL, _COUNT = 900, 120, 90
_COLORS = tuple(Color)
_TALL = 120  # height of the highest bar of failures


def render_funnel(steps: Sequence[StepCounts]) -> str:
    """Return the funnel as an SVG file of its own."""
    return funnel(steps, 'xmlns="http://www.w3.org/2000/svg" ').replace("var(--ink)", LIGHT["ink"])


def funnel(steps: Sequence[StepCounts], namespace: str = "") -> str:
    """Draw a bar for each step, with the rows that the step kept, by source."""
    sources = list(dict.fromkeys(name for step in steps for name in _groups(step)))
    colors = {name: _COLORS[min(i, len(_COLORS) - 1)] for i, name in enumerate(sources)}
    most = max((step.n_kept + step.n_dropped for step in steps), default=1) or 1
    scale = (_WIDTH - _LABEL - _COUNT) / most
    parts = []
    for index, step in enumerate(steps):
        top, left = index * _ROW + 4, float(_LABEL)
        parts.append(_text(0, top + 15, step.name))
        for name, count in _groups(step).items():
            width = count * scale
            parts.append(
                f'<rect class="{colors[name]}" fill="{LIGHT[colors[name]]}" x="{left:.1f}" '
                f'y="{top}" width="{width:.1f}" height="{_ROW - 10}">'
                f"<title>{escape_text(name)}: {count:,}</title></rect>"
            )
            left += width
        parts.append(_text(left + 8, top + 15, f"{step.n_kept:,}"))
    top = len(steps) * _ROW + 8
    for index, name in enumerate(sources[:12]):
        x, y = 200 * (index % 4), top + 18 * (index // 4)
        parts.append(
            f'<rect fill="{LIGHT[colors[name]]}" x="{x}" y="{y}" width="10" height="10"></rect>'
        )
        parts.append(_text(x + 15, y + 10, name))
    height = top + 18 * ((min(len(sources), 12) + 3) // 4) + 6
    return (
        f'<svg {namespace}viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="rows kept by every step">{"".join(parts)}</svg>'
    )


def failure_bars(counts: Mapping[int, int]) -> str:
    """Draw a bar for each number of failures: how many problems have that number."""
    most, width = max(counts.values(), default=1), _WIDTH // (WHOLE + 1)
    parts = []
    for failures in range(WHOLE + 1):
        count, left = counts.get(failures, 0), failures * width
        height = max(_TALL * count / most, 1.0 if count else 0.0)
        parts.append(
            f'<rect class="{_COLORS[0]}" fill="{LIGHT[_COLORS[0]]}" x="{left}" '
            f'y="{18 + _TALL - height:.1f}" width="{width - 6}" height="{height:.1f}"></rect>'
        )
        if count:
            parts.append(_text(left, round(13 + _TALL - height), f"{count:,}"))
        parts.append(_text(left, _TALL + 34, str(failures)))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_TALL + 40}" role="img" '
        f'aria-label="problems by failures of {WHOLE}">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str) -> str:
    style = "font:12px system-ui,sans-serif;fill:var(--ink)"
    return f'<text x="{x:.1f}" y="{y}" style="{style}">{escape_text(text)}</text>'


def _groups(step: StepCounts) -> dict[str, int]:
    """Return the kept rows by source; the parts of a source count together."""
    rows: Counter[str] = Counter()
    for name, count in step.kept.items():
        rows[_group(name)] += count
    return dict(sorted(rows.items()))


def _group(source: str) -> str:
    """Return a source's name without its part: train-code-leetcode for -Easy and for -Hard."""
    parts = source.partition("_")[0].split("-")
    return "-".join(parts[:3]) if parts[0] == "train" and len(parts) > 3 else "-".join(parts)
