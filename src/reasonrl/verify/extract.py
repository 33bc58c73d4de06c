r"""Find the final answer in a response, in linear time.

Scans text; parses and compares nothing. docs/verifiers.md explains the rules: only the text behind
the last `</think>` counts, the last complete `\boxed{...}` decides, and any box, complete or not,
rules out the rest of the text.
"""

from __future__ import annotations

import re

THINK_OPEN = "<think>"
THINK_CLOSE = "</think>"
_BOX = "\\boxed"
_BRACES = re.compile(r"\\boxed\s{0,4}\{|\\.|[{}]", re.DOTALL)
# A box of one sign needs no braces: `\boxed5`. Two digits would leave the second outside.
_BARE = re.compile(r"\\boxed\s{0,4}(\d|[A-Za-z](?<=\s.))(?![\w/^]|[.,]\d)", re.ASCII)
_JOINT_CHARS = 60
_OUTERMOST = 8
_BETWEEN = r"[\s$\\()\[\].;&~]|\\q?quad"
# What may stand between two boxes of one answer: a comma or a word, perhaps a name and a sign.
_JOINT = re.compile(
    rf"(?:{_BETWEEN}){{0,12}}(?:,(?:{_BETWEEN}){{0,8}})?(?:\\text\s?\{{\s?)?(?P<word>or|and|,)?\s?\}}?"
    rf"(?:{_BETWEEN}){{0,8}}(?:[A-Za-z](?:_\{{?\w{{1,3}}\}}?)?\s?=\s?)?\$?\\boxed"
)
_CONTINUES = re.compile(r"\}.*?(?:,|(?<![a-z])(?:or|and)(?![a-z]))[^,]{0,24}$", re.DOTALL)


def answer_part(response: str, *, opens_thought: bool = False) -> str | None:
    """Return the text behind the last `</think>`, or None if a `<think>` is still open.

    `opens_thought` says that the prompt has opened one.
    """
    closed = response.rfind(THINK_CLOSE)
    if opens_thought and closed < 0:
        return None
    tail = response if closed < 0 else response[closed + len(THINK_CLOSE) :]
    return None if THINK_OPEN in tail else tail


def final_answer(text: str) -> str | None:
    r"""Return the content of the last complete box, joined with the boxes that it continues.

    `\boxed{3} or \boxed{5}` is one answer of two values. Only a comma or a word such as "or", and
    perhaps a name before the box, may stand between two boxes that belong together.
    """
    last = last_box(text)
    start = text.rfind(_BOX)
    if last is None or text.find(_BOX) == start:
        return last
    if _CONTINUES.search(text, max(0, start - _JOINT_CHARS), start) is None:
        return last
    boxes = _top_boxes(text)
    if not boxes or boxes[-1][2] != last:
        # A box within a box decides alone.
        return last
    answers = [boxes[-1][2]]
    for (_, end, content), (following, _, _) in zip(boxes[-2::-1], boxes[:0:-1], strict=True):
        joint = text[end : following + len(_BOX)]
        if len(joint) > _JOINT_CHARS or (match := _JOINT.fullmatch(joint)) is None:
            break
        answers += [match["word"] or ",", content]
    answers.reverse()
    if len(set(answers[::2])) == 1:
        return last
    return "".join(
        f" \\text{{ {part} }} " if part.isalpha() and n % 2 else part
        for n, part in enumerate(answers)
    )


def _top_boxes(text: str) -> list[tuple[int, int, str]]:
    """Return start, end and content of each complete box that lies in no other box."""
    boxes: list[tuple[int, int, str]] = []
    # For each open brace: where its box starts and where the content starts, or -1.
    stack: list[tuple[int, int]] = []
    for match in _BRACES.finditer(text):
        mark = match.group()
        if mark == "}":
            start, content = stack.pop() if stack else (-1, -1)
            if start >= 0 and not any(outer >= 0 for outer, _ in stack[-_OUTERMOST:]):
                boxes.append((start, match.end(), text[content : match.start()]))
        elif mark == "{":
            stack.append((-1, -1))
        elif mark.startswith(_BOX):
            stack.append((match.start(), match.end()))
    return boxes


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
