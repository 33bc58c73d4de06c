"""Find the program in a response: the last fenced Python block of what follows the last thought.

Only text is looked at, in linear time; nothing is compiled. Called by `verdict`. A block marked as
Python is preferred to one without a mark, which as often shows output; other languages are skipped.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<marks>`{3,}|~{3,})[ \t]*(?P<words>[^`\n]*)$")
_PYTHON = frozenset({"python", "py", "python3"})


def last_program(text: str) -> str | None:
    """Return the code of the last complete fenced block that is Python's, or None."""
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
    found = marked if marked is not None else plain
    return found if found is not None and found.strip() else None
