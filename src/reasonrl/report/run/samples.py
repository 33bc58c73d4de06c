"""A few rollouts of a run, read back from its files for the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from reasonrl.report.drawing.scale import spread
from reasonrl.run.layout import rollouts_paths, step_of

_COLUMNS = [
    *("step", "rollout_id", "problem_id", "prompt", "prompt_turns", "text", "answer", "reward"),
    *("status", "reason", "extracted", "stop", "advantage", "signal"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRollout:
    """A rollout as a person wants to see it. `answer` is the problem's answer key.

    `reward` is None when the verifier could not judge, `advantage` when it was not computed.
    `reason` and `extracted` are the verifier's: why, and the answer that it found.
    """

    step: int
    problem_id: str
    rollout_id: str = ""
    prompt: str | None = None
    text: str
    answer: str
    reward: float | None
    status: str
    reason: str = ""
    extracted: str = ""
    stop: str = ""
    advantage: float | None
    signal: str = ""


def read_samples(
    directory: Path, *, steps: Iterable[int] = (), per_step: int = 6
) -> list[ShownRollout]:
    """Return rollouts of a run's first and last step, and of `steps`, spread over each step."""
    paths = {step_of(path): path for path in rollouts_paths(directory)}
    wanted = sorted({*list(paths)[:1], *list(paths)[-1:], *(step for step in steps)} & set(paths))
    return [_shown(row) for step in wanted for row in spread(_rows(paths[step]), per_step)]


def _shown(row: dict[str, Any]) -> ShownRollout:
    turns = row.pop("prompt_turns", None)
    if turns:
        row["prompt"] = "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in turns)
    row = {key: "" if value is None and key in _TEXTS else value for key, value in row.items()}
    return ShownRollout(**row)


_TEXTS = ("status", "reason", "extracted", "answer", "text", "stop", "signal")


def _rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a step's file; an older version lacks some of the columns."""
    known = set(pq.read_schema(path).names)
    rows: list[dict[str, Any]] = pq.read_table(
        path, columns=[name for name in _COLUMNS if name in known]
    ).to_pylist()
    return rows
