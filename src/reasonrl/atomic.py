"""Files that survive a crash: one that is replaced is old or new, a journal has whole lines."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomic(path: Path, text: str) -> None:
    """Replace a file's contents; they are on the disk when this returns."""
    scratch = path.with_name(f".{path.name}.writing")
    with scratch.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def whole_lines(path: Path) -> list[bytes]:
    """Return the lines of a journal, none where there is none yet, and cut off a last one that a
    kill left torn: the next line that is appended must stand alone."""
    if not path.exists():
        return []
    raw = path.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    if len(whole) < len(raw):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return whole.splitlines()
