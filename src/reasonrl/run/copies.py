"""A run's own copies, in `RUN/code/`, of the files that decide its numbers."""

from __future__ import annotations

import shutil
from pathlib import Path

from reasonrl.run.layout import CODE


def own_copy(file: Path, run: Path) -> Path:
    """Return the run's copy of a file where it has one, else the file."""
    copy = run / CODE / file.name
    return copy if copy.exists() else file


def keep_copy(file: Path, run: Path) -> None:
    """Copy a file into a run."""
    copy = run / CODE / file.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, copy)
