"""Find the program in the graded part of a response: its last fenced Python block.

Scans the text in linear time and compiles nothing. A block marked as Python is preferred to a block
without a mark, which often shows output; blocks in other languages are skipped. Called by
`verdict`.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<marks>`{3,}|~{3,})[ \t]*(?P<words>[^`\n]*)$")
_PYTHON = frozenset({"python", "py", "python3"})


def last_program(text: str) -> str | None:
    """Return the code of the last complete fenced block of Python, or None."""
    marked = plain = None
    opened: tuple[str, str, str] | None = None  # indent, marks, language
    lines: list[str] = []
    for line in text.split("\n"):
        fence = _FENCE.match(line.rstrip("\r"))
        if opened is None:
            if fence is not None:
                language = (fence["words"].split() or [""])[0].strip("{}.").lower()
                opened, lines = (fence["indent"], fence["marks"], language), []
        elif fence is not None and not fence["words"] and fence["marks"].startswith(opened[1]):
            code = "\n".join(lines) + "\n"
            if opened[2] in _PYTHON:
                marked = code
            elif not opened[2]:
                plain = code
            opened = None
        else:
            lines.append(line.removeprefix(opened[0]))
    program = marked if marked is not None else plain
    return program if program is not None and program.strip() else None
