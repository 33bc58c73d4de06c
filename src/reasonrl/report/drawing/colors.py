"""The colours of pages and pictures, on light and on dark grounds.

The colours of series also differ in lightness, so that people with the common kinds of colour
blindness can tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping

from reasonrl.report.drawing.chart import Color

LIGHT: Mapping[str, str] = {
    "ground": "#f5f6f8", "paper": "#ffffff", "ink": "#22272e", "quiet": "#656d78",
    "grid": "#e6e9ed", "blue": "#2f6db5", "orange": "#d9790f", "teal": "#35a38f",
    "purple": "#7a5bb0", "red": "#b8403a", "gray": "#a3acb7",
}  # fmt: skip
DARK: Mapping[str, str] = {
    "ground": "#14181d", "paper": "#1c2128", "ink": "#dde3ea", "quiet": "#929ca8",
    "grid": "#2e353f", "blue": "#6aa5ea", "orange": "#e8964a", "teal": "#4fb8a4",
    "purple": "#ae95de", "red": "#e0716a", "gray": "#8b96a3",
}  # fmt: skip


def color_rules() -> str:
    """Return the CSS that gives each class of a series its colour."""
    return "".join(f".{color}{{color:var(--{color})}}\n" for color in Color)


def variables(colors: Mapping[str, str]) -> str:
    """Return the colours as CSS variables."""
    return "".join(f"--{name}:{value};" for name, value in colors.items())
