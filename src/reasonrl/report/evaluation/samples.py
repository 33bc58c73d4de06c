"""The samples of an evaluation, read back from its Parquet files for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from reasonrl.report.drawing.scale import spread
from reasonrl.types import StopReason

_COLUMNS = [
    *("problem_id", "index", "prompt", "text", "answer", "n_tokens", "stop"),
    *("reward", "status", "reason", "extracted", "tests"),
]
_SHOWN_PROBLEMS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSample:
    """A sample as a person wants to see it, with the evidence of its verdict."""

    model: str
    index: int
    text: str
    n_tokens: int
    stop: str
    reward: float | None
    status: str
    reason: str
    extracted: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownProblem:
    """A problem, its answer key, and a right and a wrong sample of each model."""

    id: str
    prompt: str
    answer: str
    samples: tuple[ShownSample, ...]


@dataclass(frozen=True, slots=True)
class Length:
    """The length of a sample, whether it ended by itself, and its reward."""

    n_tokens: int
    is_ended: bool
    reward: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteSamples:
    """The lengths of all samples of a suite, by model, and some of its problems in full."""

    lengths: Mapping[str, Sequence[Length]]
    problems: tuple[ShownProblem, ...]


def read_suite_samples(paths: Mapping[str, Path]) -> SuiteSamples:
    """Read a suite's samples from each model's file; shown problems are spread over the suite."""
    tables = {model: _read(path) for model, path in paths.items() if path.exists()}
    ids = list(dict.fromkeys(row["problem_id"] for rows in tables.values() for row in rows))
    chosen = set(spread(ids, _SHOWN_PROBLEMS))
    by_problem: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for model, rows in tables.items():
        for row in rows:
            if row["problem_id"] in chosen:
                by_problem.setdefault(row["problem_id"], {}).setdefault(model, []).append(row)
    return SuiteSamples(
        lengths={
            model: [
                Length(row["n_tokens"], row["stop"] == StopReason.STOP, row["reward"])
                for row in rows
            ]
            for model, rows in tables.items()
        },
        problems=tuple(_problem(name, groups) for name, groups in by_problem.items()),
    )


def _read(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path, columns=_COLUMNS).to_pylist()
    return rows


def _problem(name: str, groups: Mapping[str, list[dict[str, Any]]]) -> ShownProblem:
    first = next(iter(groups.values()))[0]
    samples = [
        _shown(model, row) for model, rows in groups.items() for row in _right_and_other(rows)
    ]
    return ShownProblem(
        id=name, prompt=first["prompt"], answer=first["answer"], samples=tuple(samples)
    )


def _shown(model: str, row: Mapping[str, Any]) -> ShownSample:
    copied = ShownSample.__dataclass_fields__.keys() - {"model", "tests"}
    return ShownSample(model=model, tests=tuple(row["tests"]), **{key: row[key] for key in copied})


def _right_and_other(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first right sample and the first other sample, as far as they exist."""
    right = next((row for row in rows if row["reward"] == 1.0), None)
    other = next((row for row in rows if row["reward"] != 1.0), None)
    return [row for row in (right, other) if row is not None]
