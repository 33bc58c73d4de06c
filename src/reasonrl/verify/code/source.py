"""Find the program in the graded part of a response: its last fenced Python block.

Scans the text in linear time and compiles nothing. A block marked as Python is preferred to a block
without a mark, which often shows output; blocks in other languages are skipped. A fence inside a
text in triple quotes belongs to the program, if that text ends before a fence that closes the
block. Called by `verdict`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# `python`, `py3`, `Python 3.11`, `{.python}`, `ipython3`, `python:main.py`, but not `pycon`.
_PYTHON = re.compile(r"[{.]*(?:i?python|py|pypy)(?:[ \t]?[0-9][0-9.]*)?(?![\w+#.-])", re.IGNORECASE)
_LABEL = re.compile(r"[\w+#-]+")
# A block in Markdown holds fences of its own: its opening fence is read as if it were not there.
_WRAPPERS = frozenset({"markdown", "md"})
_LANGUAGES = (
    " bash c c++ c# console cpp cs csharp css csv diff go haskell html java javascript js json "
    "julia kotlin latex lua makefile markdown math md output pascal perl php plain plaintext "
    "powershell pseudocode pycon r ruby rust sage scala sh shell sql swift tex text toml ts txt "
    "typescript xml yaml yml zsh "
)
# What begins a text, a comment, or marks behind the last line of a program.
_TOKEN = re.compile(
    r"""'''|\"\"\"|\#|`{3,}|~{3,}$|"(?:[^"\\]|\\.)*(?:"|$)|'(?:[^'\\]|\\.)*(?:'|$)"""
)
_TEXT_END = {quote: re.compile(rf"\\.|{quote}", re.DOTALL) for quote in ("'''", '"""')}
_MOST_INDENT = 3
"""Blanks by which a closing fence may be indented more than its opening fence."""
_MOST_RESCANS = 20
"""Blocks with a text that never ends, after which texts are no longer looked for: each such block
is read to the end of the response."""


@dataclass(frozen=True, slots=True)
class _Fence:
    """A line that begins with three or more marks: its indent, its marks and the words behind."""

    indent: str
    marks: str
    words: str

    @property
    def is_python(self) -> bool:
        return _PYTHON.match(self.words.lstrip(" \t")) is not None

    @property
    def label(self) -> str:
        match = _LABEL.match(self.words.lstrip(" \t{."))
        return match.group().lower() if match else ""

    @property
    def is_labelled(self) -> bool:
        """Whether the name of a language stands behind the marks: such a fence closes nothing."""
        is_glued = self.words[:1] not in ("", " ", "\t")
        return is_glued and (self.is_python or f" {self.label} " in _LANGUAGES)


def last_program(text: str) -> str | None:
    """Return the code of the last complete fenced block of Python, or None."""
    lines = text.removeprefix("\ufeff").split("\n")
    marked = plain = None
    number, n_rescans = 0, 0
    while number < len(lines):
        fence = _fence(lines[number])
        number += 1
        if fence is None or fence.label in _WRAPPERS:
            continue
        if (code := _code_in_line(fence)) is not None:
            marked = code
            continue
        if fence.marks[0] == "`" and "`" in fence.words:
            continue
        is_python, is_plain = fence.is_python, not fence.words.strip()
        block = _Block(fence, is_program=(is_python or is_plain) and n_rescans < _MOST_RESCANS)
        code = block.read(lines, number)
        n_rescans += block.is_rescanned
        number = block.after
        if code is not None and is_python:
            marked = code
        elif code is not None and is_plain:
            plain = code
    program = marked if marked is not None else plain
    return program.removeprefix("\ufeff") if program is not None and program.strip() else None


class _Block:
    """The lines behind an opening fence, up to the fence that closes them.

    `after` is the line at which the search for the next block goes on. Only for a program, texts
    and comments are told from code.
    """

    def __init__(self, fence: _Fence, *, is_program: bool) -> None:
        self._fence = fence
        self._is_program = is_program
        self._quote = ""
        self.is_rescanned = False
        self.after = 0

    def read(self, lines: list[str], start: int) -> str | None:
        """Return the code of the block, or None if no fence closes it."""
        first: int | None = None
        for number in range(start, len(lines)):
            line = lines[number]
            fence = _fence(line)
            if fence is not None and fence.marks.startswith(self._fence.marks):
                if fence.is_labelled and not self._quote:
                    # The block was never closed, and the next one begins.
                    return self._end(lines, start, first, number - 1)
                if not fence.is_labelled:
                    first = number if first is None else first
                    if not self._quote and self._is_near(fence):
                        return self._end(lines, start, number, number)
            if self._is_program and (cut := self._scan(line)) is not None:
                self.after = number + 1
                return self._code([*lines[start:number], line[:cut]])
        self.is_rescanned = bool(self._quote) and first is not None
        return self._end(lines, start, first, len(lines))

    def _end(self, lines: list[str], start: int, end: int | None, last: int) -> str | None:
        """Return the lines up to `end`; `last` is the last line that needs no further look."""
        self.after = last + 1 if end is None else end + 1
        return None if end is None else self._code(lines[start:end])

    def _code(self, lines: list[str]) -> str:
        code = [line.removeprefix(self._fence.indent) for line in lines]
        return "\n".join(code) + "\n"

    def _is_near(self, fence: _Fence) -> bool:
        return len(fence.indent) <= len(self._fence.indent) + _MOST_INDENT

    def _scan(self, line: str) -> int | None:
        """Follow the texts of a line; return the column of marks that end the block in it."""
        column, end = 0, len(line.rstrip(" \t\r.,;:!"))
        while column < len(line):
            if self._quote:
                match = _TEXT_END[self._quote].search(line, column)
                if match is None:
                    return None
                column = match.end()
                if match.group() == self._quote:
                    self._quote = ""
                continue
            if (match := _TOKEN.search(line, column)) is None or match.group() == "#":
                return None
            column = match.end()
            if match.group() in _TEXT_END:
                self._quote = match.group()
            elif match.group().startswith(self._fence.marks) and column >= end:
                return match.start() if line[: match.start()].strip() else None
        return None


def _fence(line: str) -> _Fence | None:
    body = line.rstrip("\r").lstrip(" \t")
    mark = body[:1]
    if not mark or mark not in "`~":
        return None
    words = body.lstrip(mark)
    n_marks = len(body) - len(words)
    if n_marks < 3:
        return None
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    return _Fence(indent, mark * n_marks, words.rstrip(" \t"))


def _code_in_line(fence: _Fence) -> str | None:
    """Return the code of a block that is opened and closed in one line, as ```python x```."""
    body = fence.words.strip(" \t.,;:!")
    match = _PYTHON.match(body)
    if match is None or not body.endswith(fence.marks) or body[match.end()] not in " \t":
        return None
    code = body[match.end() : -len(fence.marks)].strip()
    return None if fence.marks in code or not code else code + "\n"
