"""Whether the record of a run has every step up to its newest checkpoint.

A run that was resumed over a gap would train to its end, and its record would keep the gap.
Release 0.1.0 flushed checkpoints to the disk and not the record, so that a power cut could leave a
gap; so can a person who deletes files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reasonrl.errors import CheckpointError
from reasonrl.run.layout import CHECKPOINTS, METRICS, checkpoint_paths, rollouts_path, step_of
from reasonrl.run.record import RunRecorder

_NAMED = 5
"""The most steps that a message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The first step that the record of a run lacks, and what is wrong with it in words."""

    step: int
    what: str


def check_record(directory: Path) -> None:
    """Raise CheckpointError when the record of a run does not reach its newest checkpoint."""
    points = checkpoint_paths(directory / CHECKPOINTS)
    gap = first_gap(directory, step_of(points[-1])) if points else None
    if gap is None:
        return
    whole = [point for point in points if step_of(point) < gap.step]
    beyond = [str(point) for point in points if point not in whole]
    raise CheckpointError(
        f"{gap.what}, and {points[-1].name} is the newest checkpoint",
        where=str(directory),
        expected="a record of every step up to the checkpoint, once and in order",
        remedy=f"restore the file from a copy, or delete {' and '.join(beyond)} to resume after "
        f"step {step_of(whole[-1])}"
        if whole
        else "restore the file from a copy; no checkpoint has a whole record, so the rest is to "
        "begin another run with the weights of this one: "
        f"`reasonrl train {directory}/config.toml --from {directory}`",
    )


def first_gap(directory: Path, last: int) -> Gap | None:
    """Return the first step up to `last` that the record of a run lacks, None if it is whole."""
    gaps = [_gap_of_metrics(directory, last), _gap_of_rollouts(directory, last)]
    return min((gap for gap in gaps if gap), key=lambda gap: gap.step, default=None)


def _gap_of_metrics(directory: Path, last: int) -> Gap | None:
    rows = [int(str(row["step"])) for row in RunRecorder(directory).metrics()]
    steps = [step for step in rows if step <= last]
    if steps == list(range(1, last + 1)):
        return None
    missing = sorted(set(range(1, last + 1)).difference(steps))
    if missing:
        return Gap(step=missing[0], what=f"{METRICS} has no line of step {_named(missing)}")
    wrong = [(n, step) for n, step in enumerate(steps, start=1) if step != n]
    line, found = wrong[0]
    return Gap(
        step=min(min(pair) for pair in wrong),
        what=f"{METRICS}:{line} is a line of step {found}, out of order or there twice",
    )


def _gap_of_rollouts(directory: Path, last: int) -> Gap | None:
    wrong = [
        step for step in range(1, last + 1) if not _is_readable(rollouts_path(directory, step))
    ]
    if not wrong:
        return None
    names = f"the rollouts of step {_named(wrong)} are missing or cannot be read"
    return Gap(step=wrong[0], what=f"{names} ({rollouts_path(directory, wrong[0])})")


def _is_readable(path: Path) -> bool:
    """Return whether a Parquet file has its footer, which is written last."""
    try:
        pq.read_metadata(path)
    except (OSError, pa.ArrowException):
        return False
    return True


def _named(steps: Sequence[int]) -> str:
    """Return steps in words, the first few of many."""
    named = ", ".join(map(str, steps[:_NAMED]))
    return named if len(steps) <= _NAMED else f"{named} and {len(steps) - _NAMED} more"
