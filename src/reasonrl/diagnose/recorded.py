"""The rollouts of a step as they were recorded: rounds of groups, in the order of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reasonrl.errors import CheckpointError
from reasonrl.run.layout import learner_path, rollouts_path
from reasonrl.types import Completion, Status, StopReason, Verdict

RolloutRow: TypeAlias = Mapping[str, Any]
Group: TypeAlias = Sequence[RolloutRow]


def read_rows(run: Path, step: int) -> list[dict[str, Any]]:
    """Return the rows of a step's rollouts; CheckpointError for a file that cannot be read."""
    return _read(rollouts_path(run, step))


def read_tokens(run: Path, step: int) -> list[dict[str, Any]] | None:
    """Return the rows of what the learner computed in a step, None where the run has none."""
    path = learner_path(run, step)
    return _read(path) if path.exists() else None


def read_statuses(path: Path) -> list[tuple[str, str | None]]:
    """Return the problem and the verdict's status of each sample of an evaluation."""
    return [(row["problem_id"], row["status"]) for row in _read(path, ["problem_id", "status"])]


def rounds_of(rows: Sequence[RolloutRow]) -> list[list[Group]]:
    """Return the groups of each round of sampling: the first round, and those of refills.

    A group begins with its first member; a round with the groups whose ids name another attempt.
    """
    starts = [n for n, row in enumerate(rows) if row["index"] == 0]
    groups = [rows[first:last] for first, last in pairwise([*starts, len(rows)])]
    rounds: dict[str, list[Group]] = {}
    for group in groups:
        rounds.setdefault(str(group[0]["rollout_id"]).partition("/")[0], []).append(group)
    return list(rounds.values())


def completion_of(row: RolloutRow) -> Completion:
    """Return a recorded rollout as the sampler returned it."""
    changes = row["updates"] or []
    return Completion(
        tokens=np.asarray(row["tokens"], dtype=np.int32),
        logprobs=np.asarray(row["logprobs"], dtype=np.float32),
        stop=StopReason(row["stop"]),
        version=int(row["version"]),
        updates=tuple(zip(changes[::2], changes[1::2], strict=True)),
    )


def verdict_of(row: RolloutRow, verifier_column: str) -> Verdict | None:
    """Return a recorded verdict; `verifier_column` has the verifier's own reward."""
    if row["status"] is None:
        return None
    return Verdict(
        reward=row.get(verifier_column),
        status=Status(row["status"]),
        reason=row["reason"] or "",
        extracted=row["extracted"] or "",
        wall_s=row["verify_wall_s"] or 0.0,
    )


def _read(path: Path, columns: list[str] | None = None) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = pq.read_table(path, columns=columns).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise CheckpointError(
            f"cannot be read: {error}",
            where=str(path),
            expected="the file that the run wrote",
            remedy="restore the file from a copy, or replay a step whose files are whole",
        ) from error
    return rows
