"""The steps of a build on disk: each a folder of chunks, finished one by one.

A chunk holds its kept rows, its dropped rows, and a report that is written last: without the report
the chunk is made again. A step whose settings or input changed is made again as a whole. So a build
that is killed at any instant continues when it is rerun, and ends with the same files.

    steps/2-clean/begun.json            the identity: a hash of settings and input
    steps/2-clean/kept/00-00001.parquet
    steps/2-clean/dropped/00-00001.parquet
    steps/2-clean/reports/00-00001.json
    steps/2-clean/done.json             the counts over all chunks
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from reasonrl.atomic import read_record, write_atomic
from reasonrl.curation.rows import (
    Candidate,
    Dropped,
    digest,
    hash_of,
    read_kept,
    write_dropped,
    write_kept,
)
from reasonrl.errors import CheckpointError

STEPS = "steps"

Report = TypeVar("Report", "ChunkReport", "StepReport")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkReport:
    """The counts of one chunk: kept rows by source, dropped rows by source and reason.

    `digest` is over the kept rows. `notes` count events that drop no row.
    """

    key: str
    digest: str
    kept: dict[str, int]
    dropped: dict[str, dict[str, int]]
    notes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCounts:
    """The counts of a whole step: kept rows by source, dropped rows by source and reason.

    `digest` is over the digests of the chunks, in order.
    """

    name: str
    digest: str
    kept: dict[str, int]
    dropped: dict[str, dict[str, int]]
    notes: dict[str, int]

    @property
    def n_kept(self) -> int:
        return sum(self.kept.values())

    @property
    def n_dropped(self) -> int:
        return sum(sum(reasons.values()) for reasons in self.dropped.values())

    def why(self) -> str:
        """Return the reasons of the dropped rows with their counts, most frequent first."""
        total = Counter[str]()
        for reasons in self.dropped.values():
            total.update(reasons)
        return ", ".join(f"{count:,} {reason}" for reason, count in total.most_common())

    def noted(self) -> str:
        """Return the notes that are not zero as text, empty if there are none."""
        return "; ".join(f"{count:,} {name}" for name, count in self.notes.items() if count)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """The counts of a finished step, the keys of its chunks in order, and its identity.

    The identity is a hash of the step's name, code version, settings and input.
    """

    identity: str
    chunks: tuple[str, ...]
    counts: StepCounts


class StepFolder:
    """The directory of one step: its chunks, their reports, and the report of the whole step."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def begin(self, identity: str) -> None:
        """Prepare the folder for chunks of this identity; delete chunks of any other identity."""
        begun = self.directory / "begun.json"
        before = _read_json(begun).get("identity") if begun.exists() else None
        if self.directory.exists() and before != identity:
            shutil.rmtree(self.directory)
        for name in ("kept", "dropped", "reports"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        write_atomic(begun, json.dumps({"identity": identity}) + "\n")

    def kept(self, key: str) -> Path:
        return self.directory / "kept" / f"{key}.parquet"

    def dropped(self, key: str) -> Path:
        return self.directory / "dropped" / f"{key}.parquet"

    def rows(self, key: str) -> list[Candidate]:
        """Return the kept rows of a finished chunk; raise CheckpointError if they were changed."""
        rows, report = read_kept(self.kept(key)), self.report(key)
        if report is None or digest(rows) != report.digest:
            raise CheckpointError(
                "was changed after the build wrote it",
                where=str(self.kept(key)),
                remedy=f"delete {self.directory} to make this step again",
            )
        return rows

    def report(self, key: str) -> ChunkReport | None:
        """Return the report of a chunk, None if the chunk is not finished."""
        path = self._report(key)
        return _parse(path, TypeAdapter(ChunkReport)) if path.exists() else None

    def finish_chunk(
        self,
        key: str,
        kept: Sequence[Candidate],
        dropped: Sequence[Dropped],
        notes: Mapping[str, int] | None = None,
    ) -> ChunkReport:
        """Write the rows of a chunk, then its report, and return the report."""
        write_kept(self.kept(key), kept)
        write_dropped(self.dropped(key), dropped)
        by_source: dict[str, Counter[str]] = {}
        for row in dropped:
            by_source.setdefault(row.candidate.source, Counter())[row.fault.reason.value] += 1
        report = ChunkReport(
            key=key,
            digest=digest(kept),
            kept=dict(sorted(Counter(row.source for row in kept).items())),
            dropped={
                source: dict(sorted(by_source[source].items())) for source in sorted(by_source)
            },
            notes=dict(notes or {}),
        )
        write_atomic(self._report(key), json.dumps(asdict(report)) + "\n")
        return report

    def finish(self, name: str, identity: str, reports: Sequence[ChunkReport]) -> StepReport:
        """Write the report of the whole step and return it; `reports` are in order of chunks."""
        keys = tuple(report.key for report in reports)
        whole = StepReport(identity=identity, chunks=keys, counts=_summed(name, reports))
        write_atomic(self._done, json.dumps(asdict(whole)) + "\n")
        return whole

    def done(self) -> StepReport | None:
        """Return the report of the step, None if the step is not finished."""
        return _parse(self._done, TypeAdapter(StepReport)) if self._done.exists() else None

    def done_as(self, identity: str) -> StepReport | None:
        """Return the report of the step, None unless it was finished with this identity and its
        counts equal the sums over its chunks."""
        whole = self.done()
        if whole is None or whole.identity != identity:
            return None
        reports = [report for key in whole.chunks if (report := self.report(key)) is not None]
        return whole if whole.counts == _summed(whole.counts.name, reports) else None

    @property
    def _done(self) -> Path:
        return self.directory / "done.json"

    def _report(self, key: str) -> Path:
        return self.directory / "reports" / f"{key}.json"


def _summed(name: str, reports: Sequence[ChunkReport]) -> StepCounts:
    kept: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    dropped: dict[str, Counter[str]] = {}
    for report in reports:
        kept.update(report.kept)
        notes.update(report.notes)
        for source, reasons in report.dropped.items():
            dropped.setdefault(source, Counter()).update(reasons)
    return StepCounts(
        name=name,
        digest=hash_of([(report.key, report.digest) for report in reports]),
        kept=dict(kept),
        dropped={source: dict(reasons) for source, reasons in dropped.items()},
        notes=dict(notes),
    )


def files_digest(files: Sequence[Path]) -> str:
    """Return a hash of the contents of files, in order."""
    hasher = sha256()
    for path in files:
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                hasher.update(part)
    return hasher.hexdigest()


def finished_steps(directory: Path) -> list[tuple[StepFolder, StepReport]]:
    """Return the finished steps of a build with their reports, in order."""
    folders = [StepFolder(path) for path in sorted((directory / STEPS).glob("*-*"))]
    return [(folder, report) for folder in folders if (report := folder.done()) is not None]


def _parse(path: Path, adapter: TypeAdapter[Report]) -> Report:
    return read_record(
        path,
        adapter,
        expected="a report of a build",
        remedy=f"delete {path.parent} to make this step again",
    )


def _read_json(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
