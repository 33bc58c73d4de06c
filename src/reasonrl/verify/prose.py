r"""Find the final number of a response that has no box, in linear time.

Only the last line with a digit is searched, and only for a number that stands alone: the exponent
of `2^10`, the argument of `\sqrt{2}` and the coefficient of `2x` are operands. Called by
`questions`, in the mode for models that were never taught to box.
"""

from __future__ import annotations

import re
from collections import deque

from reasonrl.verify.math.characters import plain_characters

# Characters that are searched on either side of the last digit.
_WINDOW_CHARS = 2_000
_DIGITS = "0123456789" + "".join(map(chr, range(0xFF10, 0xFF1A)))  # also the fullwidth ones
_FONT = re.compile(
    r"\\(?:text(?:bf|it|rm)?|math(?:bf|rm|it|sf)|boldsymbol|bm|underline|emph|mbox)\s?\{([^{}]{0,200})\}"
)
_DELIMITERS = re.compile(
    r"\\\\\s*$|\^\s?\{?\s?\\circ\s?\}?|\\degree(?![a-zA-Z])|\\[()\[\],;:! ]|(?<!\\)\$|\*\*"
    r"|\\(?:left|right|displaystyle)(?![a-zA-Z])"
)
_UNDERLINED = re.compile(r"(?<!\w)_([^\s_]{1,40})_(?!\w)")
_UNIT_POWER = re.compile(r"(?<=[A-Za-z])[²³]")
_AREA = re.compile(r"(?<=\d)(\s?[ckdm]?m)\s?(?:\^\s?\{?[23]\}?)|(?<=[a-z]{2})\^\s?\{?[23]\}?(?!\w)")
_SIGN = (
    # A sign follows a mark or a word, an operator of a difference follows an operand.
    r"(?:(?:(?<=^)|(?<=[^\w\s)\]}.])|(?<=[^\w\s)\]}]\s)|(?<=[A-Za-z][A-Za-z]\s)"
    r"|(?<=[^\x00-\x7f])|(?<=[^\x00-\x7f]\s))-(?=[\d.$\\])|(?:(?<=is\s)|(?<=[=:]\s))-\s(?=\d))?"
)
_NUMBER = re.compile(
    # Not the tail of a word, a number, a power or a fraction.
    r"(?<![A-Za-z0-9_.^\\{/])" + _SIGN + r"(?:\\?\$)?"
    r"(?:(?:\d{1,6})?\\[dt]?frac\{-?\d+\}\{\d+\}|\\[dt]?frac\s?\d\s?\d|\d{1,6} \d{1,6}/\d{1,6}"
    r"|(?:\d{1,3}(?:[, ]\d{3})+(?!\d)|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)|\d+|(?=\.\d))(?:\.\d+)?"
    r"(?:/\d+(?:\.\d+)?)?)"
    r"(?:\s?\\?%)?(?: (?:dozen|hundred|thousand|million|billion)(?![a-z]))?",
    re.ASCII,
)
# A unit that is written without a blank ends the number, as it does for a reader.
_UNIT = re.compile(
    r"(?:[ckm]?m|[km]?g|[mk]?[lL]|km/h|m/s|mph|s|h|hrs?|min|sec|ft|in|lbs?|°[CF]?|k[WJVNA])(?![A-Za-z0-9^])"
)
_CALLED = re.compile(r"(?:[A-Za-z]\(|√)\s?$")
_CALL_CHARS = 24
# Words before a number, and words or signs behind it, that make another number of it.
_OPERATED = re.compile(
    r"(?:^|[^a-z])(?:not|log|ln|half(?: of)?|twice|sqrt|root(?: of)?|sin|cos|tan)\s$", re.IGNORECASE
)
_OPERATION = re.compile(
    r"\s?(?:squared|cubed|factorial|times|\\pi|π)(?![a-z])|\s[xyzn](?![A-Za-z])"
)
_GLUED = re.compile(r"[A-Za-z\u00c0-\u024f0-9_^!/\\{]|\.\d")


def last_number(text: str) -> str | None:
    r"""Return the last number of a response without a box, as written, or None.

    A line whose last digits belong to an operand has no final number.
    """
    line = _last_line_with_digit(text)
    if line is None:
        return None
    line = _AREA.sub(r"\1", plain_characters(_UNIT_POWER.sub("", line)))
    line = _DELIMITERS.sub("", _FONT.sub(r"\1", _FONT.sub(r"\1", line)).replace("{,}", ","))
    line = _UNDERLINED.sub(r"\1", line)
    matches = deque(_NUMBER.finditer(line), maxlen=1)
    if not matches:
        return None
    number = matches[0]
    if re.search(r"\d", line[number.end() :], re.ASCII):
        return None
    before = line[max(0, number.start() - _CALL_CHARS) : number.start()]
    if _CALLED.search(before) or _OPERATED.search(before) or _OPERATION.match(line, number.end()):
        # An operand, as in `sqrt(5)`, `half of 5` and `5 squared`.
        return None
    is_glued = _GLUED.match(line, number.end()) is not None
    if is_glued and "." in number.group() and line[number.end()] == "!":
        # Only a whole number has a factorial: this mark ends the sentence.
        is_glued = False
    if is_glued and _UNIT.match(line, number.end()) is None:
        return None
    return number.group().replace("- ", "-")


def _last_line_with_digit(text: str) -> str | None:
    last_digit = max(text.rfind(digit) for digit in _DIGITS)
    if last_digit < 0:
        return None
    start = max(text.rfind("\n", 0, last_digit) + 1, last_digit - _WINDOW_CHARS)
    return text[start : last_digit + 1 + _WINDOW_CHARS].split("\n", 1)[0]
