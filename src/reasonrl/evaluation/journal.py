"""The samples of an evaluation on disk: a journal while it runs, one Parquet file when it is done.

A sample becomes a line in `drafts.jsonl` when its completion ends, and a line in `verdicts.jsonl`
when it is judged. A killed process loses only the line that it was writing. Decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from reasonrl.atomic import append_line, read_record, read_records, write_atomic
from reasonrl.errors import CheckpointError
from reasonrl.evaluation.score import JudgedSample
from reasonrl.evaluation.suite import Draft, Key
from reasonrl.rollout.problems import EncodedProblem, Tokenizer
from reasonrl.types import Problem, Status, StopReason, Verdict

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
class Identity:
    """Hashes of what the samples depend on: weights, problems, and prompts as token ids.

    Samples of one identity are never used for another identity.
    """

    weights: str
    problems: str
    prompts: str

    def check(self, before: Identity, where: Path) -> None:
        """Raise CheckpointError unless `before`, the identity on disk, equals this identity."""
        kinds = {
            "weights": "the model has other weights",
            "problems": "the suite has other problems",
            "prompts": "the tokenizer or chat template makes other prompts",
        }
        for name, what in kinds.items():
            if getattr(self, name) != getattr(before, name):
                raise CheckpointError(
                    f"{what} than when these samples were drawn",
                    where=str(where),
                    remedy="restore what changed, or choose another --out",
                )


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


_SCORED = ["problem_id", "n_tokens", "stop", "reward", "status", "extracted"]
_SHOWN_KEY = 4_000  # characters; the answer key of a program, its tests, can have 100 MB

Line = TypeVar("Line", _DraftLine, _VerdictLine)


class FileJournal:
    """The drafts and verdicts of one model on one suite, below a directory.

    Raises CheckpointError for files that no evaluation wrote or that have another identity, and
    StorageError when the disk is full.
    """

    def __init__(self, directory: Path, identity: Identity) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.identity = identity
        self._check_identity(directory / "identity.json")
        drafts = _read(directory / "drafts.jsonl", TypeAdapter(_DraftLine))
        if len({(line.problem_id, line.index) for line in drafts}) < len(drafts):
            raise CheckpointError(
                "the same sample occurs twice",
                where=str(directory / "drafts.jsonl"),
                expected="one line for each sample",
                remedy=_remedy(directory),
            )
        self._drafts = {
            (line.problem_id, line.index): Draft(
                tokens=np.asarray(line.tokens, dtype=np.int32),
                logprob=line.logprob,
                stop=line.stop,
            )
            for line in drafts
        }
        verdicts = _read(directory / "verdicts.jsonl", TypeAdapter(_VerdictLine))
        # Of two verdicts on a sample the later holds: the first was a failure, judged again.
        self._verdicts = {(line.problem_id, line.index): line.verdict for line in verdicts}
        self._draft_file = (directory / "drafts.jsonl").open("ab")
        self._verdict_file = (directory / "verdicts.jsonl").open("ab")

    def _check_identity(self, path: Path) -> None:
        if not path.exists():
            write_atomic(path, json.dumps(asdict(self.identity)) + "\n")
            return
        before = read_record(
            path,
            TypeAdapter(Identity),
            expected="the identity of an evaluation's samples",
            remedy=_remedy(self.directory),
        )
        self.identity.check(before, self.directory)

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
        append_line(self._draft_file, json.dumps(line).encode(), what="a sample")

    def add_verdicts(self, verdicts: Mapping[Key, Verdict]) -> None:
        self._verdicts.update(verdicts)
        for (problem_id, index), verdict in verdicts.items():
            line = {"problem_id": problem_id, "index": index, "verdict": asdict(verdict)}
            append_line(self._verdict_file, json.dumps(line).encode(), what="a sample")

    def close(self) -> None:
        for file in (self._draft_file, self._verdict_file):
            with suppress(OSError):  # `append_line` has already reported a full disk
                file.close()


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
    """Write every sample with its verdict as Parquet, in the order of problems and indices."""
    rows = [
        {"model": model, "suite": suite, **_row(item.problem, index, journal, tokenizer)}
        for item in encoded
        for index in range(k)
    ]
    schema = _SAMPLES.with_metadata(asdict(journal.identity))
    scratch = path.with_name(f".{path.name}.writing")
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), scratch, compression="zstd")
    scratch.replace(path)


def read_samples(
    path: Path, encoded: Sequence[EncodedProblem], identity: Identity
) -> dict[str, list[JudgedSample]]:
    """Return the samples of a finished suite, for scoring.

    Raises CheckpointError when the file has another identity or no evaluation wrote it.
    """
    kinds = {item.problem.id: item.problem.kind for item in encoded}
    samples: dict[str, list[JudgedSample]] = {problem_id: [] for problem_id in kinds}
    try:
        metadata = pq.read_schema(path).metadata or {}
        plain = {key.decode(): value.decode() for key, value in metadata.items()}
        before = Identity(**{name: plain[name] for name in ("weights", "problems", "prompts")})
        identity.check(before, path)
        for row in pq.read_table(path, columns=_SCORED).to_pylist():
            verdict = Verdict(
                reward=row["reward"], status=Status(row["status"]), extracted=row["extracted"]
            )
            samples[row["problem_id"]].append(
                JudgedSample(
                    kind=kinds[row["problem_id"]],
                    n_tokens=row["n_tokens"],
                    is_truncated=row["stop"] == StopReason.LENGTH,
                    verdict=verdict,
                )
            )
    except (pa.ArrowException, KeyError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f"not the samples of an evaluation: {error}",
            where=str(path),
            remedy="delete it to sample this suite again",
        ) from error
    return samples


def _row(
    problem: Problem, index: int, journal: FileJournal, tokenizer: Tokenizer
) -> dict[str, object]:
    draft, verdict = journal.drafts()[problem.id, index], journal.verdicts()[problem.id, index]
    return {
        "problem_id": problem.id,
        "index": index,
        "prompt": "\n".join(turn.content for turn in problem.prompt),
        "text": tokenizer.decode(draft.tokens),
        "answer": problem.answer[:_SHOWN_KEY],
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


def _read(path: Path, adapter: TypeAdapter[Line]) -> list[Line]:
    return read_records(
        path,
        adapter,
        expected="a line as the evaluation wrote it",
        remedy=_remedy(path.parent),
    )


def _remedy(directory: Path) -> str:
    return f"delete {directory} to sample this suite again"
