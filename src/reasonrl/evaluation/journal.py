"""The samples of an evaluation on disk: a journal while it runs, one Parquet file when it is done.

A sample becomes a line in `drafts.jsonl` when its completion ends, and a line in `verdicts.jsonl`
when it is judged. A killed process loses only the line that it was writing. Decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import TypeAdapter

from reasonrl.atomic import append_line, read_record, read_records, write_atomic
from reasonrl.errors import CheckpointError
from reasonrl.evaluation.suite import Draft, Key
from reasonrl.reward.scoring import Rewarded
from reasonrl.types import StopReason, Verdict


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
        self._rewards: dict[Key, Rewarded] = {}
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

    def rewards(self) -> dict[Key, Rewarded]:
        return self._rewards

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


def _read(path: Path, adapter: TypeAdapter[Line]) -> list[Line]:
    return read_records(
        path,
        adapter,
        expected="a line as the evaluation wrote it",
        remedy=_remedy(path.parent),
    )


def _remedy(directory: Path) -> str:
    return f"delete {directory} to sample this suite again"
