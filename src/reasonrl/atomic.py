"""Files that survive a crash: a replaced file is old or new, a journal consists of whole lines."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomic(path: Path, text: str) -> None:
    """Replace a file's contents; the new contents are on the disk when this returns."""
    scratch = path.with_name(f".{path.name}.writing")
    with scratch.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def whole_lines(path: Path) -> list[bytes]:
    """Return the lines of a journal; a missing file has none.

    A kill can leave an incomplete last line. It is cut off the file, so that the next line does not
    continue it.
    """
    if not path.exists():
        return []
    raw = path.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    if len(whole) < len(raw):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return whole.splitlines()
