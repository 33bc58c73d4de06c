r"""Find the final answer in a response, in linear time.

Scans text; parses and compares nothing. docs/verifiers.md explains the rules: only the text behind
the last `</think>` counts, the last complete `\boxed{...}` decides, and any box, complete or not,
rules out the rest of the text.
"""

from __future__ import annotations

import re
from collections import deque

_THINK_OPEN = "<think>"
_THINK_CLOSE = "</think>"
_BOX = "\\boxed"
_BRACES = re.compile(r"\\boxed\s{0,4}\{|\\.|[{}]", re.DOTALL)
# Characters that are searched on either side of the last digit.
_WINDOW_CHARS = 2_000
_PROSE_NUMBER = re.compile(
    # Not the tail of a word, a number, a power or a fraction.
    r"(?<![\w.^\\{/])"
    # A sign, unless it is a subtraction.
    r"(?:(?<![\w)]\s)(?<![\w)])[-\u2212])?"
    r"\$?(?:\\frac\{-?\d+\}\{\d+\}"
    r"|(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:/\d+(?:\.\d+)?)?)"
    r"(?:\s?\\?%)?"
)
# This text follows an operand, but never a final number.
_GLUED = re.compile(r"[\w^!/\\{]|\.\d")


def answer_part(response: str) -> str | None:
    """Return the text behind the last `</think>`, or None if a `<think>` is still open."""
    closed = response.rfind(_THINK_CLOSE)
    tail = response if closed < 0 else response[closed + len(_THINK_CLOSE) :]
    return None if _THINK_OPEN in tail else tail


def has_box(text: str) -> bool:
    """Return whether the text opens a box at all, complete or not."""
    return _BOX in text


def last_box(text: str) -> str | None:
    r"""Return the content of the last complete `\boxed{...}`, or None if no box is complete.

    "Last" is by opening position, so the inner one of two nested boxes decides.
    """
    last = text.rfind(_BOX)
    box = _last_complete(text, last, last) if last >= 0 else None
    return _last_complete(text, text.find(_BOX), last) if box is None and last >= 0 else box


def _last_complete(text: str, start: int, last: int) -> str | None:
    best: tuple[int, int] | None = None
    # The index at which a box's content starts, or -1 for a plain brace.
    stack: list[int] = []
    for match in _BRACES.finditer(text, start):
        mark = match.group()
        if mark == "}":
            opened = stack.pop() if stack else -1
            if opened >= 0 and (best is None or opened > best[0]):
                best = (opened, match.start())
            if opened > last:
                # The box that opens last is complete.
                break
        elif mark == "{":
            stack.append(-1)
        elif mark.startswith(_BOX):
            stack.append(match.end())
    return None if best is None else text[best[0] : best[1]]


def last_number(text: str) -> str | None:
    r"""Return the last number of a response without a box, as written, or None.

    Searches only the last line that holds a digit. The number must stand alone: the exponent of
    `2^10`, the argument of `\sqrt{2}` and the coefficient of `2x` are operands, and a line whose
    last digits belong to an operand has no final number.
    """
    last_digit = max(text.rfind(digit) for digit in "0123456789")
    if last_digit < 0:
        return None
    start = max(text.rfind("\n", 0, last_digit) + 1, last_digit - _WINDOW_CHARS)
    line = text[start : last_digit + 1 + _WINDOW_CHARS].split("\n", 1)[0]
    matches = deque(_PROSE_NUMBER.finditer(line), maxlen=1)
    if not matches:
        return None
    number = matches[0]
    if number.end() <= last_digit - start or _GLUED.match(line, number.end()):
        return None
    return number.group().replace("\u2212", "-")
