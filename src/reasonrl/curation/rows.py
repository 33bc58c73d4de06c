"""A candidate for the training set, and the record of a dropped candidate.

A candidate is a problem before publication: with its solution, which the training set does not
have, and its origin. No row is ever lost: each step keeps or drops every row that it gets, and a
dropped row has its reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from reasonrl.errors import CheckpointError
from reasonrl.types import Kind


class Reason(StrEnum):
    """Why a row was dropped; docs/curation.md lists the reasons by step."""

    BROKEN = "broken"
    """The row cannot be read, or is not a row of its source."""
    OUT_OF_SCOPE = "out-of-scope"
    """The row can be read, but the recipe does not ask for this part of the source."""
    EMPTY = "empty"
    TOO_LONG = "too-long"
    PROOF = "proof"
    MULTIPLE_CHOICE = "multiple-choice"
    SEVERAL_PARTS = "several-parts"
    LINK = "link"
    FIGURE = "figure"
    TRANSLATION = "translation"
    UNREADABLE_ANSWER = "unreadable-answer"
    ANSWER_IN_WORDS = "answer-in-words"
    NO_TESTS = "no-tests"
    NO_SOLUTION = "no-solution"
    """The recipe requires a solution."""
    SOLUTION_DISAGREES = "solution-disagrees"
    REFERENCE_FAILS = "reference-fails"
    DUPLICATE = "duplicate"
    RENUMBERED = "renumbered"
    NEAR_DUPLICATE = "near-duplicate"
    SAME_MEANING = "same-meaning"
    ANSWERS_CONFLICT = "answers-conflict"
    CONTAMINATED = "contaminated"
    TOO_EASY = "too-easy"
    TOO_HARD = "too-hard"
    NOT_JUDGED = "not-judged"
    """The verifier failed on its answers, or too few judges voted."""
    LOW_QUALITY = "low-quality"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A problem before publication.

    `uid` is unique: the name of the source and the row's index in it. `answer` has the form of
    `Problem.answer`. `solution` is a text for mathematics and a JSON list of programs for code.
    `difficulty` is a JSON object that maps a model's name to its failures of 16 attempts;
    `rollouts` maps the name to [right, judged] answers.
    """

    uid: str
    source: str
    kind: str
    problem: str
    answer: str
    solution: str = ""
    native_id: str = ""
    origin: str = ""
    difficulty: str = ""
    rollouts: str = ""

    @property
    def is_code(self) -> bool:
        return self.kind == Kind.CODE


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a candidate; `other` is the uid of the problem that it is similar to."""

    reason: Reason
    detail: str = ""
    other: str = ""
    similarity: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A candidate with its fault; for a broken row, `problem` is the part that could be read."""

    candidate: Candidate
    fault: Fault


_TEXT_FIELDS = [field.name for field in fields(Candidate)]
KEPT_SCHEMA = pa.schema([(name, pa.string()) for name in _TEXT_FIELDS])
DROPPED_SCHEMA = pa.schema(
    [
        *KEPT_SCHEMA,
        *((name, pa.string()) for name in ("reason", "detail", "other")),
        ("similarity", pa.float64()),
    ]
)

Item = TypeVar("Item", Candidate, Dropped)


def write_kept(path: Path, candidates: Sequence[Candidate]) -> None:
    """Write candidates as Parquet, all or nothing."""
    columns = {name: [getattr(row, name) for row in candidates] for name in _TEXT_FIELDS}
    _write(path, columns, KEPT_SCHEMA)


def write_dropped(path: Path, dropped: Sequence[Dropped]) -> None:
    """Write dropped rows as Parquet, all or nothing."""
    columns: dict[str, list[Any]] = {
        name: [getattr(row.candidate, name) for row in dropped] for name in _TEXT_FIELDS
    }
    for name in ("reason", "detail", "other", "similarity"):
        columns[name] = [getattr(row.fault, name) for row in dropped]
    _write(path, columns, DROPPED_SCHEMA)


def read_kept(path: Path) -> list[Candidate]:
    """Return the candidates in a file; raise CheckpointError if it is damaged."""
    columns = _read(path, KEPT_SCHEMA).to_pydict()
    ordered = (columns[name] for name in _TEXT_FIELDS)
    return [
        Candidate(**dict(zip(_TEXT_FIELDS, values, strict=True)))
        for values in zip(*ordered, strict=True)
    ]


def read_dropped(path: Path) -> list[Dropped]:
    """Return the dropped rows in a file; raise CheckpointError if it is damaged."""
    return [_dropped(row) for row in _read(path, DROPPED_SCHEMA).to_pylist()]


def read_column(path: Path, name: str) -> list[str]:
    """Return one field of all candidates in a file, kept or dropped; read no other column."""
    values: list[str] = _read(path, KEPT_SCHEMA, [name])[name].to_pylist()
    return values


def _read(path: Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> pa.Table:
    try:
        return pq.read_table(path, schema=schema, columns=columns)
    except (OSError, pa.ArrowException) as error:
        what = str(error).partition("\n")[0]
        raise CheckpointError(
            f"cannot be read: {what}",
            where=str(path),
            remedy=f"delete {path.parents[1]} to make this step again",
        ) from error


def _dropped(row: Mapping[str, Any]) -> Dropped:
    fault = Fault(
        reason=Reason(row["reason"]),
        detail=row["detail"],
        other=row["other"],
        similarity=row["similarity"],
    )
    return Dropped(candidate=Candidate(**{name: row[name] for name in _TEXT_FIELDS}), fault=fault)


def digest(rows: Iterable[Item]) -> str:
    """Return a hash of rows that depends on their values and not on how Parquet stores them."""
    hasher = blake2b(digest_size=16)
    for row in rows:
        for value in _values(row):
            data = value.encode()
            hasher.update(b"%d:%b" % (len(data), data))
    return hasher.hexdigest()


def hash_of(value: object) -> str:
    """Return a hash of a value that JSON can hold; other values count by their text."""
    return sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:32]


def content_of(row: Candidate) -> str:
    """Return a hash of problem and answer, which identifies a problem even when ids change."""
    return hash_of([row.problem, row.answer])


def storable(text: str) -> str:
    """Return a text with escapes in place of characters that UTF-8 cannot encode."""
    return text.encode("utf-8", "backslashreplace").decode()


def _values(row: Candidate | Dropped) -> list[str]:
    if isinstance(row, Candidate):
        return [getattr(row, name) for name in _TEXT_FIELDS]
    return [*_values(row.candidate), *map(str, asdict(row.fault).values())]


def _write(path: Path, columns: Mapping[str, list[Any]], schema: pa.Schema) -> None:
    scratch = path.with_name(f".{path.name}.writing")
    pq.write_table(pa.table(columns, schema=schema), scratch, compression="zstd")
    scratch.replace(path)
