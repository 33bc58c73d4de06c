"""Read raw sources into chunks of candidates. A row that cannot be read is dropped, never skipped.

One job reads one source. No problem is judged here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reasonrl.curation.recipe import RawSource, source_name
from reasonrl.curation.rows import Candidate, Dropped, Fault, Reason, read_dropped, storable
from reasonrl.curation.sources.adapters import ADAPTERS, Adapter, Parts, Unfit
from reasonrl.curation.store import ChunkReport, StepFolder
from reasonrl.data.files import read_rows
from reasonrl.data.rows import has_half_surrogate
from reasonrl.errors import DataError
from reasonrl.types import Kind

CHUNK_ROWS = 8_192
CODE_ROWS = 128
"""Rows in a chunk of programs: a build resumes at a chunk, and programs take long to run."""
CHUNK_CHARS = 64 << 20
_SHOWN = 2_000  # characters of a broken row that are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadJob:
    """A source to read: its number in the recipe, its files, and the folder of the step read."""

    folder: Path
    number: int
    source: RawSource
    files: tuple[Path, ...]


def read_source(job: ReadJob) -> list[ChunkReport]:
    """Write the chunks of a source that are not finished; return the reports of all its chunks."""
    folder, reports = StepFolder(job.folder), []
    seen: set[str] = set()
    for number, chunk in enumerate(_chunks(_items(job))):
        key = f"{job.number:02d}-{number:05d}"
        kept = [item for item in chunk if isinstance(item, Candidate)]
        notes = Counter[str]()
        for row in kept:
            notes["repeated-ids"] += bool(row.native_id) and row.native_id in seen
            seen.add(row.native_id)
        report = folder.report(key) or folder.finish_chunk(
            key, kept, [item for item in chunk if isinstance(item, Dropped)], +notes
        )
        reports.append(report)
    return reports


def check_read(job: ReadJob, reports: Sequence[ChunkReport]) -> None:
    """Raise DataError with the first reason if rows were read and none of them can be used."""
    folder = StepFolder(job.folder)
    if not reports or any(report.kept for report in reports):
        return
    first = read_dropped(folder.dropped(reports[0].key))[0]
    raise DataError(
        f"no row of {source_name(job.source)} can be used; the first is {first.fault.reason}: "
        f"{first.fault.detail}",
        where=first.candidate.origin,
        remedy="check type, path, columns and subsets of this source",
    )


def _items(job: ReadJob) -> Iterator[Candidate | Dropped]:
    adapter, n_kept = ADAPTERS[job.source.type], 0
    index = 0
    for path in job.files:
        for row, value in read_rows(path):
            item = _item(job.source, adapter, value, index, f"{path.name}:{row}")
            index += 1
            if isinstance(item, Candidate):
                if job.source.limit is not None and n_kept >= job.source.limit:
                    return
                n_kept += 1
            yield item


def _item(
    source: RawSource, adapter: Adapter, value: object, index: int, origin: str
) -> Candidate | Dropped:
    name = source_name(source)
    uid = f"{name}-{index}"
    try:
        if isinstance(value, DataError):
            raise value
        if not isinstance(value, dict):
            raise DataError("a row that is not an object", expected="one object in each row")
        parts = adapter.read(value, source)
        _check_scope(parts, source)
        return _candidate(parts, source, uid, origin)
    except (DataError, Unfit, ValueError, RecursionError) as error:
        reason = error.fault.reason if isinstance(error, Unfit) else Reason.BROKEN
        fault = Fault(reason=reason, detail=storable(str(error)[:300]))
        return Dropped(candidate=_remains(value, name, uid, origin), fault=fault)


def _candidate(parts: Parts, source: RawSource, uid: str, origin: str) -> Candidate:
    texts = (parts.problem, parts.answer, parts.solution, parts.part, parts.native_id)
    if any(map(has_half_surrogate, texts)):
        raise DataError("half a surrogate pair", expected="Unicode text")
    return Candidate(
        uid=uid,
        source=_label(parts, source),
        kind=parts.kind.value,
        problem=parts.problem.strip(),
        answer=parts.answer.strip(),
        solution=parts.solution,
        native_id=parts.native_id,
        origin=origin,
        difficulty=parts.difficulty,
    )


def _label(parts: Parts, source: RawSource) -> str:
    """Return the data_source of a row, as in the release: taco-hard, numinamath1.5_olympiads."""
    part = re.sub(r"[^\w.+/-]", "_", parts.part)[:100]  # cards and files use this name
    if source.type == "or1":
        return part
    if not parts.part or source.type == "file":
        return source_name(source)
    return f"{source_name(source)}{'_' if source.type == 'numina' else '-'}{part}"


def _check_scope(parts: Parts, source: RawSource) -> None:
    if source.subsets and parts.part not in source.subsets:
        raise Unfit(Reason.OUT_OF_SCOPE, f"part {parts.part or 'without a name'}")


def _remains(value: object, name: str, uid: str, origin: str) -> Candidate:
    """Return a candidate with the readable text of a row that could not be read."""
    text = _shown(value) if not isinstance(value, DataError) else ""
    shown = storable(text[:_SHOWN])
    kind = Kind.MATH.value
    return Candidate(uid=uid, source=name, kind=kind, problem=shown, answer="", origin=origin)


def _shown(value: object) -> str:
    """Return a row as JSON, with numbers as they were written."""
    try:
        return json.dumps(
            value, ensure_ascii=False, default=lambda number: getattr(number, "text", "?")
        )
    except (TypeError, ValueError, RecursionError):
        return str(value)


def _chunks(items: Iterator[Candidate | Dropped]) -> Iterator[list[Candidate | Dropped]]:
    chunk: list[Candidate | Dropped] = []
    room = CHUNK_CHARS
    for item in items:
        chunk.append(item)
        row = item if isinstance(item, Candidate) else item.candidate
        room -= len(row.problem) + len(row.answer) + len(row.solution)
        if room <= 0 or len(chunk) >= (CODE_ROWS if row.is_code else CHUNK_ROWS):
            yield chunk
            chunk, room = [], CHUNK_CHARS
    if chunk:
        yield chunk
