r"""Replace characters by their plain spelling: look-alikes, invisible ones, symbols, other scripts.

`plain_characters` knows single characters only, runs in linear time, and leaves ASCII text alone.
Called by `notation` for answers and keys, and by `prose` for prose.
"""

# ruff: noqa: RUF001 - the tables list look-alike characters on purpose

from __future__ import annotations

import re
import unicodedata

_FRACTIONS = {
    "½": "1 2", "⅓": "1 3", "⅔": "2 3", "¼": "1 4", "¾": "3 4", "⅕": "1 5", "⅖": "2 5", "⅗": "3 5",
    "⅘": "4 5", "⅙": "1 6", "⅚": "5 6", "⅐": "1 7", "⅛": "1 8", "⅜": "3 8", "⅝": "5 8", "⅞": "7 8",
    "⅑": "1 9", "⅒": "1 10",
}  # fmt: skip
_SYMBOLS = {
    "×": "\\times ", "✕": "\\times ", "✖": "\\times ", "⨯": "\\times ", "⨉": "\\times ",
    "‧": "\\cdot ", "・": "\\cdot ", "➗": "/", "➕": "+", "＝": "=", "⩵": "=", "⁎": "*",
    "√": "√", "∛": "\\sqrt[3]", "∜": "\\sqrt[4]", "∆": "\\Delta ", "⟂": "\\perp ",
    "·": "\\cdot ", "⋅": "\\cdot ", "∙": "\\cdot ",
    "•": "\\cdot ", "÷": "/", "±": "\\pm ", "∓": "\\mp ",
    "∞": "\\infty ", "≤": "\\le ", "≥": "\\ge ", "⩽": "\\le ", "⩾": "\\ge ", "≦": "\\le ",
    "≧": "\\ge ", "≠": "\\ne ", "≈": "\\approx ", "≡": "\\equiv ", "∣": "\\mid ", "∤": "\\nmid ",
    "∪": "\\cup ", "∩": "\\cap ", "∈": "\\in ", "∉": "\\notin ", "∅": "\\emptyset ",
    "∖": "\\setminus ", "⊂": "\\subset ", "⊆": "\\subseteq ", "∀": "\\forall ", "∃": "\\exists ",
    "¬": "\\neg ", "∠": "\\angle ", "△": "\\triangle ", "⁄": "/", "∕": "/", "∗": "*",
    "…": "\\ldots ", "⋯": "\\cdots ", "⌊": "\\lfloor ", "⌋": "\\rfloor ", "⌈": "\\lceil ",
    "⌉": "\\rceil ", "→": "\\to ", "⟨": "\\langle ", "⟩": "\\rangle ", "〈": "\\langle ",
    "〉": "\\rangle ", "∧": "\\land ", "∨": "\\lor ", "ⅈ": "i", "∑": "\\sum ", "∫": "\\int ",
    "∏": "\\prod ", "∂": "\\partial ", "∶": ":", "。": ".", "、": ",", "「": "", "」": "",
    "Ø": "\\emptyset ", "⌀": "\\emptyset ", "■": "", "□": "", "∎": "",
    **{chr(0x2460 + n): f"({n + 1})" for n in range(20)},
    "ℝ": "\\mathbb{R}", "ℤ": "\\mathbb{Z}", "ℕ": "\\mathbb{N}", "ℚ": "\\mathbb{Q}",
    "ℂ": "\\mathbb{C}", "º": "°", "˚": "°", "∘": "°", "′": "'", "’": "'", "‘": "'", "ʼ": "'",
    "´": "'", "″": "''", "“": '"', "”": '"', "＂": '"',
}  # fmt: skip
_DASHES = "−–—‐‑‒―⁃﹣－➖˗⸺"
_GREEK_NAMES = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi
chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega pi Pi varsigma epsilon theta phi mu
Omega
"""
_GREEK = dict(zip("αβγδεζηθικλμνξρστυφχψωΓΔΘΛΞΣΦΨΩπΠςϵϑϕµΩ", _GREEK_NAMES.split(), strict=True))
_WIDE = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}  # fullwidth ASCII
_TABLE = str.maketrans(
    _WIDE
    | _SYMBOLS
    | dict.fromkeys(_DASHES, "-")
    | {letter: f"\\{name} " for letter, name in _GREEK.items()}
    | {key: "\\frac{{{}}}{{{}}}".format(*pair.split()) for key, pair in _FRACTIONS.items()}
)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ", "0123456789-+n")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉₋₊ₙ", "0123456789-+n")
_RAISED_RUN = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ]+")
_LOWERED_RUN = re.compile(r"[₀₁₂₃₄₅₆₇₈₉₋₊ₙ]+")
# Characters that nobody sees: joiners, marks of direction, variants, half pairs, controls.
_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000e-\u001f\u007f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff\ud800-\udfff]"
)
# Letters, digits and signs of other fonts and forms, which NFKC turns into plain ones.
_STYLED = re.compile("[\u2100-\u214e\u2160-\u217f\ufe50-\ufe6b\uff5f-\uff9f\U0001d400-\U0001d7ff]")
# A digit of another script, for example an Arabic one.
_DIGIT = re.compile(r"[^\W\D_a-zA-Z0-9]")
# A blank of any kind, but no line end.
_BLANK = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_ASCII_CONTROL = re.compile("[\u0000-\u0008\u000e-\u001f\u007f]")
# A power of ten whose raised exponent was lost when the text was copied: its minus is no hyphen.
_LOST_EXPONENT = re.compile(r"^([-+−]?\d{1,20}(?:\.\d{1,20})?\s?[×xX]\s?10)\s?−\s?(\d{1,3})$")


def plain_characters(text: str) -> str:
    """Return the text with characters that look or mean the same in one spelling."""
    if text.isascii():
        return _ASCII_CONTROL.sub("", text)
    text = _BLANK.sub(" ", _INVISIBLE.sub("", text))
    text = _LOST_EXPONENT.sub(r"\1^{-\2}", text.strip())
    text = _RAISED_RUN.sub(lambda m: f"^{{{m[0].translate(_RAISED)}}}", text)
    text = _LOWERED_RUN.sub(lambda m: f"_{{{m[0].translate(_LOWERED)}}}", text)
    text = text.translate(_TABLE)
    text = _STYLED.sub(_unstyled, text)
    return _DIGIT.sub(lambda match: str(unicodedata.decimal(match[0], match[0])), text)


def _unstyled(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", match[0]).translate(_TABLE)
