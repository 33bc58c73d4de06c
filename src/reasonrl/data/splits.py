"""The split of a data set that a file's name speaks of, and folders that must hold one split only.

A folder of several splits read as a whole would put test problems into a training set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from reasonrl.errors import DataError

_SPLIT = re.compile(r"(?:^|[-._/])(train|test|validation|valid|val|dev)(?=[-._/\d]|$)")


def split_named(name: str) -> str:
    """Return the split that a file's name speaks of, e.g. "train"; empty where it names none."""
    found = _SPLIT.findall(name.lower())
    return str(found[-1]) if found else ""


def of_one_split(files: Iterable[Path], folder: Path, split: str | None) -> list[Path]:
    """Return the files of a folder that belong to one split, in order.

    Without `split` all files must belong together. Raises DataError that lists the splits where
    they do not, or where no file is named like `split`.
    """
    by_split: dict[str, list[Path]] = {}
    for file in files:
        by_split.setdefault(split_named(file.relative_to(folder).as_posix()), []).append(file)
    if split in by_split:
        return by_split[split]
    if len(by_split) == 1 and (split is None or "" in by_split):
        return next(iter(by_split.values()))
    names = [name for name in by_split if name]
    raise DataError(
        f"the folder holds {_listed(by_split, folder)}",
        where=str(folder),
        expected=f"files of the split {split!r}" if split else "the files of one split",
        remedy=f"name one file or one folder as `path`, or set split = {_choice(names)}",
    )


def _choice(names: Sequence[str]) -> str:
    return " or ".join(f'"{name}"' for name in sorted(names))


def _listed(by_split: dict[str, list[Path]], folder: Path) -> str:
    """Return the splits with the first file of each."""
    parts = []
    for name, files in sorted(by_split.items()):
        first = files[0].relative_to(folder).as_posix()
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        parts.append(f"{name or 'no named split'}: {first}{more}")
    return f"several splits ({'; '.join(parts)})" if len(parts) > 1 else "; ".join(parts)
