"""Read digits that are written in a base. Called by `parse`."""

from __future__ import annotations

import re

from reasonrl.verify.math.tree import Numeral

_BASE_NAMES = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "sixteen": 16,
}  # fmt: skip
_NUMERAL = re.compile(
    r"(?P<sign>-?)(?:\\text\{)?\(?(?P<digits>[0-9A-Za-z]{1,400})\)?\}?\s?_\s?\{?\s?(?:\\text\s?\{)?"
    rf"(?:(?P<base>\d{{1,2}})|(?P<name>{'|'.join(_BASE_NAMES)}))\s?\}}?\}}?"
)


def read_numeral(text: str) -> Numeral | None:
    """Read digits with a base: `1011_2`, `(2A)_{16}`, `101_{\\text{two}}`."""
    match = _NUMERAL.fullmatch(text)
    if match is None:
        return None
    digits = match["digits"].upper()
    base = int(match["base"]) if match["base"] else _BASE_NAMES[match["name"]]
    if not 2 <= base <= 36 or any(int(digit, 36) >= base for digit in digits):
        return None
    if not digits[0].isdigit() and base <= 10:
        return None
    return Numeral(match["sign"] + (digits.lstrip("0") or "0"), base)
