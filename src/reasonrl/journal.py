"""The samples of an evaluation on disk: a journal while it runs, one Parquet file when it is done.

A sample is a line in `drafts.jsonl` the moment its completion ends, and a line in `verdicts.jsonl`
when it is judged; a process that is killed loses only what was still being written. Decides
nothing. Called by `launch`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from reasonrl.errors import CheckpointError, StorageError
from reasonrl.evaluate import Draft, Key
from reasonrl.rollout import EncodedProblem, Tokenizer
from reasonrl.types import StopReason, Verdict

_SAMPLES = pa.schema(
    [
        ("model", pa.string()), ("suite", pa.string()),
        ("problem_id", pa.string()), ("index", pa.int32()),
        ("prompt", pa.string()), ("text", pa.string()), ("answer", pa.string()),
        ("n_tokens", pa.int32()), ("tokens", pa.list_(pa.int32())), ("logprob", pa.float64()),
        ("stop", pa.string()),
        ("reward", pa.float64()), ("status", pa.string()), ("reason", pa.string()),
        ("extracted", pa.string()), ("tests", pa.list_(pa.string())),
        ("verify_wall_s", pa.float64()),
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _DraftLine:
    problem_id: str
    index: int
    tokens: list[int]
    logprob: float
    stop: StopReason


@dataclass(frozen=True, slots=True, kw_only=True)
class _VerdictLine:
    problem_id: str
    index: int
    verdict: Verdict


Line = TypeVar("Line", _DraftLine, _VerdictLine)


class FileJournal:
    """Keep the drafts and verdicts of one model on one suite below a directory.

    Raises CheckpointError for files that no evaluation wrote, StorageError when the disk is full.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        drafts = _read(directory / "drafts.jsonl", TypeAdapter(_DraftLine))
        self._drafts = {
            (line.problem_id, line.index): Draft(
                tokens=np.asarray(line.tokens, dtype=np.int32),
                logprob=line.logprob,
                stop=line.stop,
            )
            for line in drafts
        }
        verdicts = _read(directory / "verdicts.jsonl", TypeAdapter(_VerdictLine))
        self._verdicts = {(line.problem_id, line.index): line.verdict for line in verdicts}
        self._draft_file = (directory / "drafts.jsonl").open("a", encoding="utf-8")
        self._verdict_file = (directory / "verdicts.jsonl").open("a", encoding="utf-8")

    def drafts(self) -> Mapping[Key, Draft]:
        return self._drafts

    def verdicts(self) -> Mapping[Key, Verdict]:
        return self._verdicts

    def add_draft(self, key: Key, draft: Draft) -> None:
        self._drafts[key] = draft
        line = {
            "problem_id": key[0],
            "index": key[1],
            "tokens": draft.tokens.tolist(),
            "logprob": draft.logprob,
            "stop": draft.stop,
        }
        _append(self._draft_file, line)

    def add_verdicts(self, verdicts: Mapping[Key, Verdict]) -> None:
        self._verdicts.update(verdicts)
        for (problem_id, index), verdict in verdicts.items():
            line = {"problem_id": problem_id, "index": index, "verdict": asdict(verdict)}
            _append(self._verdict_file, line)

    def close(self) -> None:
        for file in (self._draft_file, self._verdict_file):
            with suppress(OSError):  # what a full disk refused has been said already
                file.close()

    def discard(self) -> None:
        """Delete the files: their samples are elsewhere by now."""
        self.close()
        shutil.rmtree(self.directory)


def write_samples(
    path: Path,
    *,
    model: str,
    suite: str,
    encoded: Sequence[EncodedProblem],
    k: int,
    journal: FileJournal,
    tokenizer: Tokenizer,
) -> None:
    """Write every sample with its verdict as Parquet, in the order of problems and places."""
    rows = _rows(model, suite, encoded, k, journal, tokenizer)
    scratch = path.with_name(f".{path.name}.writing")
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), _SAMPLES), scratch, compression="zstd")
    scratch.replace(path)


def _rows(
    model: str,
    suite: str,
    encoded: Sequence[EncodedProblem],
    k: int,
    journal: FileJournal,
    tokenizer: Tokenizer,
) -> Iterator[dict[str, object]]:
    for item in encoded:
        for index in range(k):
            key = item.problem.id, index
            draft, verdict = journal.drafts()[key], journal.verdicts()[key]
            yield {
                "model": model,
                "suite": suite,
                "problem_id": item.problem.id,
                "index": index,
                "prompt": "\n".join(turn.content for turn in item.problem.prompt),
                "text": tokenizer.decode(draft.tokens),
                "answer": item.problem.answer,
                "n_tokens": len(draft.tokens),
                "tokens": draft.tokens,
                "logprob": draft.logprob,
                "stop": str(draft.stop),
                "reward": verdict.reward,
                "status": str(verdict.status),
                "reason": verdict.reason,
                "extracted": verdict.extracted,
                "tests": [str(status) for status in verdict.tests],
                "verify_wall_s": verdict.wall_s,
            }


def _append(file: TextIO, line: Mapping[str, object]) -> None:
    try:
        file.write(json.dumps(line) + "\n")
        file.flush()
    except OSError as error:
        raise StorageError(
            f"could not write a sample down: {error}", where=file.name, remedy="free space there"
        ) from error


def _read(path: Path, adapter: TypeAdapter[Line]) -> list[Line]:
    """Return the lines of a journal file, and cut off a last one that a kill left torn."""
    if not path.exists():
        return []
    raw = path.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    if len(whole) < len(raw):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    found, keys = [], set()
    for number, text in enumerate(whole.splitlines(), start=1):
        try:
            line = adapter.validate_json(text)
        except ValidationError as error:
            raise _not_a_journal(path, number, str(error.errors()[0]["msg"])) from error
        if (line.problem_id, line.index) in keys:
            raise _not_a_journal(path, number, "a sample that an earlier line has")
        keys.add((line.problem_id, line.index))
        found.append(line)
    return found


def _not_a_journal(path: Path, number: int, what: str) -> CheckpointError:
    return CheckpointError(
        what,
        where=f"{path}:{number}",
        expected="a line as the evaluation wrote it",
        remedy=f"delete {path.parent} to sample this suite anew",
    )
