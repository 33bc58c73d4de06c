"""Questions about a build: the fate of a problem, or dropped rows beside the similar problem.

Reads only. Called by `cli/data.py` and the data card.
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
    """A dropped row, the step that dropped it, and the problem that it is similar to, if any."""

    step: str
    row: Dropped
    other: Candidate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """A problem, the step that dropped it (None if kept), and the rows too similar to it."""

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
    """Return dropped rows in order; raise ConfigError for an unknown step, reason or source."""
    steps = _steps(directory)
    _check(step, [report.counts.name for _, report in steps], "--step")
    _check(reason, [known.value for known in Reason], "--reason")
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


def _beside(directory: Path, dropped: Sequence[tuple[str, Dropped]]) -> list[Seen]:
    """Return dropped rows, given with the names of their steps, beside the similar problems."""
    texts = texts_of(directory, {row.fault.other for _, row in dropped})
    return [Seen(step=name, row=row, other=texts.get(row.fault.other)) for name, row in dropped]


def fate_of(directory: Path, uid: str) -> Fate:
    """Return the fate of a problem; raise ConfigError when no row has this id."""
    dropped = [
        (report.counts.name, row)
        for folder, report in _steps(directory)
        for row in _dropped(folder, report.chunks)
        if uid in (row.candidate.uid, row.fault.other)
    ]
    folder, report = _steps(directory)[-1]
    kept = (row for key in report.chunks for row in _rows_with(folder.kept(key), {uid}))
    candidate = next(kept, None) or texts_of(directory, {uid}).get(uid)
    seen = _beside(directory, dropped)
    end = next((drop for drop in seen if drop.row.candidate.uid == uid), None)
    candidate = candidate or (end.row.candidate if end else None)
    if candidate is None:
        raise ConfigError(
            f"no problem {uid!r}",
            where=str(directory),
            expected="an id as in the column uid, e.g. train-math-aime-7",
            remedy=f"reasonrl data show {directory} --step STEP lists the ids of dropped rows",
        )
    cluster = tuple(drop for drop in seen if drop.row.fault.other == uid)
    return Fate(candidate=candidate, end=end, cluster=cluster)


def finished_counts(directory: Path) -> list[StepCounts]:
    """Return the counts of a build's finished steps; raise ConfigError when there are none."""
    return [report.counts for _, report in _steps(directory)]


def examples(directory: Path, reasons: Sequence[str], n: int) -> dict[str, list[Seen]]:
    """Return the first n rows dropped for each of the given reasons, in the order of reasons."""
    by_reason: dict[str, list[tuple[str, Dropped]]] = {reason: [] for reason in reasons}
    for folder, report in _steps(directory):
        for row in _dropped(folder, report.chunks):
            rows = by_reason.get(row.fault.reason.value)
            if rows is not None and len(rows) < n:
                rows.append((report.counts.name, row))
    seen = iter(_beside(directory, [row for rows in by_reason.values() for row in rows]))
    return {reason: list(islice(seen, len(rows))) for reason, rows in by_reason.items() if rows}


def last_rows(directory: Path) -> list[Candidate]:
    """Return the rows that the last finished step kept."""
    folder, report = _steps(directory)[-1]
    return [row for key in report.chunks for row in folder.rows(key)]


def last_uids(directory: Path) -> set[str]:
    """Return the ids of the rows that the last finished step kept."""
    folder, report = _steps(directory)[-1]
    return {uid for key in report.chunks for uid in read_column(folder.kept(key), "uid")}


def failures(directory: Path) -> dict[str, Counter[int]]:
    """Return for each model the number of problems by failures of 16, empty if none was measured.

    Problems that the step difficulty dropped are counted too.
    """
    steps = _steps(directory)
    folder, report = next(
        (step for step in steps if step[1].counts.name == "difficulty"), steps[-1]
    )
    problems: dict[str, Counter[int]] = {}
    for key in report.chunks:
        for path in (folder.kept(key), folder.dropped(key)):
            for text in filter(None, read_column(path, "difficulty")):
                for model, count in json.loads(text).items():
                    problems.setdefault(model, Counter())[count] += 1
    return problems


def texts_of(directory: Path, uids: set[str]) -> dict[str, Candidate]:
    """Return problems by id: as they were read from a source, or from a protected file."""
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
            "no finished step of a build",
            where=str(directory),
            expected="the directory of a build",
            remedy="make one with reasonrl data build RECIPE.toml, which writes below datasets",
        )
    return steps


def _check(name: str | None, known: Sequence[str], option: str) -> None:
    if name is not None and name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        raise ConfigError(
            f"{option} {name} is unknown in this build",
            expected="one of " + ", ".join(known),
            remedy=f"did you mean {near[0]}?" if near else "",
        )
