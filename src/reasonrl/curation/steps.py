"""The work of each step on one chunk: functions for a worker process, a job in, a report out.

`build` decides which steps run, with which settings, and in which order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from reasonrl.curation.answers import check_answers
from reasonrl.curation.clean import find_fault
from reasonrl.curation.likeness import fingerprints
from reasonrl.curation.likeness.decontaminate import ProtectedIndex, contamination
from reasonrl.curation.ratings import quality
from reasonrl.curation.ratings.difficulty import (
    SLICE,
    Attempts,
    Meter,
    Tally,
    fault_of,
    measure,
    rollouts,
    with_difficulty,
)
from reasonrl.curation.ratings.votes import Judges
from reasonrl.curation.recipe import (
    CleanConfig,
    DecontaminateConfig,
    DifficultyConfig,
    QualityConfig,
)
from reasonrl.curation.rows import Candidate, Dropped, Fault, read_kept
from reasonrl.curation.store import ChunkReport, StepFolder
from reasonrl.reward.ledger import Ledger

MIN_STATEMENT = 100
"""Characters. A text this long before a block of code is taken for the whole statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A chunk to make: its key, the folder of its step, and the folder of the step before."""

    folder: Path
    key: str
    source: Path

    def rows(self) -> list[Candidate]:
        """Return the rows that the step before kept."""
        return StepFolder(self.source).rows(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanJob:
    """A chunk with the settings for judging its texts and answers."""

    chunk: Chunk
    config: CleanConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedJob:
    """A chunk with the paths of its fingerprints and of the protected problems."""

    chunk: Chunk
    fingerprints: Path
    protected: Path
    config: DecontaminateConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultsJob:
    """A chunk with the faults, by row index, that a comparison of all chunks found."""

    chunk: Chunk
    faults: Mapping[int, Fault]


def clean_chunk(job: CleanJob) -> ChunkReport:
    """Drop rows whose text alone shows a fault."""
    rows = job.chunk.rows()
    return _split(job.chunk, rows, [find_fault(row, job.config) for row in rows])


def answers_chunk(job: CleanJob) -> ChunkReport:
    """Drop rows whose answer their own solution contradicts."""
    rows = job.chunk.rows()
    checked = check_answers(rows, job.config)
    return _split(job.chunk, rows, checked.faults, notes={"compared": checked.compared})


def fingerprint_chunk(chunk: Chunk) -> Path:
    """Write the fingerprints of a chunk if they are missing, and return their path."""
    path = fingerprint_path(chunk.folder, chunk.key)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fingerprints.fingerprint(statement(row.problem) for row in chunk.rows()).save(path)
    return path


def fingerprint_path(folder: Path, key: str) -> Path:
    """Return the path of a chunk's fingerprints."""
    return folder / "fingerprints" / f"{key}.npz"


def faults_chunk(job: FaultsJob) -> ChunkReport:
    """Drop the rows that a comparison of all chunks found faulty."""
    rows = job.chunk.rows()
    return _split(job.chunk, rows, [job.faults.get(index) for index in range(len(rows))])


def decontaminate_chunk(job: ProtectedJob) -> ChunkReport:
    """Drop rows that are too similar to a protected problem."""
    rows = job.chunk.rows()
    index, protected = _protected(job.protected, job.config)
    faults: list[Fault | None] = [None] * len(rows)
    for hit in index.hits(fingerprints.load(job.fingerprints), [row.answer for row in rows]):
        faults[hit.row] = contamination(hit, protected)
    return _split(job.chunk, rows, faults)


def difficulty_chunk(
    chunk: Chunk,
    config: DifficultyConfig,
    meter: Meter,
    attempts: Ledger[Attempts],
    workplace: Path,
    count: Callable[[int], None],
) -> ChunkReport:
    """Measure a chunk slice by slice, and drop rows that are too easy or too hard."""
    rows = chunk.rows()
    tallies: list[Tally] = []
    for start in range(0, len(rows), SLICE):
        part = rows[start : start + SLICE]
        samples = workplace / f"{chunk.key}-{start:05d}"
        tallies += measure(part, config, meter, attempts, samples)
        count(len(part))
    measured = [
        with_difficulty(row, tally, config) for row, tally in zip(rows, tallies, strict=True)
    ]
    faults = [
        fault_of(tally, rollouts(row, config), config)
        for row, tally in zip(rows, tallies, strict=True)
    ]
    notes = {"samples": sum(tally.judged + tally.failed for tally in tallies)}
    return _split(chunk, measured, faults, notes=notes)


def quality_chunk(
    chunk: Chunk,
    config: QualityConfig,
    judges: Judges,
    directory: Path,
    count: Callable[[int], None],
) -> ChunkReport:
    """Have the problems of mathematics judged, and drop those with too few "valid" votes."""
    rows = chunk.rows()
    judged = [row for row in rows if not row.is_code]
    count(len(rows) - len(judged))
    with quality.open_ballot(directory / f"{chunk.key}.jsonl") as ballot:
        judges.vote(judged, ballot, count)
        votes = quality.votes_on(rows, ballot.entries.values())
    faults = [
        None if row.is_code else quality.fault_of(row_votes, config)
        for row, row_votes in zip(rows, votes, strict=True)
    ]
    cast = [vote for row_votes in votes for vote in row_votes]
    notes = {"votes": len(cast), "missing-votes": sum(vote.valid is None for vote in cast)}
    return _split(chunk, rows, faults, notes=notes)


def statement(problem: str) -> str:
    """Return the text that tells problems apart: without the code that an answer starts from."""
    before = problem.partition("```")[0]
    return before if len(before) >= MIN_STATEMENT else problem


@lru_cache(maxsize=1)  # all chunks of a process use the same index
def _protected(
    path: Path, config: DecontaminateConfig
) -> tuple[ProtectedIndex, Sequence[Candidate]]:
    rows = read_kept(path)
    protected = fingerprints.fingerprint(statement(row.problem) for row in rows)
    return ProtectedIndex(protected, [row.answer for row in rows], config), rows


def _split(
    chunk: Chunk,
    rows: Sequence[Candidate],
    faults: Sequence[Fault | None],
    notes: Mapping[str, int] | None = None,
) -> ChunkReport:
    kept = [row for row, fault in zip(rows, faults, strict=True) if fault is None]
    dropped = [
        Dropped(candidate=row, fault=fault)
        for row, fault in zip(rows, faults, strict=True)
        if fault is not None
    ]
    return StepFolder(chunk.folder).finish_chunk(chunk.key, kept, dropped, notes)
