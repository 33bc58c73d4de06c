r"""Read plain numbers and compare them exactly, without a computer algebra system.

Understands signs, thousands separators, decimals, repeating decimals, simple and mixed fractions,
scientific notation, and a trailing unit, percent or degree sign. Any other text is None, which
means "not a plain number", never "wrong".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

RELATIVE_TOLERANCE = Fraction(1, 10_000)
"""Largest difference from a decimal gold, relative to the larger of the two numbers. The answer
must also round to the gold as written, so 99999 is not 99999.5."""

_MAX_CHARS = 1_100
_DEC = r"(?:(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d+)(?:\.\d*)?|\.\d+)"
_NUMBER = re.compile(
    r"(?P<sign>[+-]?)\s?(?P<currency>(?:\\\$|[€£¥₹])\s?)?(?:"
    rf"(?P<mixed>\d+)?\s?\\frac\{{(?P<n1>[+-]?{_DEC})\}}\{{(?P<d1>[+-]?{_DEC})\}}"
    r"|(?P<mixed2>\d+) (?P<n2>[1-9]\d*)/(?P<d2>\d+)"
    rf"|(?P<n3>{_DEC})\s?/\s?(?P<d3>{_DEC})"
    rf"|(?P<n4>{_DEC})(?:\\overline\{{(?P<repeat>\d+)\}})?"
    r"(?:(?:[eE]|\s?(?:\\times|\\cdot|\*)\s?10\s?\^)\s?(?P<exp>[+-]?\d{1,3}|\{\s?[+-]?\d{1,3}\s?\}))?"
    r")(?P<tail>(?![\d.]).*)"
)
_TEXT_COMMAND = re.compile(
    r"\\(?:text|textrm|textbf|textit|mathrm|mbox|rm|operatorname)(?![a-zA-Z])"
)
_UNIT = re.compile(r"[A-Za-z]+(?:[ /.]{1,3}[A-Za-z]+){0,3}\.?(?:\^?[23])?")
_HALF_DAY = re.compile(r"^([ap])\.\s?m\.?$")
_TEMPERATURE = re.compile(r"° ?[CF]")
_NOT_UNIT_WORDS = """
or and to not more less than least most at approximately about mod if when base pi e i sqrt hundred
thousand million billion trillion dozen x y z n k sin cos tan log ln exp in is
"""
_NOT_UNITS = frozenset(_NOT_UNIT_WORDS.split())
_UNIT_NAMES = {
    "percent": "%", "degree": "°", "deg": "°", "dollar": "$", "usd": "$", "centimeter": "cm",
    "meter": "m", "metre": "m", "kilometer": "km", "millimeter": "mm", "inch": "in", "inche": "in",
    "feet": "ft", "foot": "ft", "second": "s", "sec": "s", "minute": "min", "hour": "h", "hr": "h",
    "gram": "g", "kilogram": "kg", "liter": "l", "unit": "", "square": "sq", "cubic": "cu",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainNumber:
    """A number as written: its exact value, its precision and its unit.

    `decimals` is None for an exact numeral (an integer or a fraction). For a numeral with a decimal
    point it counts the digits after the point, less the power of ten, so half a unit in the last
    place is `10**-decimals / 2`. A percent sign is a unit: 50% is 50 with unit `%`, because a sign
    may be left out but is never converted.
    """

    value: Fraction
    decimals: int | None = None
    unit: str = ""


def read_number(text: str) -> PlainNumber | None:
    """Return the plain number that clean text holds, or None for any other text."""
    if len(text) > _MAX_CHARS or (match := _NUMBER.fullmatch(text)) is None:
        return None
    unit = read_unit(match["tail"])
    if unit is None or (match["currency"] and unit):
        return None
    if match["currency"]:
        unit = match["currency"].strip().lstrip("\\")
    top, bottom = (
        match["n1"] or match["n2"] or match["n3"],
        match["d1"] or match["d2"] or match["d3"],
    )
    decimals = None
    if top is not None:
        divisor = _fraction(bottom)
        if divisor == 0:
            return None
        value = _fraction(top) / divisor + int(match["mixed"] or match["mixed2"] or 0)
    else:
        value, decimals = _read_decimal(match["n4"], match["repeat"], match["exp"])
    return PlainNumber(
        value=-value if match["sign"] == "-" else value, decimals=decimals, unit=unit
    )


def is_same(gold: PlainNumber, answer: PlainNumber) -> bool:
    """Compare exactly with an exact gold, within the tolerance with a decimal one.

    Units must be equal, but each side may leave its unit out.
    """
    if gold.unit and answer.unit and gold.unit != answer.unit:
        return False
    return is_close(gold, answer.value)


def is_close(gold: PlainNumber, value: Fraction) -> bool:
    """Return whether a value equals the gold, within the tolerance if the gold is a decimal."""
    if gold.decimals is None or gold.value == value:
        return gold.value == value
    half_unit = Fraction(10) ** -gold.decimals / 2
    return abs(value - gold.value) <= min(
        half_unit, RELATIVE_TOLERANCE * max(abs(gold.value), abs(value))
    )


def _fraction(text: str) -> Fraction:
    return Fraction(text.replace(",", "").replace(" ", "").rstrip("."))


def _read_decimal(
    text: str, repeat: str | None, exponent: str | None
) -> tuple[Fraction, int | None]:
    value, places = _fraction(text), len(text.partition(".")[2])
    if repeat is not None:
        if "." not in text:
            return value, None
        return value + Fraction(int(repeat), (10 ** len(repeat) - 1) * 10**places), None
    shift = int(exponent.strip("{} ")) if exponent else 0
    return value * Fraction(10) ** shift, places - shift if places else None


def read_unit(tail: str) -> str | None:
    """Return the canonical unit behind a number: empty for no text, None for any other text."""
    if not tail or tail.isspace():
        return ""
    has_command = bool(_TEXT_COMMAND.search(tail))
    plain = _TEXT_COMMAND.sub(" ", tail).replace("{", "").replace("}", "").strip()
    plain = _HALF_DAY.sub(r"\1m", plain)
    if plain in ("%", "°", "\\$"):
        return plain.lstrip("\\")
    if _TEMPERATURE.fullmatch(plain):
        return "°" + plain[-1]
    if _UNIT.fullmatch(plain) is None or (len(plain) == 1 and not has_command):
        return None
    words = re.findall(r"[a-z]+", plain.lower())
    if any(word in _NOT_UNITS for word in words) and not (has_command and words == ["in"]):
        return None
    stems = [word[:-1] if len(word) > 2 and word.endswith("s") else word for word in words]
    names = [_UNIT_NAMES.get(stem, stem) for stem in stems]
    power = plain[-1] if plain[-1] in "23" else ""
    if names and names[0] in ("sq", "cu"):
        power, names = ("2" if names[0] == "sq" else "3"), names[1:]
    return "/".join(name for name in names if name) + power
