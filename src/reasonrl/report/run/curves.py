"""One picture of a run, as a standalone SVG on a light ground, for a README.

It has no numbers to point at; the page has.
"""

from __future__ import annotations

from collections.abc import Sequence

from reasonrl.evaluation.score import SuiteResult
from reasonrl.report.drawing.picture import charts_picture
from reasonrl.report.run.panels import build_panels
from reasonrl.types import Row

_HEIGHT = 640


def charts_svg(metrics: Sequence[Row], evaluations: Sequence[SuiteResult]) -> str:
    """Return accuracy, entropy, mean length and truncated share as one SVG document."""
    charts = build_panels(metrics, evaluations)
    names = ("accuracy", "entropy", "length", "truncated")
    return charts_picture([charts[name] for name in names], height=_HEIGHT)
