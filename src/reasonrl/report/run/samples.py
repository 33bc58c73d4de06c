"""A few rollouts of a run, read back from its files for the page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from reasonrl.report.drawing.scale import spread
from reasonrl.run.layout import rollouts_paths

_COLUMNS = ["step", "problem_id", "prompt", "text", "answer", "reward", "status", "advantage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRollout:
    """A rollout as a person wants to see it. `answer` is the problem's answer key.

    `reward` is None when the verifier could not judge, `advantage` when it was not computed.
    """

    step: int
    problem_id: str
    prompt: str | None = None
    text: str
    answer: str
    reward: float | None
    status: str
    advantage: float | None


def read_samples(directory: Path, *, per_step: int = 6) -> list[ShownRollout]:
    """Return rollouts of a run's first and last step, spread evenly over each step's file."""
    paths = rollouts_paths(directory)
    ends = paths[:1] + paths[1:][-1:]
    return [ShownRollout(**row) for path in ends for row in spread(_rows(path), per_step)]


def _rows(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path, columns=_COLUMNS).to_pylist()
    return rows
