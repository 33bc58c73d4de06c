r"""Normalize notation: `clean` gives spellings of equal meaning one form.

Works on text only, in linear time, and reads no mathematics.
"""

# ruff: noqa: RUF001 - the tables list look-alike characters on purpose

from __future__ import annotations

import re

_FRACTIONS = {
    "½": "1 2", "⅓": "1 3", "⅔": "2 3", "¼": "1 4", "¾": "3 4", "⅕": "1 5", "⅖": "2 5", "⅗": "3 5",
    "⅘": "4 5", "⅙": "1 6", "⅚": "5 6", "⅛": "1 8", "⅜": "3 8", "⅝": "5 8", "⅞": "7 8",
}  # fmt: skip
_SYMBOLS = {
    "−": "-", "–": "-", "×": "\\times ", "·": "\\cdot ", "⋅": "\\cdot ", "÷": "/", "±": "\\pm ",
    "∞": "\\infty ", "π": "\\pi ", "≤": "\\le ", "≥": "\\ge ", "≠": "\\ne ", "≈": "\\approx ",
    "∪": "\\cup ", "∩": "\\cap ", "∈": "\\in ", "∅": "\\emptyset ", "∖": "\\setminus ",
    "ℝ": "\\mathbb{R}", "ℤ": "\\mathbb{Z}", "ℕ": "\\mathbb{N}", "ℚ": "\\mathbb{Q}",
    "ℂ": "\\mathbb{C}", "∠": "\\angle ", "′": "'", "⁄": "/", "∕": "/", "∗": "*", "…": "...",
    "⌊": "\\lfloor ", "⌋": "\\rfloor ", "⌈": "\\lceil ", "⌉": "\\rceil ", "→": "\\to ",
    "⟨": "\\langle ", "⟩": "\\rangle ", "∧": "\\land ", "∨": "\\lor ", "º": "°", "ⅈ": "i",
    "\u00a0": " ", "\u202f": " ", "\u2009": " ",
}  # fmt: skip
_GREEK_NAMES = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi
chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega
"""
_GREEK = dict(zip("αβγδεζηθικλμνξρστυφχψωΓΔΘΛΞΣΦΨΩ", _GREEK_NAMES.split(), strict=True))
_WIDE = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}  # fullwidth ASCII
_UNICODE = str.maketrans(
    _WIDE
    | _SYMBOLS
    | {letter: f"\\{name} " for letter, name in _GREEK.items()}
    | {key: "\\frac{{{}}}{{{}}}".format(*pair.split()) for key, pair in _FRACTIONS.items()}
)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ", "0123456789-+n")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉₋₊ₙ", "0123456789-+n")
_FONT = r"\\(?:math(?:bf|rm|it|sf|normal)|boldsymbol|bm|bf|rm)(?![a-zA-Z])"
_FONT_OR_TEXT = r"\\(?:math(?:bf|rm|it|sf|normal)|boldsymbol|text(?:bf|rm|it|sf|normal)?|mbox|hbox)"
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"√\s?\(([^()]*)\)|√\s?(\w+)", r"\\sqrt{\1\2}"),
        (r"(?<!\\)\\!", ""),
        (
            r"\\(?:text)?color\s?\{\w*\}|\\(?:tiny|small|normalsize|large|Large|huge)(?![a-zA-Z])",
            "",
        ),
        (_FONT + r"\s?(?=\{\s?(?:\\|[-+]?\d))", ""),
        (r"^" + _FONT_OR_TEXT + r"\s?\{([^{}\\]*\d[^{}\\]*)\}$", r"\1"),
        (r"\\[hv]?phantom\s?(?:\{[^{}]*\}|\\[a-zA-Z]+|\S)", ""),
        (r"\\(?:left|right|displaystyle|bigl|bigr|limits)(?![a-zA-Z])\.?", ""),
        (r"(?<!\\)\\(?:[,;: ]|q?quad(?![a-zA-Z]))|~", " "),
        (r"(?<!\\)(?:\$|\\[()\[\]])", ""),
        (r"\{,\}", ","),
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\frac\s?(\d)\s?(\d)(?!\d)", r"\\frac{\1}{\2}"),
        (r"\\%", "%"),
        (r"\^\s?\{?\s?\\circ\s?\}?|\\degree(?![a-zA-Z])", "°"),
        (r"(?<=\d)\s?\^\s?\{?\s?(?:\\(?:text|mathrm)\s?\{\s?o\s?\}|o(?![a-zA-Z]))\s?\}?", "°"),
        (r"(?<![\w)}])(?:\{\s?\})?[_^]\s?\{?(\d+)\}?\s?C\s?_\s?\{?(\d+)\}?", r"\\binom{\1}{\2}"),
        (r"(?<=\d) (?=\d{3}(?:\D|$))", ","),
        (r"\s+", " "),
    )
)


def clean(text: str) -> str:
    """Return the text without notation that has no meaning: unicode forms, spacing, delimiters."""
    text = text.strip()
    if text.isascii() and text.isalnum():
        return text
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ]+", lambda m: f"^{{{m[0].translate(_RAISED)}}}", text)
    text = re.sub(r"[₀₁₂₃₄₅₆₇₈₉₋₊ₙ]+", lambda m: f"_{{{m[0].translate(_LOWERED)}}}", text)
    text = text.translate(_UNICODE)
    if "\\begin" not in text:
        text = text.replace("\\\\", ", ")
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = text.strip()
    return text if text.endswith("..") else text.removesuffix(".").rstrip()
