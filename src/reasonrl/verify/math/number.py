r"""Read plain numbers and compare them exactly, without a computer algebra system.

Understands signs, thousands separators, decimals, repeating decimals, simple and mixed fractions,
scientific notation, and a trailing unit, percent or degree sign. Any other text is None, which
means "not a plain number", never "wrong".
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

RELATIVE_TOLERANCE = Fraction(1, 10_000)
"""Largest difference from a decimal gold, relative to the larger of the two numbers. The answer
must also round to the gold as written, so 99999 is not 99999.5."""

_MAX_CHARS = 1_100
_DEC = r"(?:(?:\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3}|\d{1,3}(?: \d{3})+|\d+)(?:\.\d*)?|\.\d+)"
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
_POWER = r"(?:\s?\^?\{?-?[1-4]\}?)?"
_UNIT = re.compile(rf"[^\W\d_]+{_POWER}(?:[ /.·*-]{{1,3}}\(?[^\W\d_]+{_POWER}){{0,6}}\)?\.?")
_UNIT_PARTS = re.compile(r"([^\W\d_]+)|\^?\{?(-?[1-4])\}?|([/·* .()-]+)")
_HALF_DAY = re.compile(r"^([ap])\.\s?m\.?$")
_PERCENT = re.compile(r"^(?:per cent|pct\.?|percentage)$")
_TEMPERATURE = re.compile(r"° ?[CF]")
_IN_BRACKETS = re.compile(r"\(\s?([^()]{2,60})\s?\)")
_NOT_UNIT_WORDS = """
or mod if when pi e i sqrt x y z n k M sin cos tan log ln exp is squared cubed factorial half halves
third thirds quarter quarters fifth fifths sixth sixths eighth eighths tenth tenths hundredth
hundredths thousandth thousandths tens hundreds thousands millions billions modulo base incorrect
wrong not no false plus minus times and less least most approximately about if then wrongly double
twice never only roughly so 半 百 千 万 萬 億 亿 成 分
lakh lakhs crore crores score gross bn mil permille ppm ppb basis over divided doubled tripled point
remainder out choose negated maybe perhaps possibly alternatively but vs otherwise also
rejected excluded fails ish guess hex octal binary decimal hexadecimal power inverse reciprocal for
one two three four five six seven eight nine ten eleven twelve twenty off loss debt deficit short
"""
_NOT_UNITS = frozenset(_NOT_UNIT_WORDS.split())
_FILLER_WORDS = "of the a an in to do it them total each old more"
_FILLERS = frozenset(_FILLER_WORDS.split())
_MEGA = re.compile(r"(?<![A-Za-z])M(?=(?:W|Pa|Hz|V|J|eV|N|m|g|A|B)(?![a-z]))")
_MONEY_WORDS = "per each a an every total in for altogether dollars usd"
_AFTER_MONEY = frozenset(_MONEY_WORDS.split())
_MULTIPLIERS = {
    "hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "dozen": 12,
}  # fmt: skip
_MULTIPLIED = re.compile(rf"\s?({'|'.join(_MULTIPLIERS)})(?![a-z])")
_UNIT_NAMES = {
    "percent": "%", "degree": "°", "deg": "°", "dollar": "$", "usd": "$", "centimeter": "cm",
    "centimetre": "cm", "meter": "m", "metre": "m", "kilometer": "km", "kilometre": "km",
    "millimeter": "mm", "millimetre": "mm", "inch": "in", "inche": "in", "feet": "ft",
    "foot": "ft", "yard": "yd", "mile": "mi", "second": "s", "sec": "s", "minute": "min",
    "hour": "h", "hr": "h", "gram": "g", "kilogram": "kg", "liter": "l", "litre": "l",
    "milliliter": "ml", "millilitre": "ml", "pound": "lb", "ounce": "oz", "gallon": "gal",
    "newton": "n", "volt": "v", "watt": "w", "joule": "j", "ampere": "a", "amp": "a",
    "kelvin": "k", "hertz": "hz", "radian": "rad", "euro": "€", "yuan": "¥", "rupee": "₹",
    "unit": "",
}  # fmt: skip
_DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})/(\d{1,2})/(\d{4})|(\d{1,2})\.(\d{1,2})\.(\d{4})"
)
_SPEEDS = {"mph": "mi/h", "kph": "km/h", "kmh": "km/h", "kmph": "km/h", "fps": "ft/s"}
# Letters that stand for a unit behind a plain number, where the gold has no symbol: `5 m`.
_BARE_UNIT = re.compile(
    r"(?:\s?[mgsVAWJNLTh]|\sK|\s?[kcmMGnµ]?(?:m|g|W|V|A|J|N|L|l|s|Hz|Pa|eV|mol|cal))"
    r"(?:/(?:[mgshkL]|[kc]m|kg|min|hr)|(?:\s?\^?\s?\{?[23]\}?))?"
    r"|\s?(?:[kM]|\\(?:text|mathrm)\{\s?[kM]\s?\})?\s?\\Omega|\s?\\mu\s?(?:[mgsAVFL]|\\(?:text|mathrm)\{[mgsAVFL]\})"
)


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


def read_number(text: str, *, bare_units: bool = False) -> PlainNumber | None:
    """Return the plain number that clean text holds, or None for any other text.

    With `bare_units`, letters behind the number are a unit, as in `5 m`; they could be symbols.
    """
    if len(text) > _MAX_CHARS or (match := _NUMBER.fullmatch(text)) is None:
        return None
    factor, tail = _multiplied(match["tail"])
    unit = read_unit(tail) if tail else ""
    if unit is None and bare_units and _BARE_UNIT.fullmatch(tail):
        unit = tail.strip().lower()
    if unit is None or (match["currency"] and not _is_about_money(tail)):
        return None
    if match["currency"]:
        # `\\$9,500 per year`: the words behind an amount say what it is for.
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
    if factor != 1 and decimals is not None:
        # `2.5 million` states two digits of 2500000.
        decimals -= len(str(factor)) - 1
    if factor != 1:
        value *= factor
    return PlainNumber(
        value=-value if match["sign"] == "-" else value, decimals=decimals, unit=unit
    )


def _is_about_money(tail: str) -> bool:
    """Return whether words behind an amount with a currency only say what it is for."""
    words = re.findall(r"[a-z]+", _TEXT_COMMAND.sub(" ", tail).lower())
    return not words or words[0] in _AFTER_MONEY


def _multiplied(tail: str) -> tuple[int, str]:
    """Return the factor of a word such as `million`, and the text behind the word."""
    if not tail or not any(word in tail for word in _MULTIPLIERS):
        return 1, tail
    plain = _TEXT_COMMAND.sub(" ", tail).replace("{", "").replace("}", "").strip()
    match = _MULTIPLIED.match(plain)
    if match is None:
        return 1, tail
    rest = plain[match.end() :].strip()
    return _MULTIPLIERS[match[1]], f"\\text{{{rest}}}" if rest else ""


def is_same(gold: PlainNumber, answer: PlainNumber) -> bool:
    """Compare exactly with an exact gold, within the tolerance with a decimal one.

    Units must be equal, but each side may leave its unit out.
    """
    units = {gold.unit, answer.unit} - {""}
    # A pound is an amount or a weight.
    if len(units) > 1 and (gold.unit, answer.unit) != ("£", "lb"):
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
    if not plain:
        return ""
    if (match := _IN_BRACKETS.fullmatch(plain)) is not None:
        inner = match[1].strip()
        is_named = has_command or len(inner) > 3 or inner.lower() in _UNIT_NAMES.values()
        return read_unit(f"\\text{{{inner}}}") if is_named else None
    plain = _HALF_DAY.sub(r"\1m", plain)
    plain = _PERCENT.sub("%", plain)
    if plain in ("%", "°", "\\$", "€", "£", "¥", "₹", "¢"):
        return plain.lstrip("\\")
    if _TEMPERATURE.fullmatch(plain):
        return "°" + plain[-1]
    if _UNIT.fullmatch(plain) is None:
        return None
    if len(plain) == 1 and not has_command and plain.isascii():
        return None
    return _unit_of_words(plain, has_command=has_command)


def _unit_of_words(plain: str, *, has_command: bool) -> str | None:
    """Return the unit that words name, or None if one of them changes the number."""
    # A single letter keeps its case: `n` counts, `N` is a newton.
    written = re.findall(r"[^\W\d_]+", plain)
    words = [word.lower() if len(word) > 1 else word for word in written]
    changes = (w in _NOT_UNITS or (w[0] in _NOT_UNITS and not w.isascii()) for w in words)
    if "than" in words or any(changes):
        return None
    if (
        words[0] in (*_FILLERS, "per")
        and len(words) == 1
        and not (words[0] == "in" and has_command)
    ):
        return None
    return _canonical_unit(plain)


def _canonical_unit(plain: str) -> str:
    """Return a product of powers of names in their order: `m·s-1` for `meters per second`."""
    powers: Counter[str] = Counter()
    sign, power, last = 1, 1, ""
    for word, digits, mark in _UNIT_PARTS.findall(_spelled_out(plain)):
        if "/" in mark or word == "per":
            sign = -1
        elif digits and last:
            powers[last] += sign * (int(digits) - 1)
        elif word in ("square", "sq", "cubic", "cu"):
            power = 2 if word.startswith("sq") else 3
        elif word and (last := _UNIT_NAMES.get(_stem(word), _stem(word))):
            powers[last] += sign * power
            power = 1
    kept = sorted((name, power) for name, power in powers.items() if power)
    return "·".join(name if power == 1 else f"{name}{power}" for name, power in kept)


def _spelled_out(plain: str) -> str:
    """Return the words of a unit in lower case, without fillers, with `mph` as `mi/h`."""
    lower = _MEGA.sub("mega", plain).lower().removesuffix(".")
    words = (word for word in lower.split() if word not in _FILLERS) if " " in lower else (lower,)
    return " ".join(_SPEEDS.get(word, word) for word in words)


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 2 and word.endswith("s") else word


def date_of(text: str) -> tuple[int, int, int] | None:
    """Return the three numbers of a date in digits, with the year first; None for other text.

    `2024-03-15` is no difference.
    """
    if len(text) > 10 or (match := _DATE.fullmatch(text)) is None:
        return None
    first, second, third = (int(part) for part in match.groups() if part)
    return (first, second, third) if match[1] else (third, first, second)
