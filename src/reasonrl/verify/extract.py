r"""Find the final answer in a response, in linear time.

Scans text; parses and compares nothing. docs/verifiers.md explains the rules: only the text behind
the last `</think>` counts, the last complete `\boxed{...}` decides, and any box, complete or not,
rules out the rest of the text.
"""

from __future__ import annotations

import re

_THINK_OPEN = "<think>"
_THINK_CLOSE = "</think>"
_BOX = "\\boxed"
_BRACES = re.compile(r"\\boxed\s{0,4}\{|\\.|[{}]", re.DOTALL)
# A box of one sign needs no braces: `\boxed5`. Two digits would leave the second outside.
_BARE = re.compile(r"\\boxed\s{0,4}(\d|[A-Za-z](?<=\s.))(?![\w/^]|[.,]\d)", re.ASCII)


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
    if last >= 0 and (bare := _BARE.match(text, last)) is not None:
        return bare[1]
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
