"""A standalone SVG file on a light ground, for a README."""

from __future__ import annotations

import re

from reasonrl.report.drawing.colors import LIGHT, color_rules


def standalone(content: str, *, width: float, height: float, style: str) -> str:
    """Return drawn elements as an SVG document with their CSS rules."""
    rules = _without_variables(color_rules() + style)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}"><style>{rules}</style>'
        f'<rect width="{width:g}" height="{height:g}" fill="{LIGHT["paper"]}"/>'
        f"{content}</svg>\n"
    )


def _without_variables(style: str) -> str:
    """Return the style with the light colours: few viewers of SVG files know CSS variables."""
    return re.sub(r"var\(--(\w+)\)", lambda match: LIGHT[match[1]], style)
