"""Look into a build: one problem's fate, or dropped rows beside what they are like.

Reads only. Called by `cli_data` and the card.
"""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from reasonrl.curation.rows import Candidate, Dropped, Reason, read_column, read_dropped, read_kept
from reasonrl.curation.store import STEPS, StepCounts, StepFolder, StepReport, finished_steps
from reasonrl.errors import ConfigError

_PROTECTED = "protected-*.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Hold a dropped row, the step that dropped it, and the problem that it is like, if any."""

    step: str
    row: Dropped
    other: Candidate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """Hold a problem, what became of it, and the rows that were dropped for its sake."""

    candidate: Candidate
    end: Seen | None
    cluster: tuple[Seen, ...]


def dropped_rows(
    directory: Path,
    *,
    step: str | None = None,
    reason: str | None = None,
    source: str | None = None,
    limit: int | None = None,
) -> list[Seen]:
    """Return dropped rows in order; raise ConfigError for a step or reason that does not exist."""
    steps = _steps(directory)
    _check(step, [report.counts.name for _, report in steps], "--step")
    _check(reason, [one.value for one in Reason], "--reason")
    counts = steps[0][1].counts
    _check(source, sorted({*counts.kept, *counts.dropped}), "--source")
    wanted = (
        (report.counts.name, row)
        for folder, report in steps
        if step in (None, report.counts.name)
        for row in _dropped(folder, report.chunks)
        if reason in (None, row.fault.reason.value) and source in (None, row.candidate.source)
    )
    return _beside(directory, list(islice(wanted, limit)))


def _beside(directory: Path, found: Sequence[tuple[str, Dropped]]) -> list[Seen]:
    texts = texts_of(directory, {row.fault.other for _, row in found})
    return [Seen(step=name, row=row, other=texts.get(row.fault.other)) for name, row in found]


def fate_of(directory: Path, uid: str) -> Fate:
    """Return what became of a problem; raise ConfigError when no row has this id."""
    found = [
        (report.counts.name, row)
        for folder, report in _steps(directory)
        for row in _dropped(folder, report.chunks)
        if uid in (row.candidate.uid, row.fault.other)
    ]
    folder, report = _steps(directory)[-1]
    last = (row for key in report.chunks for row in _rows_with(folder.kept(key), {uid}))
    candidate = next(last, None) or texts_of(directory, {uid}).get(uid)
    seen = _beside(directory, found)
    end = next((one for one in seen if one.row.candidate.uid == uid), None)
    candidate = candidate or (end.row.candidate if end else None)
    if candidate is None:
        raise ConfigError(
            f"no problem {uid!r}",
            where=str(directory),
            expected="an id as in the column uid, e.g. train-math-aime-7",
        )
    cluster = tuple(one for one in seen if one.row.fault.other == uid)
    return Fate(candidate=candidate, end=end, cluster=cluster)


def finished_counts(directory: Path) -> list[StepCounts]:
    """Return the counts of a build's finished steps; raise ConfigError when there are none."""
    return [report.counts for _, report in _steps(directory)]


def examples(directory: Path, reasons: Sequence[str], n: int) -> dict[str, list[Seen]]:
    """Return the first n rows dropped for each of some reasons, in the order of reasons."""
    found: dict[str, list[tuple[str, Dropped]]] = {reason: [] for reason in reasons}
    for folder, report in _steps(directory):
        for row in _dropped(folder, report.chunks):
            some = found.get(row.fault.reason.value)
            if some is not None and len(some) < n:
                some.append((report.counts.name, row))
    flat = iter(_beside(directory, [row for some in found.values() for row in some]))
    return {reason: list(islice(flat, len(some))) for reason, some in found.items() if some}


def last_rows(directory: Path) -> list[Candidate]:
    """Return the rows that the last finished step kept."""
    folder, report = _steps(directory)[-1]
    return [row for key in report.chunks for row in folder.rows(key)]


def last_uids(directory: Path) -> set[str]:
    """Return the ids of the rows that the last finished step kept."""
    folder, report = _steps(directory)[-1]
    return {uid for key in report.chunks for uid in read_column(folder.kept(key), "uid")}


def failures(directory: Path) -> dict[str, Counter[int]]:
    """Return how many problems have how many failures of 16, by model, empty if none was measured.

    Those that a step dropped for it are counted too.
    """
    steps = _steps(directory)
    folder, report = next((one for one in steps if one[1].counts.name == "difficulty"), steps[-1])
    found: dict[str, Counter[int]] = {}
    for path in (place(key) for key in report.chunks for place in (folder.kept, folder.dropped)):
        for text in filter(None, read_column(path, "difficulty")):
            for model, count in json.loads(text).items():
                found.setdefault(model, Counter())[count] += 1
    return found


def texts_of(directory: Path, uids: set[str]) -> dict[str, Candidate]:
    """Return problems by id, as they were read, or as they are protected."""
    wanted = uids - {""}
    if not wanted:
        return {}
    files = sorted(directory.glob(f"{STEPS}/1-read/kept/*.parquet"))
    files += sorted(directory.glob(f"{STEPS}/*-decontaminate/{_PROTECTED}"))
    return {row.uid: row for path in files for row in _rows_with(path, wanted)}


def _rows_with(path: Path, uids: set[str]) -> list[Candidate]:
    if not set(read_column(path, "uid")) & uids:
        return []
    return [row for row in read_kept(path) if row.uid in uids]


def _dropped(folder: StepFolder, keys: Sequence[str]) -> Iterator[Dropped]:
    for key in keys:
        yield from read_dropped(folder.dropped(key))


def _steps(directory: Path) -> list[tuple[StepFolder, StepReport]]:
    steps = finished_steps(directory)
    if not steps:
        raise ConfigError(
            "no finished step here",
            where=str(directory),
            expected="the directory of a build",
            remedy="reasonrl data build RECIPE.toml makes one, below datasets",
        )
    return steps


def _check(name: str | None, known: Sequence[str], option: str) -> None:
    if name is not None and name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        raise ConfigError(
            f"{option} {name}",
            expected="one of " + ", ".join(known),
            remedy=f"did you mean {near[0]}?" if near else "",
        )
