"""What is kept of a run for its verdict: a line of a few KB, in a directory of JSON Lines files.

A run directory takes megabytes; a kept run is small enough for a repository, so that a set of
results grows over days and machines, and anyone can judge it again. A file holds the runs of one
commit on one machine.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from reasonrl.atomic import write_atomic
from reasonrl.errors import DataError
from reasonrl.studies.reading import COLUMNS, rounded
from reasonrl.studies.record import EvaluationScore, RunOrigin, RunRecord

_BASE = 36  # a problem's right answers are one digit; where k is larger they are not kept
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_COST = "time/step_s"
_MOST_STEPS = 10_000
_Number = Annotated[float, Field(ge=-1e9, le=1e9)]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRun:
    """A run as it is kept: world, arm, seed, record, and the registrations of its arm's studies.

    The world is empty for a run on a recipe.
    """

    world: str
    arm: str
    seed: int
    record: RunRecord
    registered: Mapping[str, str]

    @property
    def key(self) -> tuple[str, int, str]:
        """Return what no other kept run has; files are sorted by it."""
        return self.world, self.seed, self.arm


def keep(runs: Iterable[KeptRun], directory: Path) -> list[Path]:
    """Add runs to the files of a directory; a run that is there already is replaced."""
    by_path: dict[Path, list[KeptRun]] = {}
    for run in runs:
        by_path.setdefault(directory / _name(run.record.origin), []).append(run)
    directory.mkdir(parents=True, exist_ok=True)
    for path, added in by_path.items():
        known = {run.key: run for run in _read(path)} if path.exists() else {}
        known |= {run.key: run for run in added}
        write_atomic(path, "".join(_line(run) for _, run in sorted(known.items())))
    return list(by_path)


def read_kept(directory: Path) -> list[KeptRun]:
    """Return every kept run of a directory; an arm may have a seed from several commits.

    Raises DataError when a line is not a kept run, or when one commit's is there twice.
    """
    paths = sorted(directory.glob("*.jsonl"))
    if not paths:
        raise DataError(
            "no kept results",
            where=str(directory),
            expected="files that `reasonrl study --keep` wrote",
            remedy="pass the directory that holds them",
        )
    runs: dict[tuple[RunOrigin, tuple[str, int, str]], KeptRun] = {}
    for path in paths:
        for run in _read(path):
            if runs.setdefault((run.record.origin, run.key), run) is not run:
                whose = f"arm {run.arm}, seed {run.seed}, commit {run.record.origin.commit}"
                raise DataError(
                    f"a run is kept twice: {whose}",
                    where=str(path),
                    remedy="take the file out, or take it again from where it comes from",
                )
    return list(runs.values())


# the line


class _Score(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    suite: str
    step: Annotated[int, Field(ge=0, le=_MOST_STEPS)]
    value: Annotated[float, Field(ge=0, le=1)]
    k: Annotated[int, Field(ge=1, le=100_000)]
    right: Annotated[str, Field(pattern=r"^[0-9a-z]*$", max_length=100_000)]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    format: Literal[1]
    world: str
    arm: str
    seed: Annotated[int, Field(ge=0)]
    commit: str
    machine: str
    registered: dict[str, str]
    headline: str
    steps: Annotated[int, Field(ge=1, le=_MOST_STEPS)]
    columns: dict[str, _Number | list[_Number | None] | None]
    scores: list[_Score]


def _line(run: KeptRun) -> str:
    record = run.record
    columns = {name: [row.get(name) for row in record.rows] for name in COLUMNS}
    seconds = record.column(_COST)
    columns[_COST] = [rounded(sum(seconds) / len(seconds)) if seconds else None]
    line = {
        "format": 1,
        "world": run.world,
        "arm": run.arm,
        "seed": run.seed,
        "commit": record.origin.commit,
        "machine": record.origin.machine,
        "registered": dict(sorted(run.registered.items())),
        "headline": record.headline,
        "steps": len(record.rows),
        # a column that does not change is one number
        "columns": {
            name: values[0] if len({*values}) == 1 else values for name, values in columns.items()
        },
        "scores": [
            {
                "suite": score.suite,
                "step": score.step,
                "value": score.value,
                "k": score.k,
                "right": "".join(_DIGITS[right] for right in score.right_P if score.k < _BASE),
            }
            for score in record.evaluations
        ],
    }
    return json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n"


def _read(path: Path) -> Iterator[KeptRun]:
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            yield _run(_Line.model_validate_json(line))
        except ValueError as error:  # pydantic's errors are ValueErrors too
            raise DataError(
                f"not a kept run: {str(error).splitlines()[0]}",
                where=f"{path}:{number}",
                remedy="take the line out, or write the file again with `reasonrl study --keep`",
            ) from error


def _run(line: _Line) -> KeptRun:
    columns = {name: _values(line, name) for name in COLUMNS}
    _check_steps(line)
    record = RunRecord(
        rows=[
            {"step": step + 1, **{name: values[step] for name, values in columns.items()}}
            for step in range(line.steps)
        ],
        evaluations=[
            EvaluationScore(
                suite=score.suite,
                step=score.step,
                value=score.value,
                k=score.k,
                right_P=_right(score),
            )
            for score in line.scores
        ],
        headline=line.headline,
        origin=RunOrigin(commit=line.commit, machine=line.machine),
    )
    return KeptRun(
        world=line.world,
        arm=line.arm,
        seed=line.seed,
        record=record,
        registered=line.registered,
    )


def _check_steps(line: _Line) -> None:
    for suite in {score.suite for score in line.scores}:
        steps = [score.step for score in line.scores if score.suite == suite]
        if steps != sorted(set(steps)) or steps[-1] > line.steps:
            raise ValueError(f"the evaluations of {suite} are not in the order of the run's steps")


def _right(score: _Score) -> tuple[int, ...]:
    right_P = tuple(int(digit, _BASE) for digit in score.right)
    if any(right > score.k for right in right_P) or (right_P and score.k >= _BASE):
        raise ValueError(f"right answers that {score.k} samples cannot have")
    return right_P


def _values(line: _Line, name: str) -> Sequence[float | None]:
    values = line.columns.get(name)
    if not isinstance(values, list):
        return [values] * line.steps
    if len(values) != line.steps:
        raise ValueError(f"{name} has {len(values)} values for {line.steps} steps")
    return values


def _name(origin: RunOrigin) -> str:
    machine = hashlib.sha256(origin.machine.encode()).hexdigest()[:6]
    commit = re.sub(r"[^\w.-]", "", origin.commit) or "unknown"
    return f"{commit}-{machine}.jsonl"
