"""The record of a run: its metrics, every rollout, and its evaluations.

The recorder appends while the run trains and rewinds to a step on resume, so that a resumed run
leaves the same files as a run without an interruption. What a step leaves is flushed to the disk
before the checkpoint that follows it, and not at each step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from reasonrl.algo.select import SelectedGroup
from reasonrl.atomic import sync, write_atomic
from reasonrl.errors import CheckpointError, StorageError
from reasonrl.evaluation.sample_file import SampleRow, write_samples
from reasonrl.evaluation.score import SuiteResult, as_line
from reasonrl.recipe.record import TokenDetail
from reasonrl.reward.columns import COMPONENT, NOTES, columns_of
from reasonrl.rollout.problems import turns_of
from reasonrl.run.layout import (
    EVALUATIONS,
    METRICS,
    ROLLOUTS,
    learner_path,
    record_paths,
    rollouts_path,
    samples_path,
    step_of,
)
from reasonrl.run.tokens import token_table
from reasonrl.types import Message, Row

if TYPE_CHECKING:
    from reasonrl.engines.protocols import TokenRecord

_TURN = pa.struct([("role", pa.string()), ("content", pa.string())])

_ROLLOUTS = pa.schema(
    [
        ("step", pa.int32()), ("stage", pa.string()),
        ("rollout_id", pa.string()), ("problem_id", pa.string()), ("index", pa.int32()),
        ("prompt", pa.string()),
        ("prompt_turns", pa.list_(_TURN)), ("prompt_tokens", pa.list_(pa.int32())),
        ("text", pa.string()), ("answer", pa.string()),
        ("n_tokens", pa.int32()),
        ("tokens", pa.list_(pa.int32())), ("logprobs", pa.list_(pa.float32())),
        ("stop", pa.string()), ("version", pa.int32()),
        ("updates", pa.list_(pa.int32())),  # first token and version of each change, in turn
        ("reward", pa.float64()), ("status", pa.string()), ("reason", pa.string()),
        ("extracted", pa.string()), ("verify_wall_s", pa.float64()),
        ("advantage", pa.float64()), ("signal", pa.string()), ("masked", pa.bool_()),
    ]
)  # fmt: skip


_RESULT = TypeAdapter(SuiteResult)

_OLD_NAMES = {"entropy/coefficient": "entropy/alpha", "entropy/controller": "entropy/c"}
"""Names of metrics in runs of release 0.1.0, which are still read."""


class RunRecorder:
    """The writer and reader of one run directory's record.

    `system_prompt` is the turn that every prompt of the run begins with, `tokens` the recipe's
    `record.tokens`; only the writer needs them.
    """

    def __init__(
        self, directory: Path, *, system_prompt: str | None = None, tokens: TokenDetail = "all"
    ) -> None:
        self.directory = directory
        self._system_prompt, self._detail = system_prompt, tokens
        self._metrics, self._evaluations = directory / METRICS, directory / EVALUATIONS
        self._rollouts = directory / ROLLOUTS
        self._unflushed: set[Path] = set()

    def rollouts(self, step: int, stage: str, selected: Sequence[SelectedGroup]) -> None:
        """Write all rollouts of a step, before anything is learned from them."""
        self._rollouts.mkdir(exist_ok=True)
        rows = [
            {"step": step, "stage": stage, **row}
            for item in selected
            for row in rollout_rows(item, turns_of(item.group.problem, self._system_prompt))
        ]
        path = rollouts_path(self.directory, step)
        schema = _with_components(_ROLLOUTS, rows[0])
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, compression="zstd")
        self._unflushed.add(path)

    def tokens(self, step: int, record: TokenRecord) -> None:
        """Write what the learner computed at the trained tokens of a step."""
        path = learner_path(self.directory, step)
        path.parent.mkdir(exist_ok=True)
        pq.write_table(token_table(record, self._detail), path, compression="zstd")
        self._unflushed.add(path)

    def samples(self, suite: str, step: int, rows: Sequence[SampleRow]) -> None:
        """Write the samples of a suite's evaluation at a step."""
        path = samples_path(self.directory, suite, step)
        write_samples(path, rows)
        self._unflushed |= {path, path.parent}

    def step(self, metrics: Row) -> None:
        self._append(self._metrics, metrics)

    def evaluation(self, result: SuiteResult) -> None:
        self._append(self._evaluations, as_line(result))

    def flush(self) -> None:
        """Put on the disk what was written since the last call; call it before each checkpoint.

        Raises StorageError when the disk does not take it.
        """
        try:
            folders = {path.parent for path in self._unflushed}
            for path in sorted(self._unflushed) + sorted({*folders, self.directory}):
                sync(path)
        except OSError as error:
            raise StorageError(
                f"the record could not be flushed to the disk: {error}",
                where=str(self.directory),
                remedy=f"check the disk; then rerun `reasonrl resume {self.directory}`",
            ) from error
        self._unflushed.clear()

    def evaluations(self) -> list[SuiteResult]:
        """Return the evaluations so far, in order."""
        return [_RESULT.validate_python(row) for row in _read(self._evaluations)]

    def metrics(self) -> list[Row]:
        """Return the metrics of every step, in order."""
        return [_renamed(cast(Row, row)) for row in _read(self._metrics)]

    def rewind(self, step: int) -> None:
        """Drop everything after a step: these steps will be taken again."""
        for path, rows in (
            (self._metrics, self.metrics()),
            (self._evaluations, _read(self._evaluations)),
        ):
            kept = [row for row in rows if cast(int, row["step"]) <= step]
            write_atomic(path, "".join(_line(row) for row in kept))
        for path in record_paths(self.directory):
            if step_of(path) > step:
                path.unlink()

    def _append(self, path: Path, row: Mapping[str, object]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(_line(row))
        self._unflushed.add(path)


def _renamed(row: Row) -> Row:
    """Return a row under today's names of metrics."""
    return {_OLD_NAMES.get(name, name): value for name, value in row.items()}


def _with_components(schema: pa.Schema, row: Mapping[str, object]) -> pa.Schema:
    """Return the schema with a column for each reward component, and their notes."""
    for name in row:
        if name.startswith(COMPONENT):
            schema = schema.append(pa.field(name, pa.float64()))
    return schema.append(pa.field(NOTES, pa.string())) if NOTES in row else schema


def rollout_rows(item: SelectedGroup, turns: Sequence[Message]) -> list[dict[str, object]]:
    """Return the rows of a group whose prompt has these turns."""
    asked = [{"role": turn.role, "content": turn.content} for turn in turns]
    fates = {
        rollout.id: (advantage, is_masked)
        for rollout, advantage, is_masked in zip(
            item.rollouts, item.advantages, item.masked, strict=True
        )
    }
    rows: list[dict[str, object]] = []
    for rollout in item.group.rollouts:
        advantage, masked = fates.get(rollout.id, (None, False))
        completion, verdict = rollout.completion, rollout.verdict
        rows.append(
            {
                "rollout_id": rollout.id,
                "problem_id": item.group.problem.id,
                "index": rollout.index,
                "prompt": "\n".join(turn.content for turn in item.group.problem.prompt),
                "prompt_turns": asked,
                "prompt_tokens": item.group.prompt,
                "text": rollout.text,
                "answer": item.group.problem.answer,
                "n_tokens": len(completion.tokens),
                "tokens": completion.tokens,
                "logprobs": completion.logprobs,
                "stop": str(completion.stop),
                "version": completion.version,
                "updates": [number for change in completion.updates for number in change],
                "reward": rollout.reward,
                "status": None if verdict is None else str(verdict.status),
                "reason": None if verdict is None else verdict.reason,
                "extracted": None if verdict is None else verdict.extracted,
                "verify_wall_s": None if verdict is None else verdict.wall_s,
                "advantage": advantage,
                "signal": str(item.signal),
                "masked": masked,
                **columns_of(rollout.scores),
            }
        )
    return rows


def _line(row: Mapping[str, object]) -> str:
    return json.dumps(row) + "\n"


def _read(path: Path) -> list[dict[str, object]]:
    """Return the rows of a JSONL file, without the last lines if a crash has spoiled them.

    Raises CheckpointError for an unreadable line that has a readable line behind it.
    """
    if not path.exists():
        return []
    rows: list[dict[str, object]] = []
    spoiled = 0
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        row = _row(line)
        if row is None:
            spoiled = spoiled or number
        elif spoiled:
            raise CheckpointError(
                "this line cannot be read",
                where=f"{path}:{spoiled}",
                expected="a JSON object with a whole number as `step`",
                remedy="restore the line from a copy of the file, then rerun",
            )
        else:
            rows.append(row)
    return rows


def _row(line: bytes) -> dict[str, object] | None:
    """Return the row of a line, None for anything else."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_row = isinstance(row, dict) and isinstance(row.get("step"), int)
    return row if is_row else None
